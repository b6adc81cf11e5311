mod onboarding;

use std::{ffi::OsString, io, net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use cose::Purpose;
use eat::MeasuredComponentFormats;
use server::{Config, Role, Server};
use trust::Policy;

use crate::{
    clock,
    failure::{Answer, Failure},
    files::Input,
    keys, logging,
    printer::Printer,
};

pub(crate) use onboarding::wait;

/// Run the server: verifier, updates, onboarding, and the API and pages of people, gateways and programs.
///
/// On its first run it makes its own key and certificate and prints a link, once, that makes the first administrator.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Directory of the database, the server's keys and its certificate
    #[arg(long, value_name = "DIR", default_value = "sextant-data")]
    data: PathBuf,
    /// Address to listen on
    #[arg(long, value_name = "ADDR:PORT", default_value = "[::]:8443")]
    listen: SocketAddr,
    /// Name or address that the certificate is for, besides loopback
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// Part that answers: verifier, update, manage, rendezvous, owner or manufacturer; all but the last unless given. A
    /// manufacturer makes a device of whoever reaches it: that part is for networks of factories alone
    #[arg(long, value_name = "ROLE", value_parser = role)]
    role: Vec<Role>,
    /// Name of the site, on its pages
    #[arg(long, value_name = "NAME", default_value = "Sextant")]
    site: String,
    /// Appraisal and posture policy (CBOR)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// How long a result is good for
    #[arg(long, value_name = "TIME", value_parser = clock::duration)]
    result_lifetime: Option<Duration>,
    /// How long results and decisions are remembered that no device stands on any more; 30d unless given
    #[arg(long, value_name = "TIME", value_parser = clock::duration)]
    keep_results: Option<Duration>,
    /// Issuer of MUD signers (certificate); without one the manifest's pin is enough
    #[arg(long, value_name = "FILE")]
    mud_ca: Vec<PathBuf>,
    /// Public key of the network operator, whose overrides and approvals count in decisions
    #[arg(long, value_name = "FILE")]
    override_key: Vec<PathBuf>,
    /// Public key of an endorser: of who signs reference values and endorsements (CoRIM) of devices not enrolled here
    #[arg(long, value_name = "FILE")]
    endorser_key: Vec<PathBuf>,
    /// Issuer of endorsers (certificate)
    #[arg(long, value_name = "FILE")]
    endorser_ca: Vec<PathBuf>,
    /// Issuer of devices not enrolled here (certificate): a UEID is the serial number in a device's subject, in hexadecimal
    #[arg(long, value_name = "FILE")]
    attester_ca: Vec<PathBuf>,
    /// Public key of a manufacturer whose ownership vouchers (FDO) count, where they sell to an owner's key
    #[arg(long, value_name = "FILE")]
    manufacturer: Vec<PathBuf>,
    /// Public key to which devices are sold by their ownership vouchers
    #[arg(long, value_name = "FILE")]
    owner_key: Vec<PathBuf>,
    /// How long an epoch lasts, whose handle evidence without a session answers; 2m unless given
    #[arg(long, value_name = "TIME", value_parser = clock::duration)]
    epoch: Option<Duration>,
    /// Content-Formats of measured components in tokens of devices not enrolled here, CBOR and JSON: none is registered
    #[arg(long, value_name = "CBOR,JSON", value_parser = content_formats)]
    measured_components: Option<MeasuredComponentFormats>,
    /// Public key of who signs statements on scans of releases, which a policy may ask for
    #[arg(long, value_name = "FILE")]
    scanner_key: Vec<PathBuf>,
    /// Profile of results in JSON about devices not enrolled here; the present draft's unless given
    #[arg(long, value_name = "URI", value_parser = result_profile)]
    result_profile: Option<String>,
    /// Accept every MUD file that asks for much, without an approval of its own
    #[arg(long)]
    accept_broad_mud: bool,
    /// What devices wait between polls for updates
    #[arg(long, value_name = "TIME", value_parser = clock::duration)]
    poll_interval: Option<Duration>,
    /// How long a device may take from an offer to attesting the release
    #[arg(long, value_name = "TIME", value_parser = clock::duration)]
    trial_limit: Option<Duration>,
    /// How often what must be true is looked at without a nudge
    #[arg(long, value_name = "TIME", value_parser = clock::duration)]
    period: Option<Duration>,
    /// How often a device may attest
    #[arg(long, value_name = "N")]
    attestations_a_minute: Option<u32>,
    #[command(flatten)]
    onboarding: onboarding::Onboarding,
}

