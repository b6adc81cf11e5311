use std::path::PathBuf;

use clap::{Args, Subcommand};
use trust::{Effect, Flow, Override, Scope};
use ureq::http::Method;

use crate::{
    client::{ServerArgs, tree},
    clock,
    commands::{
        ear::ueid,
        mud::{FlowText, flow},
    },
    failure::{Answer, Failure},
    files::{self, Mode},
    keys::{self, KeyFile},
    node::{Map, Node},
    printer::Printer,
};

/// Override network policy.
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Sign an override, and give it to the server to relay to the gateways, which verify it
    Override(Box<New>),
    /// List overrides that the server relays
    Overrides(Ls),
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// Private key of the network operator
    #[arg(long)]
    key: PathBuf,
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    effect: EffectArgs,
    /// Why
    #[arg(long)]
    reason: String,
    /// Who wants it; the login name without it
    #[arg(long, env = "USER", hide_env_values = true)]
    author: String,
    /// How long it holds, from now
    #[arg(long = "for", value_name = "SPAN", value_parser = clock::parse_span)]
    span: i64,
    /// Id of an earlier override to replace, in hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = id)]
    id: Option<[u8; 16]>,
    /// Where to write the signed override; without it, it goes to the server
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ScopeArgs {
    /// The device with this UEID
    #[arg(long, value_name = "HEX", value_parser = ueid)]
    device: Option<eat::Ueid>,
    /// Devices whose release binds this MUD URL
    #[arg(long, value_name = "URL")]
    model: Option<String>,
    /// Every device of the site
    #[arg(long)]
    site: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct EffectArgs {
    /// Close a flow, such as `from-device tcp 203.0.113.0/24:443`
    #[arg(long, value_name = "FLOW", value_parser = flow)]
    deny: Option<FlowText>,
    /// Open a flow, such as `from-device udp time.example:123`
    #[arg(long, value_name = "FLOW", value_parser = flow)]
    allow: Option<FlowText>,
    /// Leave one entry of the MUD file out
    #[arg(long, value_name = "ACL/ACE")]
    ignore: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(command: Policy, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Policy::Override(command) => new(*command, printer),
        Policy::Overrides(Ls { server }) => {
            server.client()?.get::<Vec<api::Override>>("/api/v1/overrides")?.answer(printer, |overrides| {
                let row = |one: &api::Override| {
                    vec![one.scope.clone(), one.not_before.clone(), one.expires.clone(), one.reason.clone()]
                };
                let rows: Vec<_> = overrides.iter().map(row).collect();
                printer.table(&["scope", "from", "until", "reason"], &rows, &overrides);
                Ok(Answer::Yes)
            })
        }
    }
}

fn new(command: New, printer: &Printer) -> Result<Answer, Failure> {
    let (key, _) = KeyFile::read_secret(&command.key)?;
    let now = clock::now();
    let content = Override {
        id: match command.id {
            Some(id) => id,
            None => keys::random()?,
        },
        scope: scope(command.scope),
        effect: effect(command.effect)?,
        author: command.author,
        reason: command.reason,
        not_before: now,
        expires: now.saturating_add(command.span),
    };
    // What gateways would refuse is refused here, before anybody signs it.
    Override::decode(&content.encode())
        .map_err(|error| Failure::new("gateways would refuse this override").because(&error))?;
    let signed = content.sign(&key);
    if let Some(path) = &command.output {
        files::write(path, &signed, Mode::Public, printer)?;
        if !command.server.is_given() {
            return Ok(Answer::Yes);
        }
    }
    let client = command.server.client()?;
    let reply = client.upload::<serde_json::Value>(Method::POST, "/api/v1/overrides", api::COSE, &signed)?;
    reply.answer(printer, |accepted| {
        printer.show(&tree(&accepted));
        Ok(Answer::Yes)
    })
}

fn scope(args: ScopeArgs) -> Scope {
    match (args.device, args.model) {
        (Some(ueid), _) => Scope::Device(ueid.as_bytes().to_vec()),
        (None, Some(url)) => Scope::Model(url),
        (None, None) => Scope::Site,
    }
}

fn effect(args: EffectArgs) -> Result<Effect, Failure> {
    let flow = |text: FlowText| {
        let FlowText { direction, protocol, remote, family, ports } = text;
        Flow { direction, family, protocol, remote, ports }
    };
    match (args.deny, args.allow, args.ignore) {
        (Some(text), ..) => Ok(Effect::Deny(flow(text))),
        (_, Some(text), _) => Ok(Effect::Allow(flow(text))),
        (.., entry) => {
            let entry = entry.unwrap_or_default();
            let (acl, ace) = entry.split_once('/').ok_or_else(|| {
                Failure::new(format!("`{entry}` names no entry"))
                    .help("`sextant mud compile` shows them as list/entry")
            })?;
            Ok(Effect::Ignore { acl: acl.to_owned(), ace: ace.to_owned() })
        }
    }
}

/// An override, which nobody vouches for.
pub(crate) fn tree_of(content: &Override) -> Map {
    let scope = match &content.scope {
        Scope::Site => "site".to_owned(),
        Scope::Device(ueid) => format!("device {}", crate::node::hex(ueid)),
        Scope::Model(url) => format!("model {url}"),
    };
    let effect = match &content.effect {
        Effect::Deny(flow) => format!("deny {}", flow_words(flow)),
        Effect::Allow(flow) => format!("allow {}", flow_words(flow)),
        Effect::Ignore { acl, ace } => format!("ignore {acl}/{ace}"),
    };
    Map::new()
        .with("id", Node::hex(&content.id))
        .with("scope", scope)
        .with("effect", effect)
        .with("author", content.author.as_str())
        .with("reason", content.reason.as_str())
        .with("not_before", clock::date(content.not_before))
        .with("expires", clock::date(content.expires))
}

fn flow_words(flow: &Flow) -> String {
    let ports = match flow.ports {
        Some((low, high)) if low == high => format!(" port {low}"),
        Some((low, high)) => format!(" ports {low}-{high}"),
        None => String::new(),
    };
    format!("{} {} {} {}{ports}", flow.direction.name(), flow.family.name(), flow.protocol, flow.remote)
}

fn id(text: &str) -> Result<[u8; 16], String> {
    let bytes = crate::node::from_hex(text).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| "expected 16 bytes in hexadecimal digits".to_owned())
}
