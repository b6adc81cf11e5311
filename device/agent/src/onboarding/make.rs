use api::Base64Url;
use crypto::{HashAlgorithm, PublicKey};
use eat::Ueid;
use fdo::{DeviceInfo, KeyEncoding, KeyType, Signer, Target};
use fdo_http::{Client, TlsPolicy};
use serde::{Deserialize, Serialize};
use x509::{AttributeType, CertificationRequestBuilder, Name};

use super::Onboarding;
use crate::{
    Error, MakeOptions,
    http::certificates,
    keys::{NewKey, Secrets},
    place::{Place, make_private_folder, write_private},
    setup::{Blank, hex, lock},
};

/// Bytes of the key's thumbprint that a serial number is made of, where none is given.
const SERIAL_LEN: usize = 8;
/// What a device is, where nobody says.
const INFO: &str = "device";

/// What the factory notes of a device that it made.
#[derive(Debug, Serialize, Deserialize)]
pub struct MadeDevice {
    /// How its voucher calls it, in hexadecimal digits.
    pub guid: String,
    /// How evidence calls it, in hexadecimal digits.
    pub ueid: String,
    /// Its serial number.
    pub serial: String,
    /// Its public key, a COSE_Key.
    pub key: Base64Url,
    /// The public key that payloads for it alone are encrypted to, a COSE_Key for ECDH-ES+A128KW.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_key: Option<Base64Url>,
}

/// Becomes a device of a manufacturer (DI). Whatever stops it leaves no device: the key is written last, in one step. The
/// manufacturer may have a voucher by then of a device that is nowhere.
pub fn make(options: &MakeOptions) -> Result<MadeDevice, Error> {
    let data = &options.device.data;
    let _lock = lock(data)?;
    let blank = Blank::new(&options.device)?;
    let target = Target::from_url(&options.manufacturer)
        .map_err(|error| Error::Usage(format!("--di is no URL of a server: {error}")))?;
    let tls = match &options.ca {
        None => TlsPolicy::AnyCertificate,
        Some(path) => {
            let anchors = certificates(path)?;
            TlsPolicy::Anchors(anchors.iter().map(|certificate| certificate.der().to_vec()).collect())
        }
    };

    let secrets = Secrets::make(options.tpm.as_ref())?;
    let key = secrets.public_key();
    let serial = options.serial.clone().unwrap_or_else(|| {
        let thumbprint = cose::thumbprint(key, HashAlgorithm::Sha256);
        hex(thumbprint.as_bytes().get(..SERIAL_LEN).unwrap_or_default())
    });
    let info = DeviceInfo {
        key_type: KeyType::Secp256r1,
        encoding: KeyEncoding::X509,
        serial: serial.clone(),
        info: options.info.clone().unwrap_or_else(|| INFO.to_owned()),
        request: certification_request(AttributeType::SerialNumber, &serial, key, secrets.as_dyn())?,
    };
    let client = Client { tls, ..Client::default() };
    let credential = fdo_http::make_device(&client, &target, info, secrets.as_dyn())
        .map_err(|error| Error::Manufacturer(Box::new(error)))?;

    let guid = credential.guid;
    let place = Place(data);
    make_private_folder(&place.fdo())?;
    let key = match secrets {
        Secrets::Files(secrets) => {
            write_private(&place.hmac_secret(), &secrets.hmac_secret)?;
            NewKey::File(secrets.key)
        }
        Secrets::Tpm(secrets) => NewKey::Tpm(secrets),
    };
    Onboarding { credential, given: None, authorities: None }.save(data)?;
    let ueid = Ueid::new(&guid.ueid()).ok_or_else(|| Error::Key("a GUID makes no UEID".into()))?;
    let made = blank.finish(&ueid, key)?;
    Ok(MadeDevice {
        guid: guid.to_string(),
        ueid: made.ueid,
        serial,
        key: made.key,
        encryption_key: made.encryption_key,
    })
}

/// A request for a certificate of this key, for a subject that has one attribute.
pub(super) fn certification_request(
    attribute: AttributeType,
    text: &str,
    key: &PublicKey,
    signer: &(impl Signer + ?Sized),
) -> Result<Vec<u8>, Error> {
    let name = Name::new(&[(attribute, text)]);
    let name = name.map_err(|error| Error::Usage(format!("{text} is no name for a certificate: {error}")))?;
    let request = CertificationRequestBuilder::new(name, key);
    let signature = signer.sign(&request.to_be_signed());
    let signature = signature.map_err(|fault| Error::Key(fault.code().to_owned()))?;
    Ok(request.assemble(&signature).map_err(|error| Error::Key(error.to_string()))?.as_der().to_vec())
}
