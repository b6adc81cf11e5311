use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use crypto::{HashAlgorithm, SigningKey};
use mud::IpPrefix;
use trust::{Access, Approval, Cap, Effect, Flow, MAX_CLASS_MEMBERS, Override, RequiredScan, Scope};
use ureq::http::Method;

use crate::{
    client::{self, ServerArgs},
    clock,
    commands::{
        authority,
        ear::ueid,
        mud::{FlowText, flow},
    },
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    keys::{self, KeyFile},
    node::{Map, Node},
    printer::Printer,
};

mod approve;

/// Write policies and override network policy.
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Sign an override, and give it to the server to relay to the gateways, which verify it
    Override(Box<Overriding>),
    /// Sign the approval of a release whose network needs are broad, and give it to the server to relay
    Approve(Box<approve::Approve>),
    /// List overrides and approvals that the server relays
    Overrides(Ls),
    /// Write an appraisal and posture policy
    New(Rules),
    /// Show an appraisal and posture policy
    Show(Shown),
}

#[derive(Debug, Args)]
pub(crate) struct Overriding {
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
    /// Say who is in a class of controllers, such as `urn:ietf:params:mud:ntp=192.0.2.1,192.0.2.2` or `my-controller=10.0.0.7`
    #[arg(long, value_name = "CLASS=PREFIXES", value_parser = class)]
    class: Option<ClassText>,
    /// Only observe: what a trusted device starts although its release does not declare it passes and is told, for 31 days
    /// at most. What the operator denies, other resolvers and the gateway's own services stay closed
    #[arg(long)]
    observe: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    server: ServerArgs,
}

