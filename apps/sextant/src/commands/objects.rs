//! What the verbs of those objects have in common that a server keeps under the digest of their bytes.

use std::path::PathBuf;

use clap::Args;
use serde::{Serialize, de::DeserializeOwned};
use ureq::http::Method;

use crate::{
    client::{Client, Reply, ServerArgs, segment, tree},
    failure::{Answer, Failure},
    files::{self, Mode},
    printer::Printer,
};

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The object
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// SHA-256 of the object in hexadecimal digits
    digest: String,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// SHA-256 of the object in hexadecimal digits
    digest: String,
    /// Where to write it
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

/// Gives an object to the server, and shows what it makes of it.
pub(crate) fn add<T: DeserializeOwned + Serialize>(
    path: &str,
    media_type: &str,
    bytes: &[u8],
    server: &ServerArgs,
    printer: &Printer,
) -> Result<Answer, Failure> {
    let reply = server.client()?.upload::<T>(Method::POST, path, media_type, bytes)?;
    reply.answer(printer, |object| {
        printer.show(&tree(&object));
        Ok(Answer::Yes)
    })
}

/// Shows one of the objects below a path.
pub(crate) fn show<T: DeserializeOwned + Serialize>(
    path: &str,
    Show { digest, server }: &Show,
    printer: &Printer,
) -> Result<Answer, Failure> {
    server.client()?.get::<T>(&below(path, digest))?.answer(printer, |object| {
        printer.show(&tree(&object));
        Ok(Answer::Yes)
    })
}

/// Fetches one of them as it was received.
pub(crate) fn fetch(
    path: &str,
    Fetch { digest, output, server }: &Fetch,
    printer: &Printer,
) -> Result<Answer, Failure> {
    download(path, digest, &server.client()?)?.answer(printer, |bytes| {
        files::write(output, &bytes, Mode::Public, printer)?;
        Ok(Answer::Yes)
    })
}

/// The bytes of one of them, as it was received.
pub(crate) fn download(path: &str, digest: &str, client: &Client) -> Result<Reply<Vec<u8>>, Failure> {
    client.download(&format!("{}/object", below(path, digest)))
}

/// Has something done with one of them that is done once, such as to take it back.
pub(crate) fn act(
    path: &str,
    Show { digest, server }: &Show,
    verb: &str,
    printer: &Printer,
) -> Result<Answer, Failure> {
    let path = format!("{}/{verb}", below(path, digest));
    server.client()?.send::<()>(Method::POST, &path, &())?.answer(printer, |()| Ok(Answer::Yes))
}

fn below(path: &str, digest: &str) -> String {
    // The same digest is shown with the name of its algorithm elsewhere.
    format!("{path}/{}", segment(digest.strip_prefix("sha256:").unwrap_or(digest)))
}
