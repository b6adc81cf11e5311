//! Settings of the kernel that belong to enforcement, beside the rules.

use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::process::{Command, Stdio};

use crate::nft::Site;
use crate::{Binding, Error};

/// A packet in the middle of a TCP connection must not make a new entry: with this a cut flow stays cut.
pub(crate) fn refuse_midstream_pickup() -> Result<(), Error> {
    set("/proc/sys/net/netfilter/nf_conntrack_tcp_loose", "0")
}

/// Counts packets and octets of connections that begin from now on.
pub(crate) fn count_traffic() -> Result<(), Error> {
    set("/proc/sys/net/netfilter/nf_conntrack_acct", "1")
}

/// Turns forwarding on. Devices of one bridge reach each other through us, so telling them a shorter way
/// (ICMP redirects) would be telling them round us.
pub(crate) fn forward(site: &Site) -> Result<(), Error> {
    for interface in &site.lan {
        let path = format!("/proc/sys/net/ipv4/conf/{}/send_redirects", interface.as_str());
        // An interface that is not there yet has the default of `all`, set below.
        if fs::exists(&path).unwrap_or(false) {
            set(&path, "0")?;
        }
    }
    set("/proc/sys/net/ipv4/conf/all/send_redirects", "0")?;
    set("/proc/sys/net/ipv4/conf/default/send_redirects", "0")?;
    set("/proc/sys/net/ipv4/ip_forward", "1")?;
    set("/proc/sys/net/ipv6/conf/all/forwarding", "1")
}

/// Makes the MAC of a device's addresses permanent, so that nobody can take its packets by answering ARP or neighbour
/// discovery in its place; forgets addresses that are gone. Only where there is one interface it can be behind.
pub(crate) fn pin_neighbours<'b>(site: &Site, gone: &[IpAddr], bound: impl IntoIterator<Item = &'b Binding>) {
    let [interface] = site.lan.as_slice() else { return };
    let interface = interface.as_str();
    let mut lines = String::new();
    for address in gone {
        lines.push_str(&format!("neigh del {address} dev {interface}\n"));
    }
    for binding in bound {
        let mac = binding.mac;
        for address in &binding.addresses {
            lines.push_str(&format!("neigh replace {address} lladdr {mac} dev {interface} nud permanent\n"));
        }
    }
    if let Err(error) = run_ip(&lines) {
        tracing::warn!(%error, "neighbour entries are not pinned");
    }
}

fn run_ip(lines: &str) -> Result<(), Error> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut child = Command::new("ip")
        .args(["-force", "-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Error::io("starting ip"))?;
    let sent = child.stdin.take().map(|mut input| input.write_all(lines.as_bytes()));
    child.wait().map_err(Error::io("waiting for ip"))?;
    sent.unwrap_or(Ok(())).map_err(Error::io("writing to ip"))
}

fn set(path: &str, value: &str) -> Result<(), Error> {
    fs::write(path, value).map_err(Error::io("changing a kernel setting"))
}
