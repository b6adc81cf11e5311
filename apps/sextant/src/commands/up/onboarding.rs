use std::{path::PathBuf, time::Duration};

use clap::Args;
use fdo::Target;
use server::OnboardingConfig;

use crate::{clock, failure::Failure, keys};

/// How devices are made and onboarded (FDO).
#[derive(Debug, Args)]
#[command(next_help_heading = "Onboarding (FDO)")]
pub(super) struct Onboarding {
    /// URL by which devices reach this server; made of its first name and its port unless given
    #[arg(long, value_name = "URL", value_parser = server_url)]
    public_url: Option<String>,
    /// Rendezvous server of devices that are made or set up here; this server unless given; repeatable
    #[arg(long, value_name = "URL", value_parser = server_url)]
    rendezvous: Vec<String>,
    /// Public key to which the manufacturer sells each device as it is made
    #[arg(long, value_name = "FILE")]
    sell_to: Option<PathBuf>,
    /// Public key of an owner who may register with the rendezvous server, beside this one; repeatable
    #[arg(long, value_name = "FILE")]
    rendezvous_owner: Vec<PathBuf>,
    /// Public key of a manufacturer whose devices' owners may register with the rendezvous server; repeatable
    #[arg(long, value_name = "FILE")]
    rendezvous_manufacturer: Vec<PathBuf>,
    /// Have RSA keys too, as a manufacturer and as an owner, for devices that want no others
    #[arg(long)]
    rsa_keys: bool,
    /// Let devices encrypt by AES-CTR or AES-CBC and HMAC too, which implementations disagree about
    #[arg(long)]
    all_ciphers: bool,
    /// The longest that the rendezvous server remembers an owner; 30d unless given
    #[arg(long, value_name = "TIME", value_parser = wait)]
    longest_wait: Option<Duration>,
    /// How long rendezvous servers are asked to remember this owner; 7d unless given
    #[arg(long, value_name = "TIME", value_parser = wait)]
    registration_lifetime: Option<Duration>,
    /// Registrations that the rendezvous server keeps of one owner; 1000000 unless given
    #[arg(long, value_name = "N")]
    registrations_of_owner: Option<u32>,
    /// Registrations that it keeps of all; 4000000 unless given
    #[arg(long, value_name = "N")]
    registrations: Option<u32>,
    /// How long a device may take for a protocol, from its first message to its last; 10m unless given
    #[arg(long, value_name = "TIME", value_parser = wait)]
    onboarding_session_lifetime: Option<Duration>,
    /// How many sessions may begin from one address in a minute, averaged; 6000 unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    onboarding_sessions_a_minute: Option<u32>,
    /// How many may begin from one address at once; 1000 unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    onboarding_sessions_at_once: Option<u32>,
}

impl Onboarding {
    /// What is given, and the defaults for what is not.
    pub(super) fn config(self) -> Result<OnboardingConfig, Failure> {
        let unless_given = OnboardingConfig::default();
        let sell_to = keys::read_voucher_keys(self.sell_to.as_slice())?.pop();
        Ok(OnboardingConfig {
            public_url: self.public_url,
            rendezvous_urls: self.rendezvous,
            sell_to,
            rendezvous_owners: keys::read_voucher_keys(&self.rendezvous_owner)?,
            rendezvous_manufacturers: keys::read_voucher_keys(&self.rendezvous_manufacturer)?,
            rsa_keys: self.rsa_keys,
            all_ciphers: self.all_ciphers,
            longest_wait: self.longest_wait.unwrap_or(unless_given.longest_wait),
            registration_lifetime: self.registration_lifetime.unwrap_or(unless_given.registration_lifetime),
            registrations_of_owner: self
                .registrations_of_owner
                .unwrap_or(unless_given.registrations_of_owner),
            registrations: self.registrations.unwrap_or(unless_given.registrations),
            session_lifetime: self.onboarding_session_lifetime.unwrap_or(unless_given.session_lifetime),
            sessions_a_minute: self.onboarding_sessions_a_minute.unwrap_or(unless_given.sessions_a_minute),
            sessions_at_once: self.onboarding_sessions_at_once.unwrap_or(unless_given.sessions_at_once),
        })
    }
}

