//! The ceremony that changes a list on devices: each root signs on a machine of its own, and the signatures are merged.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use crypto::HashAlgorithm;
use eat::Ueid;
use suit::{AuthorityList, AuthorityUpdate, Role, UpdateProposal, UpdateScope};
use ureq::http::Method;

use super::{class_id, read, vendor_id};
use crate::{
    client::{self, ServerArgs},
    commands::ear::ueid,
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    keys::KeyFile,
    node::{Map, Node},
    printer::{Printer, Verdict},
    show,
};

/// Change the list on devices, by signatures of its roots.
#[derive(Debug, Subcommand)]
pub(crate) enum Update {
    /// Write down a change, to be signed
    New(New),
    /// Sign a change with the key of one root
    Sign(Sign),
    /// Put the signatures of several copies into one
    Merge(Merge),
    /// Say who signed, who is missing, and whether devices would take it
    Verify(Verify),
    /// Give a change to the server, which relays it to devices
    Publish(Publish),
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// The list that devices obey
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// The list that they are to obey; it becomes the version after
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Only for devices of this vendor: a domain name or a UUID
    #[arg(long, value_name = "DOMAIN|UUID")]
    vendor: Option<String>,
    /// Only for devices of this class: a name below the vendor, or a UUID
    #[arg(long, value_name = "NAME|UUID")]
    class: Option<String>,
    /// Only for this device; repeatable
    #[arg(long = "device", value_name = "UEID", value_parser = ueid)]
    devices: Vec<Ueid>,
    /// Where to write the change
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The change, signed by others or by nobody yet
    file: PathBuf,
    /// Private key of a root
    #[arg(long)]
    key: PathBuf,
    /// Where to write the signed change
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// Signed copies of one change
    #[arg(required = true, num_args = 2..)]
    files: Vec<PathBuf>,
    /// Where to write the change with all signatures
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The signed change
    file: PathBuf,
    /// The list that devices obey
    #[arg(long, value_name = "FILE")]
    authorities: PathBuf,
    /// Where to write the list after the change, if it holds
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The signed change
    file: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

/// Where the server takes changes.
const PATH: &str = "/api/v1/authorities/updates";

pub(crate) fn run(command: Update, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Update::New(command) => new(&command, printer),
        Update::Sign(command) => sign(&command, printer),
        Update::Merge(command) => merge(&command, printer),
        Update::Verify(command) => verify(&command, printer),
        Update::Publish(Publish { file, server }) => {
            let input = Input::read(&file)?;
            decode(&input)?;
            let reply = server.client()?.upload::<api::AuthorityUpdate>(
                Method::POST,
                PATH,
                api::COSE,
                &input.bytes,
            )?;
            reply.answer(printer, |accepted| {
                printer.show(&client::tree(&accepted));
                Ok(Answer::Yes)
            })
        }
    }
}

fn new(command: &New, printer: &Printer) -> Result<Answer, Failure> {
    let (present, next) = (read(&command.from)?, read(&command.to)?);
    let vendor = command.vendor.as_deref().map(vendor_id);
    let class = match &command.class {
        Some(class) => Some(class_id(vendor.as_ref(), class)?),
        None => None,
    };
    let devices = command.devices.iter().map(|device| device.as_bytes().to_vec()).collect();
    let scope = UpdateScope { vendor, class, devices };
    let proposal = UpdateProposal::new(&present, next, scope)
        .map_err(|lock_out| Failure::new("devices would refuse this list").because(&lock_out))?;
    // What devices could not read is not worth a signature.
    UpdateProposal::decode(&proposal.encode())
        .map_err(|refusal| Failure::new("devices would refuse this change").because(&refusal))?;
    files::write(&command.output, &proposal.encode(), Mode::Public, printer)?;
    printer.note(needs(&present, proposal.list()));
    Ok(Answer::Yes)
}

fn sign(command: &Sign, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?;
    let (key, kid) = KeyFile::read_secret(&command.key)?;
    let (signed, list) = match AuthorityUpdate::decode(&input.bytes) {
        Ok(update) => {
            let signed = update.sign(&key, &kid);
            let signed = signed.map_err(|error| Failure::new("too many signatures").because(&error))?;
            (signed, update.proposal().list().clone())
        }
        Err(_) => {
            let proposal = UpdateProposal::decode(&input.bytes).map_err(|refusal| {
                input
                    .failure("not a change of an authority list", &refusal)
                    .help("`sextant authority update new` writes one")
            })?;
            (proposal.sign(&key, &kid), proposal.list().clone())
        }
    };
    files::write(&command.output, &signed, Mode::Public, printer)?;
    // Whoever signs sees what.
    printer.note(format!(
        "signed version {} of the list, digest {}",
        list.version(),
        list.digest(HashAlgorithm::Sha256)
    ));
    Ok(Answer::Yes)
}

