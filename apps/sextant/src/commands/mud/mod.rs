mod learn;
mod packet;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mud::{Compiled, Context, Parsed, Remote, Resolved, Severity, Verdict as Fate};
use x509::{Name, cms};

use crate::{
    clock,
    commands::{cert, coswid::chain},
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    keys::{self, KeyFile},
    node::{Map, Node},
    printer::{Printer, Verdict},
    show,
};

pub(crate) use packet::{FlowText, flow};
use packet::{Header, Query, query};

/// Check, sign and compile manufacturer usage descriptions.
#[derive(Debug, Subcommand)]
pub(crate) enum Mud {
    /// Say what is wrong or unwise in a file
    Lint(Lint),
    /// Sign a file (detached CMS signature)
    Sign(Sign),
    /// Say whether a signature over a file is to be believed
    Verify(Verify),
    /// Show the flows that a file permits
    Compile(Compile),
    /// Say what a new file permits beyond an old one; the answer is no when it permits more
    Diff(Diff),
    /// Say whether a file lets a packet pass
    Oracle(Oracle),
    /// Propose a file for a device from what it was seen to do
    Learn(learn::Learn),
}

#[derive(Debug, Args)]
pub(crate) struct Lint {
    #[command(flatten)]
    source: Source,
    /// Say no at warnings too
    #[arg(long)]
    strict: bool,
}

/// A file and where it came from.
#[derive(Debug, Args)]
struct Source {
    /// The MUD file
    file: PathBuf,
    /// The URL it was fetched from; that in the file without it
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The MUD file
    file: PathBuf,
    /// Private key of the signer
    #[arg(long)]
    key: PathBuf,
    /// Certificate of the signer
    #[arg(long, value_name = "CERT")]
    cert: PathBuf,
    /// Certificates on the way to the anchor; repeatable
    #[arg(long, value_name = "CERT")]
    chain: Vec<PathBuf>,
    /// Where to write the signature
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The MUD file
    file: PathBuf,
    /// Its detached signature
    #[arg(long, value_name = "FILE")]
    signature: PathBuf,
    /// Certificate that is trusted; repeatable
    #[arg(long = "anchor", value_name = "CERT", required = true)]
    anchors: Vec<PathBuf>,
    /// Certificates that are at hand besides; repeatable
    #[arg(long, value_name = "CERT")]
    chain: Vec<PathBuf>,
    /// The only subject that may have signed
    #[arg(long, value_name = "NAME", value_parser = cert::name)]
    signer: Option<Name>,
    /// The time it must be good at; now without it
    #[arg(long, value_name = "TIME", value_parser = clock::parse_time)]
    at: Option<i64>,
}

#[derive(Debug, Args)]
pub(crate) struct Compile {
    #[command(flatten)]
    source: Source,
    /// Addresses that a remote of the file stands for, as for `oracle`; repeatable
    #[arg(long = "resolve", value_name = "REMOTE=PREFIX", value_parser = packet::resolution)]
    resolved: Vec<(Remote, mud::IpPrefix)>,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The old file
    old: PathBuf,
    /// The new file
    new: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Oracle {
    #[command(flatten)]
    source: Source,
    /// The packet, such as `from-device tcp 203.0.113.5:443` or `to-device udp [2001:db8::1]:53 established`
    #[arg(long, value_parser = query, required_unless_present = "proto", conflicts_with = "header")]
    packet: Option<Query>,
    #[command(flatten)]
    header: Header,
    /// Addresses that a remote of the file stands for, such as `name:api.maker.example=203.0.113.5`,
    /// `controller:CLASS=PREFIX`, `my-controller=PREFIX`, `local=PREFIX`; repeatable
    #[arg(long = "resolve", value_name = "REMOTE=PREFIX", value_parser = packet::resolution)]
    resolved: Vec<(Remote, mud::IpPrefix)>,
}

pub(crate) fn run(command: Mud, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Mud::Lint(command) => lint(&command, printer),
        Mud::Sign(command) => sign(&command, printer),
        Mud::Verify(command) => verify(&command, printer),
        Mud::Compile(command) => show_policy(&command, printer),
        Mud::Diff(command) => diff(&command, printer),
        Mud::Oracle(command) => oracle(&command, printer),
        Mud::Learn(command) => learn::run(&command, printer),
    }
}

