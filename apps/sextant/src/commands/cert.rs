use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use crypto::SigningKey;
use x509::{Certificate, CertificateBuilder, Name, Validity, pem};

use crate::{
    clock,
    failure::{Answer, Failure},
    files::{self, Mode},
    keys::{self, KeyFile},
    printer::Printer,
    show,
};

/// Bytes of a random serial number; the first bit is cleared, so that it is positive and stays short.
const SERIAL_LEN: usize = 16;

/// Make and show certificates.
#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// Make an authority: a self-signed certificate
    NewCa(NewCa),
    /// Make the certificate of a key that signs MUD files
    NewMudSigner(NewMudSigner),
    /// Show a certificate
    Show(Show),
}

#[derive(Debug, Args)]
pub(crate) struct NewCa {
    /// Private key of the authority
    #[arg(long)]
    key: PathBuf,
    #[command(flatten)]
    about: About,
}

#[derive(Debug, Args)]
pub(crate) struct NewMudSigner {
    /// Certificate of the authority
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// Private key of the authority
    #[arg(long, value_name = "FILE")]
    ca_key: PathBuf,
    /// Key of the signer; its public part is enough
    #[arg(long)]
    key: PathBuf,
    #[command(flatten)]
    about: About,
}

#[derive(Debug, Args)]
struct About {
    /// Subject, such as `O=Maker, CN=MUD signer`
    #[arg(long, value_name = "NAME", value_parser = name)]
    subject: Name,
    /// How long it is valid, from now
    #[arg(long, value_name = "SPAN", value_parser = clock::parse_span, default_value = "3650d")]
    valid: i64,
    /// Where to write the certificate: DER when the name ends in `.der`, else PEM
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The certificate, in PEM or DER
    certificate: PathBuf,
}

pub(crate) fn run(command: Cert, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Cert::NewCa(command) => {
            let (key, _) = KeyFile::read_secret(&command.key)?;
            let builder = builder(&command.about, key.public_key())?.authority(Some(0));
            write(builder.self_signed(&key), &command.about.output, printer)
        }
        Cert::NewMudSigner(command) => {
            let (ca_key, _): (SigningKey, _) = KeyFile::read_secret(&command.ca_key)?;
            let ca = keys::read_certificate(&command.ca)?;
            let key = KeyFile::read(&command.key)?;
            let builder = builder(&command.about, &key.public)?;
            write(builder.issued_by(&ca, &ca_key), &command.about.output, printer)
        }
        Cert::Show(Show { certificate }) => {
            let certificate = keys::read_certificate(&certificate)?;
            printer.show(&show::certificate::tree(&certificate).into());
            Ok(Answer::Yes)
        }
    }
}

fn builder(about: &About, key: &crypto::PublicKey) -> Result<CertificateBuilder, Failure> {
    let mut serial: [u8; SERIAL_LEN] = keys::random()?;
    serial[0] = serial[0] & 0x7f | 0x40;
    let now = clock::now();
    let validity = Validity { not_before: now, not_after: now.saturating_add(about.valid) };
    Ok(CertificateBuilder::new(about.subject.clone(), key, &serial, validity))
}

fn write(
    certificate: Result<Certificate, x509::Error>,
    path: &Path,
    printer: &Printer,
) -> Result<Answer, Failure> {
    let certificate =
        certificate.map_err(|error| Failure::new("cannot make the certificate").because(&error))?;
    let der = certificate.as_der();
    let is_der = path.extension().is_some_and(|extension| extension == "der");
    let bytes = if is_der { der.to_vec() } else { pem::encode("CERTIFICATE", der).into_bytes() };
    files::write(path, &bytes, Mode::Public, printer)?;
    printer.note(format!("certificate of {}", certificate.subject()));
    Ok(Answer::Yes)
}

/// Reads a distinguished name.
pub(crate) fn name(text: &str) -> Result<Name, String> {
    text.parse().map_err(|error: x509::Error| error.to_string())
}
