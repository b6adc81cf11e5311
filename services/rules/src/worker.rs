use std::io::{Read, Result, Write};

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::{
    engine::Engines,
    frame::{self, Question, Reply},
};

/// Memory that a worker may take, in bytes.
pub const MAX_MEMORY: u64 = 512 << 20;

/// Answers questions until there are no more. Give a process to nothing else: from here on it can open no file and gets
/// little memory; rules may bring it down.
///
/// # Errors
/// Where a pipe breaks, or the limits cannot be set: without them nothing is answered.
pub fn work(mut input: impl Read, mut output: impl Write) -> Result<()> {
    let limits = [
        (Resource::As, MAX_MEMORY),
        (Resource::Nofile, 0),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Nproc, 0),
    ];
    for (resource, most) in limits {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    let mut engines = Engines::new();
    while let Some(frame) = frame::read(&mut input)? {
        let reply = match serde_json::from_slice(&frame) {
            Ok(question) => answer(&mut engines, question).unwrap_or_else(Reply::Failed),
            Err(error) => Reply::Failed(error.to_string()),
        };
        frame::write(&mut output, &reply)?;
    }
    Ok(())
}

fn answer(
    engines: &mut Engines,
    Question { rules, input }: Question<'_>,
) -> std::result::Result<Reply, String> {
    let Some(input) = input else { return engines.names(&rules).map(Reply::Read) };
    let said = engines.apply(&rules, &input.to_string())?;
    let said = said.to_json_str().map_err(|error| error.to_string())?;
    serde_json::from_str(&said).map(Reply::Said).map_err(|error| error.to_string())
}
