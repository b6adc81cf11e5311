use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use suit::{AuthorityList, AuthorityPolicy, ComponentId, Role, Uuid};
use ureq::http::Method;

use crate::{
    client::ServerArgs,
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    keys::{self, KeyFile},
    node::from_hex,
    printer::Printer,
    show,
};

/// Keep the list of keys that may sign manifests.
#[derive(Debug, Subcommand)]
pub(crate) enum Authority {
    /// Begin a list
    New(New),
    /// Add a key with its role and scope
    Add(Add),
    /// Remove keys by name
    Remove(Remove),
    /// Show a list
    Ls(Ls),
    /// Give the list to the server, which accepts releases by it from then on
    Publish(Publish),
    /// Fetch the list that the server accepts releases by
    Fetch(Fetch),
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// Where to write the list
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// How many different authors must sign
    #[arg(long, default_value_t = 1)]
    authors: u8,
    /// How many different operators must sign besides
    #[arg(long, default_value_t = 0)]
    operators: u8,
    /// How far a sequence number may be ahead of the installed one
    #[arg(long, value_name = "N")]
    max_sequence_jump: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The list; it is changed in place
    list: PathBuf,
    /// The public key, in any form
    #[arg(long)]
    key: PathBuf,
    /// What the holder of the key does
    #[arg(long)]
    role: RoleName,
    /// Its name for people
    #[arg(long)]
    name: String,
    /// The only vendor it may sign for: a domain name or a UUID
    #[arg(long, value_name = "DOMAIN|UUID")]
    vendor: Option<String>,
    /// The only class of device it may sign for: a name below the vendor, or a UUID
    #[arg(long, value_name = "NAME|UUID")]
    class: Option<String>,
    /// A component it may change, with all below it; repeatable
    #[arg(long = "component", value_name = "ID")]
    components: Vec<ComponentId>,
}

/// Roles on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleName {
    /// Makes the software
    Author,
    /// Owns the devices
    Operator,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The list; it is changed in place
    list: PathBuf,
    /// Name of the keys to remove
    #[arg(long)]
    name: String,
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// The list
    list: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The list
    list: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// Where to write the list
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

/// Where the server keeps its list.
const PATH: &str = "/api/v1/authorities";

pub(crate) fn run(command: Authority, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Authority::New(command) => {
            let New { authors, operators, max_sequence_jump, .. } = command;
            let list = make(AuthorityPolicy { authors, operators, max_sequence_jump }, Vec::new())?;
            files::write(&command.output, &list.to_bytes(), Mode::Public, printer)?;
        }
        Authority::Add(command) => add(&command, printer)?,
        Authority::Remove(Remove { list: path, name }) => {
            let list = read(&path)?;
            let kept: Vec<_> = list.entries().iter().filter(|entry| entry.name != name).cloned().collect();
            if kept.len() == list.entries().len() {
                return Err(Failure::new(format!("{} has no key named {name}", path.display()))
                    .help("`sextant authority ls` shows the names"));
            }
            files::write(&path, &make(*list.policy(), kept)?.to_bytes(), Mode::Public, printer)?;
        }
        Authority::Ls(Ls { list }) => ls(&read(&list)?, printer),
        Authority::Publish(Publish { list, server }) => {
            let bytes = read(&list)?.to_bytes();
            let reply = server.client()?.upload::<()>(Method::PUT, PATH, api::AUTHORITIES, &bytes)?;
            return reply.answer(printer, |()| Ok(Answer::Yes));
        }
        Authority::Fetch(Fetch { output, server }) => {
            let reply = server.client()?.get::<api::AuthoritiesVersion>(PATH)?;
            return reply.answer(printer, |version| {
                files::write(&output, &version.list.0, Mode::Public, printer)?;
                printer.note(format!("version {} of {}, by {}", version.version, version.at, version.actor));
                Ok(Answer::Yes)
            });
        }
    }
    Ok(Answer::Yes)
}

/// Reads a list.
pub(crate) fn read(path: &Path) -> Result<AuthorityList, Failure> {
    let input = Input::read(path)?;
    AuthorityList::decode(&input.bytes).map_err(|error| {
        Failure::new(format!("{}: not an authority list", input.name))
            .because(&error)
            .help("`sextant authority new` begins one")
    })
}

/// Reads a vendor: a UUID, or a domain name from which the recommended one is made.
pub(crate) fn vendor_id(text: &str) -> Uuid {
    parse_uuid(text).unwrap_or_else(|| Uuid::vendor(text))
}

/// Reads a class: a UUID, or a name below a vendor.
pub(crate) fn class_id(vendor: Option<&Uuid>, text: &str) -> Result<Uuid, Failure> {
    match (parse_uuid(text), vendor) {
        (Some(uuid), _) => Ok(uuid),
        (None, Some(vendor)) => Ok(Uuid::class(vendor, text.as_bytes())),
        (None, None) => Err(Failure::new(format!("class `{text}` is a name, and names belong to a vendor"))
            .help("give the vendor too, or the UUID of the class")),
    }
}

fn parse_uuid(text: &str) -> Option<Uuid> {
    let hyphens: Vec<usize> = text.match_indices('-').map(|(at, _)| at).collect();
    if text.len() != 36 || hyphens != [8, 13, 18, 23] {
        return None;
    }
    let bytes: [u8; 16] = from_hex(&text.replace('-', ""))?.try_into().ok()?;
    Some(Uuid::from(bytes))
}

fn add(command: &Add, printer: &Printer) -> Result<(), Failure> {
    let list = read(&command.list)?;
    let key = KeyFile::read(&command.key)?;
    let role = match command.role {
        RoleName::Author => Role::Author,
        RoleName::Operator => Role::Operator,
    };
    let mut entry = suit::Authority::new(key.public.clone(), &key.kid(), &command.name, role);
    entry.vendor = command.vendor.as_deref().map(vendor_id);
    entry.class = match &command.class {
        Some(class) => Some(class_id(entry.vendor.as_ref(), class)?),
        None => None,
    };
    entry.components.clone_from(&command.components);
    let entries = list.entries().iter().cloned().chain([entry]).collect();
    files::write(&command.list, &make(*list.policy(), entries)?.to_bytes(), Mode::Public, printer)
}

fn make(policy: AuthorityPolicy, entries: Vec<suit::Authority>) -> Result<AuthorityList, Failure> {
    AuthorityList::new(policy, entries)
        .map_err(|error| Failure::new("this list would be refused").because(&error))
}

fn ls(list: &AuthorityList, printer: &Printer) {
    let row = |entry: &suit::Authority| {
        let thumbprint = cose::thumbprint(&entry.key, crypto::HashAlgorithm::Sha256);
        vec![
            entry.name.clone(),
            entry.role.to_string(),
            entry.key.algorithm().to_string(),
            keys::short(&thumbprint),
            show::authority::scope(entry),
        ]
    };
    let rows: Vec<_> = list.entries().iter().map(row).collect();
    let whole = crate::node::Node::from(show::authority::tree(list));
    printer.table(&["name", "role", "algorithm", "thumbprint", "scope"], &rows, &whole);
    let policy = list.policy();
    printer.note(format!("signatures needed: {} author, {} operator", policy.authors, policy.operators));
}
