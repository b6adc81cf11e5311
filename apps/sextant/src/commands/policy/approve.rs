use std::path::{Path, PathBuf};

use clap::Args;
use crypto::{Digest, HashAlgorithm};
use mud::MudUrl;
use trust::{Approval, Effect, MUD_FILE, Override, Scope};

use super::{hand_out, id};
use crate::{
    client::ServerArgs,
    clock,
    commands::{ear::ueid, suit},
    failure::{Answer, Failure},
    files::Input,
    keys::{self, KeyFile},
    node,
    printer::Printer,
};

#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// The release whose MUD file was read: its envelope, or its manifest digest for every file of its MUD signer
    #[arg(value_name = "FILE|DIGEST", required_unless_present = "mud_url", conflicts_with_all = ["mud_url", "mud_digest"])]
    release: Option<String>,
    /// The MUD URL of devices without attestation whose file was read
    #[arg(long, value_name = "URL", value_parser = mud_url, requires = "mud_digest")]
    mud_url: Option<MudUrl>,
    /// SHA-256 of that file, which the gateway told
    #[arg(long, value_name = "HEX", value_parser = sha256, requires = "mud_url")]
    mud_digest: Option<Digest>,
    /// Let the device with this UEID go over to that URL, instead of letting the file stand for it
    #[arg(long, value_name = "HEX", value_parser = ueid, requires = "mud_url")]
    device: Option<eat::Ueid>,
    /// The same for all devices of another MUD URL
    #[arg(long, value_name = "URL", value_parser = mud_url, requires = "mud_url", conflicts_with = "device")]
    model: Option<MudUrl>,
    /// Private key of the network operator
    #[arg(long)]
    key: PathBuf,
    /// Why
    #[arg(long)]
    reason: String,
    /// Who approves; the login name without it
    #[arg(long, env = "USER", hide_env_values = true)]
    author: String,
    /// How long it holds, from now; afterwards devices reach attestation and update only
    #[arg(long = "for", value_name = "SPAN", value_parser = clock::parse_span)]
    span: i64,
    /// Id of an earlier approval to replace, in hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = id)]
    id: Option<[u8; 16]>,
    /// Where to write the signed approval; without it, it goes to the server
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(command: Approve, printer: &Printer) -> Result<Answer, Failure> {
    let (scope, effect) = approved(&command)?;
    let (key, _) = KeyFile::read_secret(&command.key)?;
    let now = clock::now();
    let content = Override {
        id: match command.id {
            Some(id) => id,
            None => keys::random()?,
        },
        scope,
        effect,
        author: command.author,
        reason: command.reason,
        not_before: now,
        expires: now.saturating_add(command.span),
    };
    hand_out(&content, &key, command.output.as_deref(), &command.server, printer)
}

/// What is approved, and for whom.
fn approved(command: &Approve) -> Result<(Scope, Effect), Failure> {
    if let (Some(url), Some(file)) = (&command.mud_url, command.mud_digest) {
        let scope = match (&command.device, &command.model) {
            (Some(device), _) => Scope::Device(device.as_bytes().to_vec()),
            (None, Some(model)) => Scope::Model(model.to_string()),
            (None, None) => Scope::Site,
        };
        return Ok((scope, Effect::ApproveFile { url: url.to_string(), file }));
    }
    let release = command.release.as_deref().ok_or_else(|| Failure::new("nothing to approve is named"))?;
    Ok((Scope::Site, Effect::Approve(approval(release)?)))
}

fn mud_url(text: &str) -> Result<MudUrl, String> {
    MudUrl::parse(text).ok_or_else(|| "expected an https URL".to_owned())
}

fn sha256(text: &str) -> Result<Digest, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let digest = node::from_hex(digits).and_then(|bytes| Digest::new(HashAlgorithm::Sha256, &bytes));
    digest.ok_or_else(|| "expected the 64 digits of a SHA-256 digest".to_owned())
}

/// What a person approves: the digest they were told, or the release and MUD file in an envelope. Who signed the
/// envelope is for gateways to judge: for a forged one the approval is good for nothing.
fn approval(text: &str) -> Result<Approval, Failure> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let digest = node::from_hex(digits).and_then(|bytes| Digest::new(HashAlgorithm::Sha256, &bytes));
    if let Some(release) = digest {
        return Ok(Approval { release, file: None });
    }
    let input = Input::read(Path::new(text))?;
    let envelope = suit::decode(&input)?;
    let file = envelope.integrated(MUD_FILE).ok_or_else(|| {
        Failure::new(format!("{} carries no MUD file to approve", input.name))
            .help("a release that asks the network for nothing needs no approval")
    })?;
    Ok(Approval {
        release: envelope.manifest_digest_claimed(),
        file: Some(Digest::of(HashAlgorithm::Sha256, file)),
    })
}
