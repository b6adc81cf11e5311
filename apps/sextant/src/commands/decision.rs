use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use cose::Purpose;
use crypto::{Digest, HashAlgorithm};
use trust::{Bundle, BundleAnchors, BundledRelease, Standing};

use crate::{
    client::ServerArgs,
    clock,
    commands::{authority, up},
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    keys::{self, KeyFile},
    node::{Map, Node, hex},
    printer::{Printer, Verdict},
};

/// Check decisions without believing whoever made them.
#[derive(Debug, Subcommand)]
pub(crate) enum Decision {
    /// Fetch a decision with everything it rests on
    Fetch(Fetch),
    /// Make the decision again from its signed objects, with anchors of one's own
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// Number of the decision
    decision: i64,
    /// Where to write the bundle
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The bundle
    file: PathBuf,
    /// Authority list that says whose releases count
    #[arg(long, value_name = "LIST")]
    authorities: PathBuf,
    /// Public key of a trusted verifier; repeatable
    #[arg(long = "verifier", value_name = "PUB", required = true)]
    verifiers: Vec<PathBuf>,
    /// Public key of the network operator, who signs overrides; repeatable
    #[arg(long = "operator", value_name = "PUB")]
    operators: Vec<PathBuf>,
    /// Certificate of an authority that MUD signers must chain to; repeatable
    #[arg(long = "mud-ca", value_name = "CERT")]
    mud_issuers: Vec<PathBuf>,
}

pub(crate) fn run(command: Decision, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Decision::Fetch(Fetch { decision, output, server }) => {
            let reply = server.client()?.download(&format!("/api/v1/decisions/{decision}"))?;
            reply.answer(printer, |bytes| {
                files::write(&output, &bytes, Mode::Public, printer)?;
                Ok(Answer::Yes)
            })
        }
        Decision::Verify(command) => verify(&command, printer),
    }
}

fn verify(command: &Verify, printer: &Printer) -> Result<Answer, Failure> {
    let bundle = read(&command.file)?;
    let of = |paths: &[PathBuf], purpose| -> Result<_, Failure> {
        Ok(keys::anchors(&KeyFile::read_public(paths)?, purpose))
    };
    let (verifiers, operators) =
        (of(&command.verifiers, Purpose::Result)?, of(&command.operators, Purpose::Override)?);
    let anchors = BundleAnchors {
        authorities: authority::read(&command.authorities)?,
        mud_issuers: keys::read_all_certificates(&command.mud_issuers)?,
        keys: verifiers.iter().chain(&operators).cloned().collect(),
    };
    let mut sandbox = rules::Sandbox::new(up::rules_worker()?);
    let verdict = match bundle.verify(&anchors, &mut sandbox) {
        Ok(decision) => {
            let facts = Map::new()
                .with("device", hex(&decision.device))
                .with("posture", decision.posture.as_str())
                .with("access", decision.access.as_str())
                .maybe("release", decision.release.map(Node::shown))
                .unless_empty("reasons", Node::list(&decision.reasons))
                .with("rests_on", Node::list(&decision.rests_on))
                .with("policy", Node::shown(decision.policy))
                .with("at", clock::date(decision.at));
            Verdict::yes("the signed objects give this decision again").with(facts)
        }
        Err(unproven) => {
            Verdict::no("decision-unproven", &unproven).with(Map::new().with("part", unproven.part))
        }
    };
    Ok(printer.answer(verdict))
}

/// A bundle, which proves nothing before it is verified.
pub(crate) fn tree(bundle: &Bundle) -> Map {
    let sha256 = |bytes: &[u8]| Node::shown(Digest::of(HashAlgorithm::Sha256, bytes));
    let release = |release: &BundledRelease| {
        let envelope = suit::Envelope::decode(&release.envelope);
        Map::new()
            .maybe("manifest_digest", envelope.ok().map(|one| Node::shown(one.manifest_digest_claimed())))
            .with("accepted_at", clock::date(release.accepted_at))
            .with("standing", standing(&release.standing))
    };
    Map::new()
        .with("kind", "decision bundle")
        .with("device", hex(&bundle.device))
        .with("at", clock::date(bundle.now))
        .with("decision", sha256(&bundle.decision))
        .with("policy", sha256(&bundle.policy))
        .maybe("result", bundle.result.as_deref().map(sha256))
        .maybe("evidence", bundle.evidence.as_ref().map(|evidence| sha256(&evidence.evidence)))
        .with("releases", bundle.releases.iter().map(release).collect::<Vec<_>>())
        .unless_empty("rules", Node::list(bundle.rules.iter().map(|rules| trust::digest_of_rules(rules))))
        .unless_empty("denied", Node::list(&bundle.denied))
        .unless_empty("overrides", Node::List(bundle.overrides.iter().map(|bytes| sha256(bytes)).collect()))
        .unless_empty(
            "violations",
            Node::list(bundle.violations.iter().map(|one| format!("{} to {}", one.count, one.target))),
        )
        .maybe(
            "held_by",
            bundle
                .hold
                .as_ref()
                .map(|hold| format!("{}: {} ({})", hold.person, hold.why, hold.restriction.as_str())),
        )
}

fn standing(standing: &Standing) -> String {
    match standing {
        Standing::Current => "current".to_owned(),
        Standing::Superseded { by, .. } => format!("superseded by {by}"),
        Standing::Revoked { why } => format!("revoked: {why}"),
        Standing::Flawed { flaw } => format!("flawed: {flaw}"),
    }
}

/// Reads a bundle: as it is, or as the member `bundle` of the server's answer.
fn read(path: &Path) -> Result<Bundle, Failure> {
    let input = Input::read(path)?;
    let bytes = match serde_json::from_slice::<serde_json::Value>(&input.bytes) {
        Err(_) => input.bytes.clone(),
        Ok(answer) => {
            let text = answer.get("bundle").and_then(serde_json::Value::as_str);
            text.and_then(api::Base64Url::decode)
                .ok_or_else(|| Failure::new(format!("{} holds no bundle", input.name)))?
        }
    };
    Bundle::decode(&bytes)
        .map_err(|error| Failure::in_bytes(format!("{}: not a bundle", input.name), &bytes, &error))
}
