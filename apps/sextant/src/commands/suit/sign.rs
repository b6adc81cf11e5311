use std::path::PathBuf;

use clap::Args;
use suit::{Envelope, Severable};

use crate::{
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    keys::KeyFile,
    printer::{Printer, Verdict},
    show,
};

/// Add a signature.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The envelope
    file: PathBuf,
    /// Private key to sign with; repeatable
    #[arg(long = "key", required = true, value_name = "KEY")]
    keys: Vec<PathBuf>,
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
    super::decode(&input)?;
    let mut bytes = input.bytes;
    for path in &command.keys {
        let (key, kid) = KeyFile::read_secret(path)?;
        let envelope =
            Envelope::decode(&bytes).map_err(|error| Failure::new("too many signatures").because(&error))?;
        // A digest that is not the manifest's is refused here: nobody's name goes under it.
        bytes = match envelope.sign(&key, Some(&kid)) {
            Ok(signed) => signed,
            Err(refusal) => return Ok(printer.answer(Verdict::no(refusal.code(), &refusal))),
        };
    }
    let output = command.output.as_ref().unwrap_or(&command.file);
    files::write(output, &bytes, Mode::Public, printer)?;
    Ok(Answer::Yes)
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

fn without_images(bytes: &[u8]) -> Result<Vec<u8>, suit::Error> {
    let envelope = Envelope::decode(bytes)?;
    let mut stripped = envelope.strip_payloads();
    for uri in [trust::MUD_FILE, trust::MUD_SIGNATURE] {
        if let Some(payload) = envelope.integrated(uri) {
            stripped = Envelope::decode(&stripped)?.with_payload(uri, payload);
        }
    }
    Ok(stripped)
}
