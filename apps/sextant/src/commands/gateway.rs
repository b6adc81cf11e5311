use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::{Args, ValueEnum};
use gateway::TlsMode;
use gateway::control::{self, Config, EdgeConfig};
use gateway::radius::DynamicAuthorization;

use crate::{
    failure::{Answer, Failure},
    logging,
    printer::Printer,
};

/// Enforce network policy between devices and the rest of the world.
///
/// Believes the anchors directory and nothing else: authorities.cbor, verifier.key, and if they are there override.key,
/// mud-ca.der, policy.cbor and broad-approved. Rules stay in the kernel when this process ends.
#[derive(Debug, Args)]
pub(crate) struct Gateway {
    /// URL of the server
    #[arg(long, value_name = "URL", env = "SEXTANT_SERVER")]
    server: String,
    /// Certificate that the server's one must chain to (PEM)
    #[arg(long, value_name = "FILE", env = "SEXTANT_CA")]
    ca: PathBuf,
    /// File with the credential for the server
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// Directory of this site's own anchors
    #[arg(long, value_name = "DIR")]
    anchors: PathBuf,
    /// Settings of where MUD files of devices without attestation come from (TOML, docs/gateway.md)
    #[arg(long, value_name = "FILE")]
    mud_sources: Option<PathBuf>,
    /// Directory for what must survive a restart
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Interface behind which the devices are: a bridge with isolated ports
    #[arg(long, value_name = "IFACE")]
    lan: String,
    /// Interface toward the rest of the world
    #[arg(long, value_name = "IFACE")]
    wan: String,
    /// Address of the gateway on the LAN; those of the interface unless given
    #[arg(long, value_name = "IP")]
    lan_address: Vec<IpAddr>,
    /// Resolver to ask for devices; without one devices get no names
    #[arg(long, value_name = "ADDR", value_parser = resolver)]
    dns_upstream: Vec<SocketAddr>,
    /// Answer what devices ask other resolvers over port 53, in place of dropping it
    #[arg(long, requires = "dns_upstream")]
    dns_redirect: bool,
    /// List of resolvers over HTTPS that devices may not use: a name, address or prefix a line
    #[arg(long, value_name = "FILE")]
    block_doh: Option<PathBuf>,
    /// Domain whose names may have private addresses
    #[arg(long, value_name = "DOMAIN")]
    private_domain: Vec<String>,
    /// Name of the gateway in reports
    #[arg(long, default_value = "gateway")]
    name: String,
    /// Server that devices may always reach, besides that of --server
    #[arg(long, value_name = "ADDR:PORT")]
    management: Vec<SocketAddr>,
    /// Rendezvous server, or owner elsewhere, that devices may always reach to be onboarded; repeatable
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
    onboarding: Vec<(String, u16)>,
    /// Time server of the site
    #[arg(long, value_name = "ADDR")]
    ntp: Vec<IpAddr>,
    /// Prefix that local-networks means in policies
    #[arg(long, value_name = "PREFIX", value_parser = prefix)]
    local_network: Vec<(IpAddr, u8)>,
    /// TCP port of the admission service
    #[arg(long, value_name = "PORT", default_value_t = Config::ADMISSION_PORT)]
    admission_port: u16,
    /// Let admitted devices have addresses that they are heard with, without new proof, where nobody else has them
    #[arg(long)]
    follow_addresses: bool,
    /// Seconds for which a device stays cut whose evidence was bad twice within half an hour; twice as long each further time
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    settle: u16,
    /// What becomes of flows whose handshake is not one that a TLS profile of the release describes (RFC 9761)
    #[arg(long, value_name = "MODE", default_value = "enforce")]
    tls_profiles: TlsProfiles,
    /// Access server that takes filters for its sessions by RADIUS (port 3799 unless given)
    #[arg(long, value_name = "ADDR", value_parser = access_server, requires = "access_server_secret")]
    access_server: Option<SocketAddr>,
    /// File with the secret that the access server and the gateway know
    #[arg(long, value_name = "FILE", requires = "access_server")]
    access_server_secret: Option<PathBuf>,
    /// Filter of the access server for policies with more rules than a packet has room for
    #[arg(long, value_name = "NAME", requires = "access_server")]
    access_server_filter: Option<String>,
    /// Write entries for FreeRADIUS's authorize file here
    #[arg(long, value_name = "FILE")]
    radius_authorize: Option<PathBuf>,
    /// Control socket of hostapd, which puts blocked devices off the air
    #[arg(long, value_name = "SOCKET")]
    access_point: Option<PathBuf>,
}