/// A URL that devices can be told: rendezvous information has no paths.
fn server_url(text: &str) -> Result<String, String> {
    Target::from_url(text).map(|_| text.to_owned()).map_err(|_| URL.to_owned())
}

/// A time that the protocol can say in seconds.
pub(crate) fn wait(text: &str) -> Result<Duration, String> {
    let wait = clock::duration(text)?;
    match wait.as_secs() {
        1..=MAX_WAIT => Ok(wait),
        _ => Err(format!("expected one second to {MAX_WAIT}")),
    }
}

/// The longest time in seconds that an owner can ask to be remembered.
const MAX_WAIT: u64 = u32::MAX as u64;
/// What a URL of a server must be.
const URL: &str = "expected https://host[:port] or http://host[:port], without a path";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        onboarding: Onboarding,
    }

    fn parse(line: &str) -> Result<Onboarding, clap::Error> {
        Line::try_parse_from(std::iter::once("up").chain(line.split(' '))).map(|line| line.onboarding)
    }

    #[test]
    fn each_option_is_one_setting_and_what_is_not_given_stays() {
        let line = "--public-url https://own.example:8443/ --rendezvous http://[::1] --rendezvous https://rv.example \
                    --longest-wait 2d --registration-lifetime 1h --registrations-of-owner 7 --registrations 8 \
                    --rsa-keys --all-ciphers --onboarding-session-lifetime 90s --onboarding-sessions-a-minute 5 --onboarding-sessions-at-once 6";
        let line: Vec<&str> = line.split_whitespace().collect();
        let config = parse(&line.join(" ")).unwrap().config().unwrap();
        assert_eq!(config.public_url.as_deref(), Some("https://own.example:8443/"));
        assert_eq!(config.rendezvous_urls, ["http://[::1]", "https://rv.example"]);
        assert_eq!(
            [config.longest_wait, config.registration_lifetime, config.session_lifetime]
                .map(|time| time.as_secs()),
            [2 * 24 * 3600, 3600, 90]
        );
        assert_eq!(
            [
                config.registrations_of_owner,
                config.registrations,
                config.sessions_a_minute,
                config.sessions_at_once
            ],
            [7, 8, 5, 6]
        );
        assert!(config.rsa_keys && config.all_ciphers);
        let config = parse("--registrations 9").unwrap().config().unwrap();
        let unless_given = OnboardingConfig::default();
        assert_eq!(config.registrations, 9);
        assert_eq!(config.longest_wait, unless_given.longest_wait);
        assert_eq!((config.public_url, config.rendezvous_urls.len()), (None, 0));
        assert!(!config.rsa_keys && !config.all_ciphers);
        assert!(config.sell_to.is_none() && config.rendezvous_owners.is_empty());
    }

    #[test]
    fn what_no_device_can_be_told_is_misuse() {
        for line in [
            "--public-url own.example",
            "--public-url ftp://own.example",
            "--rendezvous https://rv.example/path",
            "--rendezvous https://rv.example:99999",
            "--longest-wait 0s",
            "--longest-wait 49711d",
            "--registration-lifetime soon",
            "--onboarding-sessions-a-minute 0",
            "--onboarding-sessions-at-once 0",
        ] {
            assert_eq!(parse(line).unwrap_err().kind(), clap::error::ErrorKind::ValueValidation, "{line}");
        }
        assert_eq!(wait("49710d").map(|wait| wait.as_secs()), Ok(49_710 * 24 * 3600));
        let missing = parse("--sell-to /nowhere/key").unwrap().config();
        assert!(missing.unwrap_err().what.starts_with("cannot read"));
    }
}