fn lint(command: &Lint, printer: &Printer) -> Result<Answer, Failure> {
    let File { parsed, compiled, .. } = compile(&command.source)?;
    let findings = || parsed.findings.iter().chain(&compiled.findings);
    let limit = if command.strict { Severity::Warning } else { Severity::AceRefused };
    let breadth = compiled.policy.breadth();
    let clean = mud::worst(findings()).is_none_or(|worst| worst < limit) && !breadth.needs_approval();
    let rows: Vec<_> = findings()
        .map(|finding| {
            let severity = show::mud::severity(finding.severity).to_owned();
            vec![severity, finding.code.to_owned(), finding.path.clone(), finding.message.clone()]
        })
        .collect();
    let broadest = breadth.entry.and_then(|index| compiled.policy.entries.get(index));
    let whole = Map::new()
        .with("ok", clean)
        .with("breadth", breadth.score)
        .with("approval_from", mud::APPROVAL_BREADTH)
        .maybe("broadest", broadest.map(show::mud::entry))
        .with("findings", show::mud::findings(findings()));
    printer.table(&["severity", "rule", "path", "message"], &rows, &Node::from(whole));
    if !printer.is_json() {
        let broadest = broadest.map(|entry| format!(", for {entry}")).unwrap_or_default();
        let (score, from) = (breadth.score, mud::APPROVAL_BREADTH);
        printer.lines(&[format!("breadth {score} of 100, approval from {from}{broadest}")], &Node::Null);
    }
    Ok(Answer::from(clean))
}

/// Flows for people; for programs all that an enforcer needs, under the digest that policies are kept by.
fn show_policy(command: &Compile, printer: &Printer) -> Result<Answer, Failure> {
    let File { input, parsed, compiled } = compile(&command.source)?;
    let policy = &compiled.policy;
    let mut resolved = Resolved::default();
    for (remote, prefix) in &command.resolved {
        resolved.insert(remote.clone(), [*prefix]);
    }
    let mut whole: serde_json::Value = serde_json::from_str(&policy.encode_json())
        .map_err(|error| Failure::new("the policy is not JSON").because(&error))?;
    let remotes: Vec<_> = policy
        .remotes()
        // Prefixes speak for themselves.
        .filter(|remote| !matches!(remote, Remote::Any | Remote::Prefix(_)))
        .map(|remote| {
            let members: Vec<_> = resolved.members(remote).iter().map(ToString::to_string).collect();
            serde_json::json!({ "remote": remote.to_string(), "addresses": members })
        })
        .collect();
    let refused: Vec<_> = parsed
        .findings
        .iter()
        .chain(&compiled.findings)
        .filter(|finding| finding.severity == Severity::AceRefused)
        .map(|finding| serde_json::json!({ "path": finding.path, "rule": finding.code }))
        .collect();
    let digest = crypto::Digest::of(crypto::HashAlgorithm::Sha256, &input.bytes);
    if let Some(members) = whole.as_object_mut() {
        members.insert("url".into(), parsed.file.mud_url.as_str().into());
        members.insert("digest".into(), digest.to_string().into());
        members.insert("last-update".into(), parsed.file.last_update.as_str().into());
        members.insert("ordered".into(), (!policy.is_unordered()).into());
        members.insert("breadth".into(), policy.breadth().score.into());
        members.insert("remotes".into(), remotes.into());
        members.insert("left-out".into(), refused.into());
    }
    printer.lines(&policy.entries, &whole);
    Ok(Answer::Yes)
}

fn sign(command: &Sign, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?;
    // A file that gateways would refuse is not worth a signature.
    parse(&input, None)?;
    let (key, _) = KeyFile::read_secret(&command.key)?;
    let certificate = keys::read_certificate(&command.cert)?;
    let chain = keys::read_all_certificates(&command.chain)?;
    let signature = cms::sign_detached(&input.bytes, &key, &certificate, &chain, clock::now())
        .map_err(|error| Failure::new(format!("cannot sign {}", input.name)).because(&error))?;
    files::write(&command.output, &signature, Mode::Public, printer)?;
    Ok(Answer::Yes)
}

fn verify(command: &Verify, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?;
    let signature = Input::read(&command.signature)?;
    let message = cms::Detached::decode(&signature.bytes)
        .map_err(|error| signature.failure("not a detached CMS signature", &error))?;
    let (anchors, extra) =
        (keys::read_all_certificates(&command.anchors)?, keys::read_all_certificates(&command.chain)?);
    let policy = cms::SignerPolicy {
        anchors: &anchors,
        extra: &extra,
        subject: command.signer.as_ref(),
        now: command.at.unwrap_or_else(clock::now),
    };
    let verdict = match message.verify(&input.bytes, &policy) {
        Ok(signer) => {
            let thumbprint = cose::thumbprint(signer.public_key(), crypto::HashAlgorithm::Sha256);
            Verdict::yes(format!("signed by {}", signer.subject())).with(
                Map::new()
                    .with("signer", Node::shown(signer.subject()))
                    .with("thumbprint", Node::shown(thumbprint))
                    .maybe("signing_time", signer.signing_time().map(clock::date))
                    .with("anchor", Node::shown(signer.anchor().subject())),
            )
        }
        Err(error) => Verdict::no("mud-signature", chain(&error)),
    };
    Ok(printer.answer(verdict))
}

