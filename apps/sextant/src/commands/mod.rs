//! One file a noun. Each has its arguments, and a `run` that gives the answer for the exit status.

pub(crate) mod advisory;
pub(crate) mod alarm;
pub(crate) mod appraise;
pub(crate) mod audit;
pub(crate) mod authority;
pub(crate) mod campaign;
pub(crate) mod cert;
pub(crate) mod corim;
pub(crate) mod corim_query;
pub(crate) mod coswid;
pub(crate) mod decision;
pub(crate) mod demo;
pub(crate) mod deny;
pub(crate) mod device;
pub(crate) mod ear;
pub(crate) mod eat;
pub(crate) mod endorsement;
pub(crate) mod fdo;
pub(crate) mod gateway;
pub(crate) mod inspect;
pub(crate) mod key;
pub(crate) mod mud;
pub(crate) mod network;
pub(crate) mod objects;
pub(crate) mod policy;
pub(crate) mod quarantine;
pub(crate) mod release;
pub(crate) mod rules;
pub(crate) mod sbom;
pub(crate) mod scan;
pub(crate) mod sim;
pub(crate) mod suit;
pub(crate) mod token;
pub(crate) mod up;
pub(crate) mod voucher;

use clap::Subcommand;

use crate::{
    failure::{Answer, Failure},
    printer::Printer,
};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell the whole story on this machine
    Demo(demo::Demo),
    /// Let a fleet of simulated devices live against a real server
    Sim(Box<sim::Sim>),
    /// Show any supported object, detected from its content
    Inspect(inspect::Inspect),
    /// Make and show keys
    #[command(subcommand)]
    Key(key::Key),
    /// Make and show certificates
    #[command(subcommand)]
    Cert(cert::Cert),
    /// Keep the list of keys that may sign manifests
    #[command(subcommand)]
    Authority(authority::Authority),
    /// Make, sign, check and try releases (SUIT envelopes)
    #[command(subcommand)]
    Suit(suit::Suit),
    /// Make and check software identity tags (SBOM and expected values)
    #[command(subcommand)]
    Coswid(coswid::Coswid),
    /// Make and check reference integrity manifests (expected values and endorsements)
    #[command(subcommand)]
    Corim(corim::Corim),
    /// Check and appraise evidence
    #[command(subcommand)]
    Eat(eat::Eat),
    /// Check attestation results
    #[command(subcommand)]
    Ear(ear::Ear),
    /// Check, sign and compile manufacturer usage descriptions
    #[command(subcommand)]
    Mud(mud::Mud),
    /// Check, extend and keep ownership vouchers (FDO)
    #[command(subcommand)]
    Voucher(voucher::Voucher),
    /// Make, find and watch devices to onboard (FDO)
    #[command(subcommand)]
    Fdo(fdo::Fdo),
    /// Run the server
    Up(Box<up::Up>),
    /// Enforce network policy between devices and the rest of the world
    Gateway(Box<gateway::Gateway>),
    /// Enrol and watch devices
    #[command(subcommand)]
    Device(device::Device),
    /// Publish and revoke releases
    #[command(subcommand)]
    Release(release::Release),
    /// Give and take back reference values of devices that are not enrolled
    #[command(subcommand)]
    Endorsement(endorsement::Endorsement),
    /// Say which published flaws are in releases
    #[command(subcommand)]
    Advisory(advisory::Advisory),
    /// Ask what devices are made of
    #[command(subcommand)]
    Sbom(sbom::Sbom),
    /// Say what a scan of a release found, signed
    #[command(subcommand)]
    Scan(scan::Scan),
    /// Roll releases out
    #[command(subcommand)]
    Campaign(campaign::Campaign),
    /// See devices without attestation and their MUD files, and have files checked
    #[command(subcommand)]
    Network(network::Network),
    /// Write policies and override network policy
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Judge evidence by rules of your own (Rego)
    #[command(subcommand)]
    Rules(rules::Rules),
    /// Keep digests that no device may run
    #[command(subcommand)]
    Deny(deny::Deny),
    /// Restrict devices, whatever their evidence says
    #[command(subcommand)]
    Quarantine(quarantine::Quarantine),
    /// See what gateways did not answer by themselves
    #[command(subcommand)]
    Alarm(alarm::Alarm),
    /// Check decisions without a server
    #[command(subcommand)]
    Decision(decision::Decision),
    /// Check and export the audit chain
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Make credentials for programs
    #[command(subcommand)]
    Token(token::Token),
}

/// Carries out a command.
pub(crate) fn run(command: Command, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Command::Demo(command) => demo::run(command, printer),
        Command::Sim(command) => sim::run(*command, printer),
        Command::Inspect(command) => inspect::run(command, printer),
        Command::Key(command) => key::run(command, printer),
        Command::Cert(command) => cert::run(command, printer),
        Command::Authority(command) => authority::run(command, printer),
        Command::Suit(command) => suit::run(command, printer),
        Command::Coswid(command) => coswid::run(command, printer),
        Command::Corim(command) => corim::run(command, printer),
        Command::Eat(command) => eat::run(command, printer),
        Command::Ear(command) => ear::run(command, printer),
        Command::Mud(command) => mud::run(command, printer),
        Command::Voucher(command) => voucher::run(command, printer),
        Command::Fdo(command) => fdo::run(command, printer),
        Command::Up(command) => up::run(*command, printer),
        Command::Gateway(command) => gateway::run(*command, printer),
        Command::Device(command) => device::run(command, printer),
        Command::Release(command) => release::run(command, printer),
        Command::Endorsement(command) => endorsement::run(command, printer),
        Command::Advisory(command) => advisory::run(command, printer),
        Command::Sbom(command) => sbom::run(command, printer),
        Command::Scan(command) => scan::run(command, printer),
        Command::Campaign(command) => campaign::run(command, printer),
        Command::Network(command) => network::run(command, printer),
        Command::Policy(command) => policy::run(command, printer),
        Command::Rules(command) => rules::run(command, printer),
        Command::Deny(command) => deny::run(command, printer),
        Command::Quarantine(command) => quarantine::run(command, printer),
        Command::Alarm(command) => alarm::run(command, printer),
        Command::Decision(command) => decision::run(command, printer),
        Command::Audit(command) => audit::run(command, printer),
        Command::Token(command) => token::run(command, printer),
    }
}