/// Rules that differ from the default ones.
#[derive(Debug, Args)]
pub(crate) struct Rules {
    /// How long an attestation result is good for
    #[arg(long, value_name = "SPAN", value_parser = clock::parse_span)]
    result_lifetime: Option<i64>,
    /// How long a release stays acceptable after its successor came out
    #[arg(long, value_name = "SPAN", value_parser = clock::parse_span)]
    supersede_grace: Option<i64>,
    /// How long a dropped packet marks a device as violating
    #[arg(long, value_name = "SPAN", value_parser = clock::parse_span)]
    violation_window: Option<i64>,
    /// How many dropped packets in that time mark it
    #[arg(long, value_name = "N")]
    violation_threshold: Option<u64>,
    /// Cut violating devices to updates: the same as --violating-access update-only
    #[arg(long, conflicts_with = "violating_access")]
    restrict_violating: bool,
    /// The most that a violating device may reach
    #[arg(long, value_name = "ACCESS")]
    violating_access: Option<AccessName>,
    /// How many devices of one model may be cut for violations within an hour: so many, or that share of the model where
    /// it is more, such as `5,10%`
    #[arg(long, value_name = "N[,PERCENT]", value_parser = cap)]
    violation_cap: Option<Cap>,
    /// What an untrusted device may reach: update-only or less
    #[arg(long, value_name = "ACCESS")]
    untrusted_access: Option<AccessName>,
    /// What a device may reach whose result ended: update-only or restricted
    #[arg(long, value_name = "ACCESS")]
    stale_access: Option<AccessName>,
    /// Trust devices whose debug port is open
    #[arg(long)]
    allow_debug: bool,
    /// Trust devices that run components which their release does not contain
    #[arg(long)]
    allow_extra_components: bool,
    /// Believe MUD signers only with a certificate of the site's own anchors
    #[arg(long)]
    require_mud_anchor: bool,
    /// What a device with an outdated release may reach
    #[arg(long, value_name = "ACCESS")]
    outdated_access: Option<AccessName>,
    /// An authority list that trusted devices may obey, and no other; repeatable
    #[arg(long, value_name = "FILE")]
    authorities: Vec<PathBuf>,
    /// A statement without which no release is deployed: that a scan found nothing, signed with this key, by any tool
    /// or by the one of this name; repeatable
    #[arg(long, value_name = "FILE[=TOOL]")]
    require_scan: Vec<String>,
    /// Where to write the policy
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Accesses on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum AccessName {
    /// Nothing, and off the link
    Ejected,
    /// Nothing at all
    Blocked,
    /// Attestation and update
    UpdateOnly,
    /// Nothing new but attestation and update; what runs by its release goes on
    Restricted,
    /// The flows that its release declares
    Release,
}

impl AccessName {
    const fn access(self) -> Access {
        match self {
            Self::Ejected => Access::Ejected,
            Self::Blocked => Access::Blocked,
            Self::UpdateOnly => Access::UpdateOnly,
            Self::Restricted => Access::Restricted,
            Self::Release => Access::Release,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Shown {
    /// The policy
    file: PathBuf,
}

pub(crate) fn run(command: Policy, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Policy::Override(command) => override_policy(*command, printer),
        Policy::Approve(command) => approve::run(*command, printer),
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
        Policy::New(rules) => {
            let policy = policy(&rules)?;
            // The span limits are those of the reader.
            trust::Policy::decode(&policy.encode())
                .map_err(|error| Failure::new("this policy would be refused").because(&error))?;
            files::write(&rules.output, &policy.encode(), Mode::Public, printer)?;
            printer.note(format!("policy {}", policy.digest()));
            Ok(Answer::Yes)
        }
        Policy::Show(Shown { file }) => {
            printer.show(&rules_tree(&read(&file)?).into());
            Ok(Answer::Yes)
        }
    }
}

/// Reads an appraisal and posture policy.
pub(crate) fn read(path: &Path) -> Result<trust::Policy, Failure> {
    let input = Input::read(path)?;
    trust::Policy::decode(&input.bytes)
        .map_err(|error| input.failure("not a policy", &error).help("`sextant policy new` writes one"))
}

fn policy(rules: &Rules) -> Result<trust::Policy, Failure> {
    let usual = trust::Policy::default();
    let digest = |path: &PathBuf| Ok(authority::read(path)?.digest(HashAlgorithm::Sha256));
    Ok(trust::Policy {
        result_lifetime: rules.result_lifetime.unwrap_or(usual.result_lifetime),
        supersede_grace: rules.supersede_grace.unwrap_or(usual.supersede_grace),
        allow_debug: rules.allow_debug,
        allow_extra_components: rules.allow_extra_components,
        require_mud_anchor: rules.require_mud_anchor,
        violation_window: rules.violation_window.unwrap_or(usual.violation_window),
        violation_threshold: rules.violation_threshold.unwrap_or(usual.violation_threshold),
        violating_access: match rules.violating_access {
            None if rules.restrict_violating => Access::UpdateOnly,
            named => named.map_or(usual.violating_access, AccessName::access),
        },
        violation_cap: rules.violation_cap.unwrap_or(usual.violation_cap),
        outdated_access: rules.outdated_access.map_or(usual.outdated_access, AccessName::access),
        untrusted_access: rules.untrusted_access.map_or(usual.untrusted_access, AccessName::access),
        stale_access: rules.stale_access.map_or(usual.stale_access, AccessName::access),
        authorities: rules.authorities.iter().map(digest).collect::<Result<_, _>>()?,
        // Those of a server are given to it, and come and go while it runs.
        rules: usual.rules,
        scans: rules.require_scan.iter().map(|text| required_scan(text)).collect::<Result<_, _>>()?,
    })
}

/// A key file, and the name of a tool where one is given.
fn required_scan(text: &str) -> Result<RequiredScan, Failure> {
    let (path, tool) = match text.split_once('=') {
        Some((path, tool)) => (path, Some(tool.to_owned())),
        None => (text, None),
    };
    let key = KeyFile::read(Path::new(path))?.public;
    Ok(RequiredScan { key: cose::thumbprint(&key, HashAlgorithm::Sha256), tool })
}

/// A policy with every rule.
pub(crate) fn rules_tree(policy: &trust::Policy) -> Map {
    Map::new()
        .with("kind", "appraisal and posture policy")
        .with("digest", Node::shown(policy.digest()))
        .with("result_lifetime", policy.result_lifetime)
        .with("supersede_grace", policy.supersede_grace)
        .with("allow_debug", policy.allow_debug)
        .with("allow_extra_components", policy.allow_extra_components)
        .with("require_mud_anchor", policy.require_mud_anchor)
        .with("violation_window", policy.violation_window)
        .with("violation_threshold", policy.violation_threshold)
        .with("violating_access", policy.violating_access.as_str())
        .with("violation_cap", format!("{},{}%", policy.violation_cap.least, policy.violation_cap.percent))
        .with("outdated_access", policy.outdated_access.as_str())
        .with("untrusted_access", policy.untrusted_access.as_str())
        .with("stale_access", policy.stale_access.as_str())
        .unless_empty("authorities", Node::list(&policy.authorities))
        .unless_empty("rules", Node::list(&policy.rules))
        .unless_empty("scans", Node::list(policy.scans.iter().map(scan_words)))
}

fn scan_words(scan: &RequiredScan) -> String {
    let tool = scan.tool.as_deref().unwrap_or("any tool");
    format!("nothing found by {tool}, signed by {}", scan.key)
}

fn override_policy(command: Overriding, printer: &Printer) -> Result<Answer, Failure> {
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
    hand_out(&content, &key, command.output.as_deref(), &command.server, printer)
}

/// Signs an override, and writes it or gives it to the server.
fn hand_out(
    content: &Override,
    key: &SigningKey,
    output: Option<&Path>,
    server: &ServerArgs,
    printer: &Printer,
) -> Result<Answer, Failure> {
    // What gateways would refuse is refused here, before anybody signs it.
    Override::decode(&content.encode())
        .map_err(|error| Failure::new("gateways would refuse this override").because(&error))?;
    let signed = content.sign(key);
    if let Some(path) = output {
        files::write(path, &signed, Mode::Public, printer)?;
        if !server.is_given() {
            return Ok(Answer::Yes);
        }
    }
    let client = server.client()?;
    let reply = client.upload::<serde_json::Value>(Method::POST, "/api/v1/overrides", api::COSE, &signed)?;
    reply.answer(printer, |accepted| {
        printer.show(&client::tree(&accepted));
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
    if args.observe {
        return Ok(Effect::Observe);
    }
    if let Some(ClassText { class, members }) = args.class {
        return Ok(Effect::Class { class, members });
    }
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
pub(crate) fn tree(content: &Override) -> Map {
    let scope = match &content.scope {
        Scope::Site => "site".to_owned(),
        Scope::Device(ueid) => format!("device {}", crate::node::hex(ueid)),
        Scope::Model(url) => format!("model {url}"),
    };
    let effect = match &content.effect {
        Effect::Deny(flow) => format!("deny {}", flow_words(flow)),
        Effect::Allow(flow) => format!("allow {}", flow_words(flow)),
        Effect::Ignore { acl, ace } => format!("ignore {acl}/{ace}"),
        Effect::Class { class, members } => {
            let members: Vec<String> = members.iter().map(IpPrefix::to_string).collect();
            let members = if members.is_empty() { "nobody".to_owned() } else { members.join(", ") };
            format!("class {}: {members}", class.as_deref().unwrap_or(MY_CONTROLLER))
        }
        Effect::Observe => "observe: what the release does not declare passes and is told".to_owned(),
        Effect::ApproveFile { url, file } => format!("approve MUD file {file} of {url}"),
        Effect::Approve(Approval { release, file }) => {
            let file = file.map_or_else(|| "any MUD file".to_owned(), |file| format!("MUD file {file}"));
            format!("approve release {release} with {file}")
        }
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

/// A class of controllers and its members.
#[derive(Clone, Debug)]
struct ClassText {
    class: Option<String>,
    members: Vec<IpPrefix>,
}

fn class(text: &str) -> Result<ClassText, String> {
    let (class, members) = text.rsplit_once('=').ok_or("expected CLASS=PREFIX[,PREFIX]")?;
    let named = Some(class.trim()).filter(|class| *class != MY_CONTROLLER);
    if named == Some("") {
        return Err("expected a class before the equals sign".to_owned());
    }
    let member = |text: &str| {
        let text = text.trim();
        IpPrefix::parse(text).ok_or_else(|| format!("`{text}` is no address and no prefix"))
    };
    let members = members.split(',').filter(|member| !member.trim().is_empty());
    let members: Vec<IpPrefix> = members.map(member).collect::<Result<_, _>>()?;
    if members.len() > MAX_CLASS_MEMBERS {
        return Err(format!("a class has at most {MAX_CLASS_MEMBERS} members"));
    }
    Ok(ClassText { class: named.map(str::to_owned), members })
}

/// The class of RFC 8520 that has no URI.
const MY_CONTROLLER: &str = "my-controller";

fn cap(text: &str) -> Result<Cap, String> {
    let (least, percent) = text.split_once(',').unwrap_or((text, "0"));
    let percent = percent.trim().trim_end_matches('%').parse().ok().filter(|percent| *percent <= 100);
    let least = least.trim().parse().map_err(|_| "expected a number of devices")?;
    Ok(Cap { least, percent: percent.ok_or("expected a share of 0 to 100 % after the comma")? })
}

fn id(text: &str) -> Result<[u8; 16], String> {
    let bytes = crate::node::from_hex(text).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| "expected 16 bytes in hexadecimal digits".to_owned())
}