pub(crate) fn run(command: Up, printer: &Printer) -> Result<Answer, Failure> {
    logging::start();
    let config = config(command)?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::new("the server does not start").because(&error))?;
    runtime.block_on(async {
        let server = Server::start(config)
            .await
            .map_err(|error| Failure::new("the server does not start").because(&error))?;
        printer.note(format_args!("listening on {}", server.local_addr()));
        printer.note(format_args!("certificate for clients: {}", server.certificate().display()));
        printer.note(format_args!("token of the administrator: {}", server.admin_token().display()));
        if let Some(link) = server.admin_link() {
            printer.note(format_args!("first administrator, works once: {link}"));
        }
        asked_to_end().await.map_err(|error| Failure::new("signals cannot be waited for").because(&error))?;
        server.shutdown().await;
        Ok(Answer::Yes)
    })
}

fn config(command: Up) -> Result<Config, Failure> {
    let mut config = Config::new(command.data);
    config.listen = command.listen;
    config.names = command.name;
    config.site = command.site;
    config.broad_mud_approved = command.accept_broad_mud;
    config.rules_worker = rules_worker()?;
    if !command.role.is_empty() {
        config.roles = command.role;
    }
    if let Some(path) = &command.policy {
        let input = Input::read(path)?;
        config.policy =
            Policy::decode(&input.bytes).map_err(|error| input.failure("not a policy", &error))?;
    }
    if let Some(lifetime) = command.result_lifetime {
        config.policy.result_lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX).max(1);
    }
    for path in &command.mud_ca {
        config.mud_issuers.push(keys::read_certificate(path)?);
    }
    for path in &command.endorser_ca {
        config.endorser_issuers.push(keys::read_certificate(path)?);
    }
    config.endorsers = keys::anchors(&keys::KeyFile::read_public(&command.endorser_key)?, Purpose::Corim);
    for path in &command.attester_ca {
        config.attester_authorities.push(keys::read_certificate(path)?);
    }
    config.vouchers.manufacturers = keys::read_voucher_keys(&command.manufacturer)?;
    config.vouchers.owners = keys::read_voucher_keys(&command.owner_key)?;
    config.onboarding = command.onboarding.config()?;
    config.epoch = command.epoch.unwrap_or(config.epoch);
    config.measured_components = command.measured_components;
    if let Some(profile) = command.result_profile {
        config.result_profile = profile;
    }
    config.scanners = keys::anchors(&keys::KeyFile::read_public(&command.scanner_key)?, Purpose::Scan);
    config.override_anchors =
        keys::anchors(&keys::KeyFile::read_public(&command.override_key)?, Purpose::Override);
    config.poll_interval = command.poll_interval.unwrap_or(config.poll_interval);
    config.keep_results = command.keep_results.unwrap_or(config.keep_results);
    config.trial_limit = command.trial_limit.unwrap_or(config.trial_limit);
    config.period = command.period.unwrap_or(config.period);
    config.attestations_a_minute = command.attestations_a_minute.unwrap_or(config.attestations_a_minute);
    Ok(config)
}

/// The command with which this program runs rules for others.
pub(crate) fn rules_worker() -> Result<Vec<OsString>, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::new("this program does not find itself").because(&error))?;
    Ok(vec![program.into(), "rules".into(), "worker".into()])
}

/// Returns when somebody asks the process to end, politely.
async fn asked_to_end() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Two Content-Formats that mean different things.
pub(crate) fn content_formats(text: &str) -> Result<MeasuredComponentFormats, String> {
    let formats = text.split_once(',').and_then(|(cbor, json)| {
        let (cbor, json) = (cbor.parse().ok()?, json.parse().ok()?);
        (cbor != json).then_some(MeasuredComponentFormats { cbor, json })
    });
    formats.ok_or_else(|| "expected two different numbers up to 65535, such as 65000,65001".to_owned())
}

/// One of the profiles of results that can be made.
fn result_profile(text: &str) -> Result<String, String> {
    let known = [eat::RESULT_PROFILE, eat::PREVIOUS_RESULT_PROFILE, eat::OLD_RESULT_PROFILE];
    match known.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(format!("one of {}", known.join(", "))),
    }
}

fn role(text: &str) -> Result<Role, String> {
    Role::from_text(text).ok_or_else(|| {
        let known: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        format!("expected one of {}", known.join(", "))
    })
}
