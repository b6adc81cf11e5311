use std::path::PathBuf;

use clap::Args;

use crate::{
    detect,
    failure::{Answer, Failure},
    files::Input,
    legacy::Legacy,
    printer::Printer,
};

/// Show any supported object, detected from its content.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The object, in bytes or hexadecimal digits
    file: PathBuf,
    /// Show CBOR in diagnostic notation instead
    #[arg(long, conflicts_with = "legacy")]
    diagnostic: bool,
    #[command(flatten)]
    legacy: Legacy,
}

pub(crate) fn run(command: Inspect, printer: &Printer) -> Result<Answer, Failure> {
    let tree = if command.legacy.is_on() {
        command.legacy.tree(&command.file)?
    } else {
        let input = Input::read(&command.file)?;
        if command.diagnostic { detect::diagnostic(&input)? } else { detect::tree(&input)? }
    };
    printer.show(&tree.into());
    Ok(Answer::Yes)
}
