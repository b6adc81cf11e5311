use std::path::{Path, PathBuf};

use clap::Args;
use crypto::{Digest, HashAlgorithm, SignatureAlgorithm};
use suit::{Envelope, Refusal, Severable, SignatureHeaders};

use crate::{
    commands::key,
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    keys::KeyFile,
    node::{Map, Node, from_hex},
    printer::{Printer, Verdict},
    show,
    signer::Signer,
};

/// Add signatures, here or elsewhere.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The envelope
    file: PathBuf,
    /// Private key to sign with: a file, or a PKCS #11 URI with its module-path; repeatable. With
    /// --import-signature, and if it is there with --export-tbs, the public key of who signs elsewhere
    #[arg(long = "key", value_name = "KEY", required_unless_present = "export")]
    keys: Vec<PathBuf>,
    /// Name the algorithm by its fully specified number: ESP256 and Ed25519, as the profiles of suit-mti ask
    #[arg(long)]
    fully_specified: bool,
    /// Write what a key elsewhere is to sign, and say what it means
    #[arg(long = "export-tbs", value_name = "FILE", conflicts_with = "import")]
    export: Option<PathBuf>,
    /// Algorithm of the key elsewhere, where it is not given with --key
    #[arg(long, value_parser = key::algorithm, requires = "export")]
    alg: Option<SignatureAlgorithm>,
    /// Add the signature that was made elsewhere, in the form of COSE or in DER as OpenSSL writes it
    #[arg(long = "import-signature", value_name = "FILE")]
    import: Option<PathBuf>,
    /// Identifier of the key elsewhere in hexadecimal digits; its thumbprint without it
    #[arg(long, value_name = "HEX", value_parser = kid, requires = "import")]
    kid: Option<Vec<u8>>,
    /// Where to write the envelope; in its own place without it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Leave severable members or payloads out.
#[derive(Debug, Args)]
pub(crate) struct Sever {
    /// The envelope
    file: PathBuf,
    /// A member to leave out: coswid, text, install, …; repeatable
    #[arg(long = "member", value_parser = show::suit::severable)]
    members: Vec<Severable>,
    /// Leave the images out and keep the network needs: the form for gateways
    #[arg(long)]
    payloads: bool,
    /// Where to write the envelope
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn sign(command: &Sign, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?;
    let envelope = super::decode(&input)?;
    if let Some(path) = &command.export {
        return export(command, &envelope, path, printer);
    }
    let signed = match &command.import {
        Some(signature) => import(command, &envelope, &Input::read(signature)?)?,
        None => sign_here(command, input.bytes.clone(), printer)?,
    };
    match signed {
        Ok(bytes) => {
            let output = command.output.as_ref().unwrap_or(&command.file);
            files::write(output, &bytes, Mode::Public, printer)?;
            Ok(Answer::Yes)
        }
        Err(refusal) => Ok(printer.answer(Verdict::no(refusal.code(), &refusal))),
    }
}

/// A digest that is not the manifest's is refused: nobody's name goes under it.
fn sign_here(
    command: &Sign,
    mut bytes: Vec<u8>,
    printer: &Printer,
) -> Result<Result<Vec<u8>, Refusal>, Failure> {
    for path in &command.keys {
        bytes = match Signer::open(path)?.approve(&bytes, command.fully_specified, printer)? {
            Ok(signed) => signed,
            Err(refusal) => return Ok(Err(refusal)),
        };
    }
    Ok(Ok(bytes))
}

/// What is to be signed, byte for byte the Sig_structure (RFC 9052, section 4.4), and what that means in words.
fn export(
    command: &Sign,
    envelope: &Envelope<'_>,
    path: &Path,
    printer: &Printer,
) -> Result<Answer, Failure> {
    let algorithm = match (command.keys.as_slice(), command.alg) {
        ([], Some(algorithm)) => algorithm,
        ([key], None) => KeyFile::read(key)?.public.algorithm(),
        _ => {
            return Err(Failure::new("it is not said who will sign")
                .help("give either the public key with --key, or its algorithm with --alg"));
        }
    };
    let headers = SignatureHeaders { kid: None, fully_specified: command.fully_specified };
    let signed = match envelope.to_be_signed(algorithm, &headers) {
        Ok(signed) => signed,
        Err(refusal) => return Ok(printer.answer(Verdict::no(refusal.code(), &refusal))),
    };
    let manifest = envelope.manifest_unverified();
    let manifest =
        manifest.map_err(|error| Failure::new("the manifest is not understood").because(&error))?;
    files::write(path, &signed, Mode::Public, printer)?;
    if !files::is_dash(path) {
        let facts = Map::new()
            .with("manifest_digest", Node::shown(envelope.manifest_digest_claimed()))
            .with("sequence_number", manifest.sequence_number())
            .with("components", Node::list(manifest.common().components()))
            .with("algorithm", Node::shown(algorithm))
            .with("to_be_signed", Node::shown(Digest::of(HashAlgorithm::Sha256, &signed)))
            .with("structure", Node::diagnostic(&signed));
        printer.show(&facts.into());
    }
    Ok(Answer::Yes)
}

/// The signature may name its algorithm in either of two ways, which it covers: whichever verifies is the one.
fn import(
    command: &Sign,
    envelope: &Envelope<'_>,
    signature: &Input,
) -> Result<Result<Vec<u8>, Refusal>, Failure> {
    let [key] = command.keys.as_slice() else {
        return Err(Failure::new("a signature is of one key").help("give its public key with --key"));
    };
    let key = KeyFile::read(key)?;
    let kid = command.kid.clone().unwrap_or_else(|| key.kid());
    let fixed = key
        .public
        .fixed_signature(&signature.bytes)
        .map_err(|error| signature.failure("not a signature of this kind of key", &error))?;
    let attach = |fully_specified| {
        envelope.attach(&key.public, &SignatureHeaders { kid: Some(&kid), fully_specified }, &fixed)
    };
    Ok(match attach(false) {
        Err(Refusal::BadSignature { .. }) => attach(true),
        other => other,
    })
}

fn kid(text: &str) -> Result<Vec<u8>, String> {
    from_hex(text).ok_or_else(|| "expected hexadecimal digits".to_owned())
}

pub(crate) fn sever(command: &Sever, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?;
    let envelope = super::decode(&input)?;
    let present: Vec<Severable> = envelope.severed_members().collect();
    if let Some(member) = command.members.iter().find(|member| !present.contains(member)) {
        return Err(Failure::new(format!("{} carries no severed {member}", input.name))
            .help("only members that the author severed can be left out: see `sever` in docs/recipes.md"));
    }
    let mut bytes = envelope.sever(&command.members);
    if command.payloads {
        bytes = without_images(&bytes).map_err(|error| input.failure("not an envelope any more", &error))?;
    }
    files::write(&command.output, &bytes, Mode::Public, printer)?;
    Ok(Answer::Yes)
}

pub(super) fn without_images(bytes: &[u8]) -> Result<Vec<u8>, suit::Error> {
    let envelope = Envelope::decode(bytes)?;
    let mut stripped = envelope.strip_payloads();
    for uri in [trust::MUD_FILE, trust::MUD_SIGNATURE] {
        if let Some(payload) = envelope.integrated(uri) {
            stripped = Envelope::decode(&stripped)?.with_payload(uri, payload);
        }
    }
    Ok(stripped)
}
