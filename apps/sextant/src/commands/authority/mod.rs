mod update;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use cose::MacKey;
use crypto::HashAlgorithm;
use suit::{AuthorityKey, AuthorityList, AuthorityPolicy, ComponentId, Role, Rule, Uuid};
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

pub(crate) use update::{Update, inspect as inspect_update};

/// Keep the list of keys that may sign manifests.
#[derive(Debug, Subcommand)]
pub(crate) enum Authority {
    /// Begin a list
    New(New),
    /// Add a key with its role and scope
    Add(Add),
    /// Remove keys by name
    Remove(Remove),
    /// Ask for more signatures than the policy of the list does
    Rule(NewRule),
    /// Show a list
    Ls(Ls),
    /// Give the list to the server, which accepts releases by it from then on
    Publish(Publish),
    /// Fetch the list that the server accepts releases by
    Fetch(Fetch),
    /// Change the list on devices, by signatures of its roots
    #[command(subcommand)]
    Update(Update),
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
    /// How far a sequence number may be ahead of the installed one; further only with the roots' signatures
    #[arg(long, value_name = "N")]
    max_sequence_jump: Option<u64>,
    /// How many different roots must sign a change of the list
    #[arg(long, default_value_t = 1)]
    roots: u8,
    /// Let authors use keys that they share with devices: whoever has one, each device too, can author
    #[arg(long)]
    shared_keys: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The list; it is changed in place
    list: PathBuf,
    /// The public key, in any form; of a shared HMAC key the list keeps the identifier alone
    #[arg(long)]
    key: PathBuf,
    /// What the holder of the key does: author, operator, distributor, root, or the name of another party
    #[arg(long)]
    role: Role,
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

#[derive(Debug, Args)]
pub(crate) struct NewRule {
    /// The list; it is changed in place
    list: PathBuf,
    /// Whose signatures: author, operator, root, or the name of another party
    #[arg(long)]
    role: Role,
    /// How many of their keys must sign; none drops the rule
    #[arg(long, default_value_t = 1, value_name = "N")]
    signatures: u8,
    /// Only for manifests that change this component or one below it, and by keys that may
    #[arg(long, value_name = "ID")]
    component: Option<ComponentId>,
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
            let New { authors, operators, max_sequence_jump, roots, shared_keys, output } = command;
            let policy = AuthorityPolicy { authors, operators, max_sequence_jump, roots, shared_keys };
            let list = AuthorityList::new(policy, Vec::new()).map_err(refused)?;
            files::write(&output, &list.to_bytes(), Mode::Public, printer)?;
        }
        Authority::Add(command) => add(&command, printer)?,
        Authority::Remove(Remove { list: path, name }) => {
            let list = read(&path)?;
            let kept: Vec<_> = list.entries().iter().filter(|entry| entry.name != name).cloned().collect();
            if kept.len() == list.entries().len() {
                return Err(Failure::new(format!("{} has no key named {name}", path.display()))
                    .help("`sextant authority ls` shows the names"));
            }
            files::write(&path, &with_entries(&list, kept)?.to_bytes(), Mode::Public, printer)?;
        }
        Authority::Rule(NewRule { list: path, role, signatures, component: components }) => {
            let list = read(&path)?;
            let mut rules = list.rules().to_vec();
            rules.retain(|rule| rule.role != role || rule.components != components);
            if signatures > 0 {
                rules.push(Rule { role, signatures, components });
            }
            let list = list.with_rules(rules).map_err(refused)?;
            files::write(&path, &list.to_bytes(), Mode::Public, printer)?;
        }
        Authority::Update(command) => return update::run(command, printer),
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

pub(crate) fn parse_uuid(text: &str) -> Option<Uuid> {
    let hyphens: Vec<usize> = text.match_indices('-').map(|(at, _)| at).collect();
    if text.len() != 36 || hyphens != [8, 13, 18, 23] {
        return None;
    }
    let bytes: [u8; 16] = from_hex(&text.replace('-', ""))?.try_into().ok()?;
    Some(Uuid::from(bytes))
}

fn add(command: &Add, printer: &Printer) -> Result<(), Failure> {
    let list = read(&command.list)?;
    let input = Input::read(&command.key)?;
    let mut entry = match MacKey::decode_named(&input.bytes) {
        Ok((key, kid)) => {
            printer.warning("whoever has the shared key can author for all devices that have it");
            suit::Authority {
                role: command.role,
                ..suit::Authority::shared(key.algorithm(), &kid, &command.name)
            }
        }
        Err(_) => {
            let key = KeyFile::decode(&input.bytes).map_err(|error| error.failure(&input))?;
            suit::Authority::new(key.public.clone(), &key.kid(), &command.name, command.role)
        }
    };
    entry.vendor = command.vendor.as_deref().map(vendor_id);
    entry.class = match &command.class {
        Some(class) => Some(class_id(entry.vendor.as_ref(), class)?),
        None => None,
    };
    entry.components.clone_from(&command.components);
    let entries = list.entries().iter().cloned().chain([entry]).collect();
    files::write(&command.list, &with_entries(&list, entries)?.to_bytes(), Mode::Public, printer)
}

/// The same list with other keys.
fn with_entries(list: &AuthorityList, entries: Vec<suit::Authority>) -> Result<AuthorityList, Failure> {
    let changed = AuthorityList::new(*list.policy(), entries)
        .and_then(|changed| changed.with_version(list.version()).with_rules(list.rules().to_vec()));
    changed.map_err(refused)
}

fn refused(error: suit::AuthorityError) -> Failure {
    Failure::new("this list would be refused").because(&error)
}

fn ls(list: &AuthorityList, printer: &Printer) {
    let row = |entry: &suit::Authority| {
        let (algorithm, thumbprint) = match &entry.key {
            AuthorityKey::Public(key) => {
                (key.algorithm().to_string(), keys::short(&cose::thumbprint(key, HashAlgorithm::Sha256)))
            }
            AuthorityKey::Shared(name) => (show::authority::shared_algorithm(name), String::new()),
        };
        vec![entry.name.clone(), entry.role.to_string(), algorithm, thumbprint, show::authority::scope(entry)]
    };
    let rows: Vec<_> = list.entries().iter().map(row).collect();
    let whole = crate::node::Node::from(show::authority::tree(list));
    printer.table(&["name", "role", "algorithm", "thumbprint", "scope"], &rows, &whole);
    let policy = list.policy();
    printer.note(format!(
        "version {}; signatures needed: {} author, {} operator; {} root for a change of the list",
        list.version(),
        policy.authors,
        policy.operators,
        policy.roots
    ));
    for rule in list.rules() {
        printer.note(format!("and {}", show::authority::rule(rule)));
    }
    if let Some(lock_out) = list.lock_out() {
        printer.warning(format!("no device takes this list: {lock_out}"));
    }
}