fn diff(command: &Diff, printer: &Printer) -> Result<Answer, Failure> {
    let policy = |path: &Path| {
        let source = Source { file: path.to_owned(), url: None };
        compile(&source).map(|file| file.compiled.policy)
    };
    let diff = mud::diff(&policy(&command.old)?, &policy(&command.new)?);
    let (verdict, change) = match (diff.is_wider(), diff.lost.is_empty()) {
        (true, true) => (Verdict::no("wider", "the new file permits more"), "wider"),
        (true, false) => {
            (Verdict::no("wider", "the new file permits more, and some things no more"), "wider and narrower")
        }
        (false, true) => (Verdict::yes("both files permit the same"), "equal"),
        (false, false) => (Verdict::yes("the new file permits less, and nothing more"), "narrower"),
    };
    let facts = Map::new().with("change", change).then(show::mud::diff(&diff));
    Ok(printer.answer(verdict.with(facts)))
}

fn oracle(command: &Oracle, printer: &Printer) -> Result<Answer, Failure> {
    let described = command.header.query().map_err(Failure::new)?;
    let Some(query) = command.packet.as_ref().or(described.as_ref()) else {
        return Err(Failure::new("no packet is described"));
    };
    let File { input, parsed, compiled } = compile(&command.source)?;
    let policy = &compiled.policy;
    let mut resolved = Resolved::default();
    for (remote, prefix) in query.resolved.iter().chain(&command.resolved) {
        resolved.insert(remote.clone(), [*prefix]);
    }
    let decision = mud::oracle(policy, &resolved, &query.packet, query.state);
    let unfilled: Vec<_> = resolved.unfilled(policy).collect();
    if decision.verdict != Fate::Accept && !unfilled.is_empty() {
        printer.note(format!("{} remotes of the file have no addresses here; see --resolve", unfilled.len()));
    }
    let at = |index: usize| policy.entries.get(index);
    let digest = crypto::Digest::of(crypto::HashAlgorithm::Sha256, &input.bytes);
    let mut facts = Map::new()
        .with("file", input.name.as_str())
        .with("url", parsed.file.mud_url.as_str())
        .with("digest", digest.to_string())
        .maybe("entry", decision.entry.and_then(at).map(show::mud::entry));
    if decision.reason == mud::Reason::NoMatch
        && let Some(miss) = mud::nearest(policy, &resolved, &query.packet)
        && let Some(entry) = at(miss.entry)
    {
        let differs = Node::list(miss.differences.iter().map(|difference| difference.name()));
        facts = facts.with("nearest", show::mud::entry(entry)).with("differs", differs);
    }
    let (code, words) = reason(decision.reason);
    let verdict = match decision.verdict {
        Fate::Accept => Verdict::yes(format!("the packet passes: {words}")),
        Fate::Drop | Fate::Reject => Verdict::no(code, format!("the packet does not pass: {words}")),
    };
    Ok(printer.answer(verdict.with(facts)))
}

const fn reason(reason: mud::Reason) -> (&'static str, &'static str) {
    use mud::Reason;
    match reason {
        Reason::Entry => ("not-in-policy", "an entry decides so"),
        Reason::State => ("state", "it belongs to a flow that was permitted"),
        Reason::InvalidState => ("invalid-state", "it fits no flow"),
        Reason::NotAStart => ("not-a-start", "it opens no flow and belongs to none"),
        Reason::NoMatch => ("not-in-policy", "no entry matches"),
        Reason::WrongInitiator => ("wrong-initiator", "only the other end may start such a flow"),
    }
}

/// A file that was read and compiled.
struct File {
    input: Input,
    parsed: Parsed,
    compiled: Compiled,
}

fn compile(source: &Source) -> Result<File, Failure> {
    let input = Input::read(&source.file)?;
    let parsed = parse(&input, source.url.as_deref())?;
    let compiled = mud::compile(&parsed.file);
    Ok(File { input, parsed, compiled })
}

fn parse(input: &Input, url: Option<&str>) -> Result<Parsed, Failure> {
    let context = Context { fetched_url: url, ..Context::default() };
    mud::parse(&input.bytes, &context)
        .map_err(|error| input.failure("not a MUD file that gateways would apply", &error))
}