/// Modes of `--tls-profiles`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum TlsProfiles {
    /// They end, and count against their device; while the gateway is away, none begins
    Enforce,
    /// They pass and are told
    Observe,
    /// Handshakes are not looked at
    Off,
}

pub(crate) fn run(command: Gateway, _printer: &Printer) -> Result<Answer, Failure> {
    logging::start();
    let dotless = |domain: String| domain.trim_matches('.').to_ascii_lowercase();
    let config = Config {
        name: command.name,
        server: command.server,
        ca: command.ca,
        token_file: command.token_file,
        anchors: command.anchors,
        mud_sources: command.mud_sources,
        data: command.data,
        lan: command.lan,
        wan: command.wan,
        lan_addresses: command.lan_address,
        dns_upstream: command.dns_upstream,
        dns_redirect: command.dns_redirect,
        block_doh: command.block_doh,
        private_domains: command.private_domain.into_iter().map(dotless).collect(),
        management: command.management,
        onboarding: command.onboarding,
        ntp: command.ntp,
        local_networks: command.local_network,
        admission_port: command.admission_port,
        follow_addresses: command.follow_addresses,
        settle: command.settle,
        tls_profiles: match command.tls_profiles {
            TlsProfiles::Enforce => TlsMode::Enforce,
            TlsProfiles::Observe => TlsMode::Observe,
            TlsProfiles::Off => TlsMode::Off,
        },
        edge: EdgeConfig {
            access_server: command.access_server.zip(command.access_server_secret),
            named_filter: command.access_server_filter,
            authorize_file: command.radius_authorize,
            access_point: command.access_point,
        },
    };
    control::run(config).map_err(|error| {
        Failure::new("the gateway does not start")
            .because(&error)
            .help("rules that are in the kernel stay as they are")
    })?;
    Ok(Answer::Yes)
}

/// An address, with the port of resolvers unless it has one.
fn resolver(text: &str) -> Result<SocketAddr, String> {
    socket(text, 53)
}

/// The same with the port of dynamic authorization.
fn access_server(text: &str) -> Result<SocketAddr, String> {
    socket(text, DynamicAuthorization::PORT)
}

fn socket(text: &str, port: u16) -> Result<SocketAddr, String> {
    let address = |_| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, port));
    text.parse().or_else(address).map_err(|_| "expected an address, with or without port".to_owned())
}

fn prefix(text: &str) -> Result<(IpAddr, u8), String> {
    let (address, length) = text.split_once('/').ok_or("expected ADDRESS/LENGTH")?;
    let address: IpAddr = address.parse().map_err(|_| "expected an address before the slash")?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let length = length.parse().ok().filter(|length| *length <= longest);
    Ok((address, length.ok_or("expected a prefix length after the slash")?))
}

/// A host, by name or by address, and a port.
fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let split = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = split.ok_or("expected a host and a port, such as rv.example:443")?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_name =
        |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let is_host = !host.is_empty() && (host.parse::<std::net::IpAddr>().is_ok() || is_name(host));
    if is_host { Ok((host.to_owned(), port)) } else { Err(format!("not a host: {host}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_prefixes_and_resolvers() {
        assert_eq!(prefix("10.0.0.0/8"), Ok(("10.0.0.0".parse().expect("an address"), 8)));
        assert_eq!(prefix("fd00::/128"), Ok(("fd00::".parse().expect("an address"), 128)));
        for text in ["10.0.0.0", "10.0.0.0/33", "fd00::/129", "x/8", "10.0.0.0/-1"] {
            assert!(prefix(text).is_err(), "{text}");
        }
        assert_eq!(resolver("192.0.2.1"), Ok("192.0.2.1:53".parse().expect("an address")));
        assert_eq!(resolver("[2001:db8::1]:5353"), Ok("[2001:db8::1]:5353".parse().expect("an address")));
        assert!(resolver("ns.example").is_err());
    }
}
