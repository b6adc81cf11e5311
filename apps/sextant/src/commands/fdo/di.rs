use std::{
    fs,
    path::{Path, PathBuf},
};

use cbor::Writer;
use clap::{Args, ValueEnum};
use cose::labels;
use crypto::{SignatureAlgorithm, Zeroizing};
use fdo::{DeviceInfo, KeyEncoding, KeyType, SoftSecrets, Target};
use x509::{AttributeType, CertificationRequestBuilder, Name};

use super::{Peer, target, unfinished};
use crate::{
    failure::{Answer, Failure},
    files::{self, Mode},
    keys,
    node::{Map, Node},
    printer::Printer,
};

#[derive(Debug, Args)]
pub(crate) struct Di {
    /// URL of the manufacturer's server
    #[arg(long, value_name = "URL", value_parser = target)]
    server: Target,
    /// Serial number of the device
    #[arg(long, value_name = "TEXT")]
    serial: String,
    /// What the device is, for people
    #[arg(long, value_name = "TEXT")]
    info: String,
    /// Type of the device's key, and of the keys of its manufacturer and owners
    #[arg(long, value_name = "TYPE", default_value = "es256")]
    key_type: DeviceKey,
    #[command(flatten)]
    peer: Peer,
    /// Where to write the device's credential; its secrets go into the file beside it with `.secrets` at the end
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DeviceKey {
    Es256,
    Es384,
}

/// Bytes of the secret of a device's HMACs.
const SECRET_LEN: usize = 32;

pub(super) fn run(command: &Di, printer: &Printer) -> Result<Answer, Failure> {
    let (credential_file, secrets_file) = (&command.output, secrets_file(&command.output)?);
    // The manufacturer has a voucher once it was asked: what would end in nothing ends before.
    for path in [credential_file, &secrets_file] {
        if fs::symlink_metadata(path).is_ok() {
            return Err(Failure::new(format!("{} is there already", path.display()))
                .help("a device is never overwritten: choose another name"));
        }
    }
    let (algorithm, key_type) = match command.key_type {
        DeviceKey::Es256 => (SignatureAlgorithm::Es256, KeyType::Secp256r1),
        DeviceKey::Es384 => (SignatureAlgorithm::Es384, KeyType::Secp384r1),
    };
    let key = keys::generate(algorithm)?;
    let hmac_secret = Zeroizing::new(keys::random::<SECRET_LEN>()?.to_vec());
    let not_a_name = |error: &x509::Error| {
        Failure::new(format!("{:?} is no serial number for a certificate", command.serial)).because(error)
    };
    let subject = Name::new(&[(AttributeType::SerialNumber, &command.serial)]);
    let subject = subject.map_err(|error| not_a_name(&error))?;
    let request = CertificationRequestBuilder::new(subject, key.public_key()).sign(&key);
    let info = DeviceInfo {
        key_type,
        encoding: KeyEncoding::X509,
        serial: command.serial.clone(),
        info: command.info.clone(),
        request: request.map_err(|error| not_a_name(&error))?.as_der().to_vec(),
    };
    let secrets = SoftSecrets { key, hmac_secret };
    let client = command.peer.client()?;
    let credential = match fdo_http::make_device(&client, &command.server, info, &secrets) {
        Ok(credential) => credential,
        Err(error) => return unfinished(&error, printer),
    };
    let thumbprint = cose::thumbprint(secrets.key.public_key(), crypto::HashAlgorithm::Sha256);
    files::write(&secrets_file, &encode(secrets), Mode::Secret, printer)?;
    files::write(credential_file, &credential.encode(), Mode::Secret, printer)?;
    let made = Map::new()
        .with("guid", Node::shown(credential.guid))
        .with("ueid", Node::hex(&credential.guid.ueid()))
        .with("serial", command.serial.as_str())
        .with("device", command.info.as_str())
        .with("key", Node::shown(thumbprint))
        .with("credential", Node::shown(credential_file.display()))
        .with("secrets", Node::shown(secrets_file.display()));
    printer.show(&made.into());
    Ok(Answer::Yes)
}

fn secrets_file(credential: &Path) -> Result<PathBuf, Failure> {
    let name = credential.file_name().filter(|_| !files::is_dash(credential)).ok_or_else(|| {
        Failure::new("a device is in two files").help("give the name of one; the other is beside it")
    })?;
    let mut name = name.to_owned();
    name.push(".secrets");
    Ok(credential.with_file_name(name))
}

/// A COSE_KeySet (RFC 9052, section 7): the private key, and the symmetric one of its HMACs.
fn encode(secrets: SoftSecrets) -> Zeroizing<Vec<u8>> {
    let SoftSecrets { key, hmac_secret } = secrets;
    let key = cose::Key::from_secret(key).encode_secret().expect("a private key has its private part");
    Zeroizing::new(Writer::encode(|w| {
        w.array(2).raw(&key);
        w.map(2).int(labels::KEY_KTY).int(labels::KTY_SYMMETRIC).int(labels::KEY_K).bytes(&hmac_secret);
    }))
}
