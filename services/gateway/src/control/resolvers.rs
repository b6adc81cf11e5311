//! The list of resolvers over HTTPS that devices may not use.

use std::collections::BTreeSet;
use std::path::Path;

use super::StartError;
use crate::AddressRange;

/// Names and addresses of resolvers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resolvers {
    /// Names, in lower case without the trailing dot: they and all below them.
    pub(super) names: BTreeSet<String>,
    /// Addresses.
    pub(super) addresses: Vec<AddressRange>,
}

impl Resolvers {
    /// Most entries of a list.
    const MAX: usize = 65_536;

    /// Reads a file; none names nobody.
    pub(super) fn load(file: Option<&Path>) -> Result<Self, StartError> {
        let Some(file) = file else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(file)
            .map_err(StartError::io(format!("reading the list of resolvers {}", file.display())))?;
        Self::parse(&text)
            .map_err(|(line, why)| StartError::Setting(format!("{}, line {line}: {why}", file.display())))
    }

    /// One name, address or prefix a line. What follows `#` is for people. On failure, in which line and why.
    fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut found = Self::default();
        for (index, line) in text.lines().enumerate() {
            let entry = line.split('#').next().unwrap_or_default().trim();
            if entry.is_empty() {
                continue;
            }
            let at = |why| (index + 1, why);
            if found.names.len() + found.addresses.len() >= Self::MAX {
                return Err(at("too many entries"));
            }
            match range(entry) {
                Some(range) => found.addresses.push(range),
                None if is_name(entry) => {
                    found.names.insert(entry.trim_end_matches('.').to_ascii_lowercase());
                }
                None => return Err(at("expected a host name, an address or a prefix")),
            }
        }
        Ok(found)
    }
}

fn range(entry: &str) -> Option<AddressRange> {
    let (address, length) =
        entry.split_once('/').map_or((entry, None), |(address, length)| (address, Some(length)));
    let address: std::net::IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let length = length.map_or(Some(longest), |length| length.parse().ok())?;
    (length <= longest).then(|| AddressRange::of_prefix(address, length))
}

/// Whether a text could be the name of a host, with a dot in it: a list of top-level domains is a mistake.
fn is_name(entry: &str) -> bool {
    let labels: Vec<&str> = entry.trim_end_matches('.').split('.').collect();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &&str| (1..=63).contains(&label.len()) && label.bytes().all(plain);
    let letters = labels.last().is_some_and(|top| !top.bytes().all(|byte| byte.is_ascii_digit()));
    labels.len() > 1 && letters && entry.len() <= 253 && labels.iter().all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_addresses_and_prefixes() {
        let text = "# known resolvers\n\ndns.Example. # one\n192.0.2.53\n198.51.100.0/24\n2001:db8::53\n";
        let found = Resolvers::parse(text).unwrap();
        assert_eq!(found.names, BTreeSet::from(["dns.example".to_owned()]));
        let ranges =
            ["192.0.2.53/32", "198.51.100.0/24", "2001:db8::53/128"].map(|text| range(text).unwrap());
        assert_eq!(found.addresses, ranges);
    }

    #[test]
    fn refuses_what_is_neither_by_its_line() {
        for entry in [
            "com",
            "a b.example",
            "192.0.2.53/33",
            "1.2.3",
            "-",
            "x..example",
            "2001:db8::/129",
            "\u{e9}.example",
        ] {
            let text = format!("dns.example\n{entry}\n");
            assert_eq!(Resolvers::parse(&text).map_err(|(line, _)| line), Err(2), "{entry}");
        }
        let many: String = (0..=Resolvers::MAX).map(|number| format!("d{number}.example\n")).collect();
        assert_eq!(Resolvers::parse(&many), Err((Resolvers::MAX + 1, "too many entries")));
    }
}
