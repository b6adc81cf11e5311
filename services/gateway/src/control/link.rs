//! What the kernel knows of the LAN: addresses, ports and neighbours, asked of `ip` in the process's own namespace.

use std::net::IpAddr;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{AddressRange, Error, Interface, Mac};

/// Whether there is an interface of this name.
pub(super) fn exists(interface: &Interface) -> Result<bool, Error> {
    Ok(!ask(&["link", "show", "dev", interface.as_str()])?.is_empty())
}

/// Addresses of an interface.
pub(super) fn addresses(interface: &Interface) -> Result<Vec<IpAddr>, Error> {
    let found = ask(&["addr", "show", "dev", interface.as_str()])?;
    let infos = found.iter().filter_map(|link| link.get("addr_info")?.as_array()).flatten();
    Ok(infos.filter_map(|info| info.get("local")?.as_str()?.parse().ok()).collect())
}

/// Networks of an interface, without those that every link has.
pub(super) fn networks(interface: &Interface) -> Result<Vec<AddressRange>, Error> {
    let found = ask(&["addr", "show", "scope", "global", "dev", interface.as_str()])?;
    let infos = found.iter().filter_map(|link| link.get("addr_info")?.as_array()).flatten();
    let network = |info: &Value| {
        let address = info.get("local")?.as_str()?.parse().ok()?;
        let length = u8::try_from(info.get("prefixlen")?.as_u64()?).ok()?;
        Some(AddressRange::of_prefix(address, length))
    };
    Ok(infos.filter_map(network).collect())
}

/// Ports of a bridge; none of any other interface.
pub(super) fn ports(bridge: &Interface) -> Result<Vec<Interface>, Error> {
    let found = ask(&["link", "show", "master", bridge.as_str()])?;
    found.iter().filter_map(|link| link.get("ifname")?.as_str()).map(Interface::new).collect()
}

/// Ports of a bridge through which frames pass to other ports of it.
pub(super) fn open_ports(bridge: &Interface) -> Result<Vec<String>, Error> {
    let found = ask(&["-details", "link", "show", "master", bridge.as_str()])?;
    let isolated = |link: &Value| link.get("linkinfo")?.get("info_slave_data")?.get("isolated")?.as_bool();
    let open = found.iter().filter(|link| isolated(link) != Some(true));
    Ok(open.filter_map(|link| Some(link.get("ifname")?.as_str()?.to_owned())).collect())
}

/// The MAC address of a neighbour that we just spoke with.
pub(super) fn neighbour(interface: &Interface, address: IpAddr) -> Option<Mac> {
    let found = ask(&["neigh", "show", "to", &address.to_string(), "dev", interface.as_str()]).ok()?;
    found.iter().find_map(|neighbour| Mac::parse(neighbour.get("lladdr")?.as_str()?))
}

/// What `ip` answers. It says of an absent interface that there is none, which is an empty answer.
fn ask(arguments: &[&str]) -> Result<Vec<Value>, Error> {
    let output = Command::new("ip")
        .arg("-json")
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(Error::io("starting ip"))?;
    if !output.status.success() {
        return Ok(Vec::new());
    }
    if output.stdout.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    match serde_json::from_slice(&output.stdout) {
        Ok(Value::Array(found)) => Ok(found),
        _ => Err(Error::Answer("ip")),
    }
}
