//! A device that has left the factory and has no owner yet.

use crypto::Zeroizing;
use fdo::{Credential, DeviceInfo, KeyEncoding, KeyType, SoftSecrets, Target};
use fdo_http::{Client, TlsPolicy};
use x509::CertificationRequestBuilder;

use super::{Journey, session::Refused};
use crate::{
    Error,
    fleet::{
        model::{Model, device_name},
        seed::Seed,
    },
};

/// What FDO knows it by, and with what it proves that.
pub(super) struct Newborn {
    pub(super) secrets: SoftSecrets,
    pub(super) credential: Credential,
    pub(super) device: String,
}

impl Newborn {
    /// DI at the manufacturer. The key is the one that the device attests with later.
    pub(super) fn make(
        journey: &Journey<'_, '_>,
        model: &Model,
        number: u32,
    ) -> Result<Result<Self, Refused>, Error> {
        let (seed, place) = (Seed(journey.plan.seed), &journey.manufacturer.place);
        let key = crate::fleet::model::key(seed, number)?;
        let hmac_secret = seed.bytes("hmac secret", u64::from(number)).as_bytes().to_vec();
        let serial = device_name(journey.plan, number);
        let wrong = || Error::object(format!("what {serial} asks for cannot be written"));
        let subject = format!("CN={serial}").parse().map_err(|_| wrong()("its name"))?;
        let request = CertificationRequestBuilder::new(subject, key.public_key()).sign(&key);
        let info = DeviceInfo {
            key_type: KeyType::Secp256r1,
            encoding: KeyEncoding::X509,
            serial: serial.clone(),
            info: model.name().to_owned(),
            request: request.map_err(|_| wrong()("its request for a certificate"))?.as_der().to_vec(),
        };
        let secrets = SoftSecrets { key, hmac_secret: Zeroizing::new(hmac_secret) };
        // Whoever makes devices is believed by its certificate, since nothing in the protocol proves it.
        let client = Client { tls: TlsPolicy::Anchors(place.roots()), ..Client::default() };
        let target = Target::from_url(place.url()).map_err(|error| {
            Error::object("the manufacturer's URL")(format!("{}: {}", place.url(), error.code()))
        })?;
        let made = fdo_http::make_device(&client, &target, info, &secrets);
        let device = model.name().to_owned();
        Ok(made.map(|credential| Self { secrets, credential, device }).map_err(|error| Refused::by(&error)))
    }
}