fn merge(command: &Merge, printer: &Printer) -> Result<Answer, Failure> {
    let inputs: Vec<Input> = command.files.iter().map(|path| Input::read(path)).collect::<Result<_, _>>()?;
    let mut merged: Option<Vec<u8>> = None;
    for input in &inputs {
        let update = decode(input)?;
        merged = Some(match &merged {
            None => input.bytes.clone(),
            Some(so_far) => {
                let so_far = AuthorityUpdate::decode(so_far)
                    .map_err(|refusal| Failure::new("the copies do not merge").because(&refusal))?;
                so_far.merge(&update).map_err(|error| {
                    Failure::new(format!("{} does not go with the others", input.name)).because(&error)
                })?
            }
        });
    }
    files::write(&command.output, &merged.unwrap_or_default(), Mode::Public, printer)?;
    Ok(Answer::Yes)
}

fn verify(command: &Verify, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?;
    let present = read(&command.authorities)?;
    let update = match AuthorityUpdate::decode(&input.bytes) {
        Ok(update) => update,
        Err(refusal) => return Ok(printer.answer(Verdict::no(refusal.code(), &refusal))),
    };
    let facts = tally(&update, &present);
    let verdict = match update.verify(&present, None) {
        Ok(verified) => {
            if let Some(path) = &command.output {
                files::write(path, &verified.list().to_bytes(), Mode::Public, printer)?;
            }
            Verdict::yes(format!(
                "version {} follows version {}",
                verified.list().version(),
                present.version()
            ))
        }
        Err(refusal) => Verdict::no(refusal.code(), &refusal),
    };
    Ok(printer.answer(verdict.with(facts)))
}

/// Who signed, and which roots did not.
fn tally(update: &AuthorityUpdate<'_>, present: &AuthorityList) -> Map {
    let tally = update.tally(present);
    let next = update.proposal().list();
    let signed = tally.seals.iter().map(|seal| match seal {
        Ok(seal) => {
            let of = match (seal.present, seal.next) {
                (true, true) => "root before and after",
                (true, false) => "root before",
                _ => "root after",
            };
            format!("{} ({of})", seal.name)
        }
        Err(refusal) => format!("{refusal} [{}]", refusal.code()),
    });
    let missing = |list: &AuthorityList| {
        let has_signed = |root: &suit::Authority| {
            tally.seals.iter().flatten().any(|seal| Some(&seal.key) == root.key.public())
        };
        let roots = list.members(Role::Root).filter(|root| !has_signed(root));
        Node::list(roots.map(|root| root.name.clone()).collect::<Vec<_>>())
    };
    let count = |(needed, found): (u8, u8)| format!("{found} of {needed} needed");
    Map::new()
        .with("signatures", Node::list(signed.collect::<Vec<_>>()))
        .with("roots_before", count(tally.present))
        .with("not_signed_before", missing(present))
        .with("roots_after", count(tally.next))
        .with("not_signed_after", missing(next))
}

fn needs(present: &AuthorityList, next: &AuthorityList) -> String {
    format!(
        "version {} needs {} signatures by roots of version {}, and {} by its own",
        next.version(),
        present.policy().roots,
        present.version(),
        next.policy().roots
    )
}

fn decode(input: &Input) -> Result<AuthorityUpdate<'_>, Failure> {
    AuthorityUpdate::decode(&input.bytes).map_err(|refusal| {
        input
            .failure("not a signed change of an authority list", &refusal)
            .help("`sextant authority update sign` signs one")
    })
}

/// A change, for people.
pub(crate) fn tree(proposal: &UpdateProposal, signatures: Option<usize>) -> Map {
    let scope = proposal.scope();
    Map::new()
        .with("kind", "change of an authority list")
        .maybe("signatures", signatures.map(|count| count as u64))
        .with("follows", Node::shown(proposal.follows()))
        .maybe("vendor", scope.vendor.map(Node::shown))
        .maybe("class", scope.class.map(Node::shown))
        .unless_empty("devices", Node::list(scope.devices.iter().map(|id| crate::node::hex(id))))
        .with("list", show::authority::tree(proposal.list()))
}

/// A change from a file, signed or not, if it is one.
pub(crate) fn inspect(bytes: &[u8]) -> Option<Map> {
    match AuthorityUpdate::decode(bytes) {
        Ok(update) => Some(tree(update.proposal(), Some(update.signatures()))),
        Err(_) => UpdateProposal::decode(bytes).ok().map(|proposal| tree(&proposal, None)),
    }
}
