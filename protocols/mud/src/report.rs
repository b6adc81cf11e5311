//! What a manufacturer may be told about its devices at a site (draft-lear-opsawg-mud-reporter, module
//! `ietf-mud-reporter`), as JSON. It says something about the site, so nothing is sent unless the operator agreed to it for
//! this manufacturer. Classes are counted, never listed, and addresses inside of the network are left out.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::address::is_internal;
use crate::json::JsonWriter;
use crate::model::Direction;
use crate::oracle::Resolved;
use crate::policy::{AceId, Policy, Remote};
use crate::url::MudUrl;

/// A report about the devices of one MUD URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// `mudurl`
    pub mud_url: MudUrl,
    /// `mud-report`, one for each time.
    pub records: Vec<ReportRecord>,
}

/// What was seen at one enforcer up to one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportRecord {
    /// `time`: hundredths of a second on the clock of the enforcer.
    pub time: u32,
    /// `enforcement-point-id`: a name that means nothing outside.
    pub enforcement_point: Option<String>,
    /// How many hosts the remotes of the policy stand for.
    pub population: Population,
    /// `opaque-identifier`: names of the devices that mean nothing outside.
    pub devices: Vec<String>,
    /// `drop-counts`
    pub drops: Vec<DropCount>,
    /// `match-counts`
    pub matches: Vec<MatchCount>,
}

/// Numbers of hosts behind the remotes of a policy; none where the policy names no such remote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Population {
    /// `mycontrollers`
    pub my_controllers: Option<u32>,
    /// `samemanufacturers`
    pub same_manufacturers: Option<u32>,
    /// `controllers`, by class.
    pub controllers: BTreeMap<String, u32>,
    /// `models`, by MUD URL.
    pub models: BTreeMap<String, u32>,
    /// `manufacturers`, by host.
    pub manufacturers: BTreeMap<String, u32>,
    /// `domains`: public addresses that names resolve to.
    pub domains: BTreeMap<String, Vec<IpAddr>>,
}

/// Packets that were dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropCount {
    /// Why.
    pub reason: DropReason,
    /// Which way they went.
    pub direction: Direction,
    /// How many.
    pub packets: u64,
}

/// Why packets were dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// `nomatch`: no entry matches.
    NoMatch,
    /// `connection-block`: this entry lets only the other end start.
    ConnectionBlock(AceId),
}

/// Packets that an entry let pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchCount {
    /// The entry.
    pub ace: AceId,
    /// How many.
    pub packets: u64,
}

impl Population {
    /// Counts what the remotes of a policy stand for at a site.
    pub fn count(policy: &Policy, resolved: &Resolved) -> Self {
        let mut population = Self::default();
        for remote in policy.remotes() {
            let members = resolved.members(remote);
            let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
            match remote {
                Remote::MyController => population.my_controllers = Some(count),
                Remote::SameManufacturer => population.same_manufacturers = Some(count),
                Remote::Controller(class) => drop(population.controllers.insert(class.clone(), count)),
                Remote::Model(url) => drop(population.models.insert(url.clone(), count)),
                Remote::Manufacturer(host) => drop(population.manufacturers.insert(host.clone(), count)),
                Remote::Name(name) => {
                    let public = members.iter().map(|prefix| prefix.address()).filter(|a| !is_internal(*a));
                    population.domains.insert(name.clone(), public.collect());
                }
                // Addresses of the site, and none of its business.
                Remote::Any | Remote::Prefix(_) | Remote::LocalNetworks => {}
            }
        }
        population
    }
}

impl Report {
    /// The report as JSON (RFC 7951: numbers of 64 bits are strings).
    pub fn encode_json(&self) -> String {
        let mut writer = JsonWriter::default();
        writer.object(|w| {
            w.member("ietf-mud-reporter:mud-reporter").object(|w| {
                w.member("mudurl").string(self.mud_url.as_str());
                w.member("mud-report").array(&self.records, encode_record);
            });
        });
        writer.finish()
    }
}

fn encode_record(w: &mut JsonWriter, record: &ReportRecord) {
    w.object(|w| {
        w.member("time").number(record.time);
        w.optional_string("enforcement-point-id", record.enforcement_point.as_ref());
        let population = &record.population;
        w.optional_number("mycontrollers", population.my_controllers);
        encode_counts(w, "controllers", "uri", &population.controllers);
        w.optional_number("samemanufacturers", population.same_manufacturers);
        encode_counts(w, "models", "uri", &population.models);
        encode_counts(w, "manufacturers", "authority", &population.manufacturers);
        if !population.domains.is_empty() {
            w.member("domains").array(&population.domains, |w, (name, addresses)| {
                w.object(|w| {
                    w.member("hostname").string(name);
                    if !addresses.is_empty() {
                        w.member("ip-addresses").strings(addresses.iter().map(ToString::to_string));
                    }
                });
            });
        }
        if !record.devices.is_empty() {
            w.member("opaque-identifier").strings(&record.devices);
        }
        w.member("drop-counts").array(&record.drops, |w, drop| {
            w.object(|w| {
                match &drop.reason {
                    DropReason::NoMatch => w.member("reason").string("nomatch"),
                    DropReason::ConnectionBlock(ace) => {
                        w.member("reason").string("connection-block");
                        w.member("ace-name").string(&ace_name(ace));
                    }
                }
                w.member("direction").string(drop.direction.name());
                w.member("drop-count").string(&drop.packets.to_string());
            });
        });
        w.member("match-counts").array(&record.matches, |w, passed| {
            w.object(|w| {
                w.member("ace-name").string(&ace_name(&passed.ace));
                w.member("packet-count").string(&passed.packets.to_string());
            });
        });
    });
}

fn encode_counts(w: &mut JsonWriter, list: &str, key: &str, counts: &BTreeMap<String, u32>) {
    if !counts.is_empty() {
        w.member(list).array(counts, |w, (name, count)| {
            w.object(|w| {
                w.member(key).string(name);
                w.member("count").number(*count);
            });
        });
    }
}

fn ace_name(ace: &AceId) -> String {
    format!("{}/{}", ace.acl, ace.ace)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::address::IpPrefix;
    use crate::compile::compile;
    use crate::decode::{Context, parse};

    fn ace(acl: &str, ace: &str) -> AceId {
        AceId { acl: acl.into(), ace: ace.into() }
    }

    /// Counts of classes, no addresses of the site, and the shape of the draft's example.
    #[test]
    fn a_report_counts_classes_and_names_nobody() {
        let file = include_bytes!("../tests/data/welcome-cam.json");
        let policy = compile(&parse(file, &Context::default()).expect("a file").file).policy;
        let mut resolved = Resolved::default();
        let host = |text: &str| IpPrefix::host(text.parse().expect("an address"));
        resolved.insert(Remote::SameManufacturer, [host("192.168.7.1"), host("192.168.7.2")]);
        resolved.insert(Remote::LocalNetworks, [IpPrefix::parse("192.168.7.0/24").expect("a prefix")]);
        let name = Remote::Name("api.northlight.example".into());
        resolved.insert(name, [host("203.0.113.5"), host("10.1.2.3")]);
        let record = ReportRecord {
            time: 26_098_746,
            enforcement_point: Some("gateway \"1\"".into()),
            population: Population::count(&policy, &resolved),
            devices: vec!["6f67".into()],
            drops: vec![
                DropCount {
                    reason: DropReason::NoMatch,
                    direction: Direction::FromDevice,
                    packets: u64::MAX,
                },
                DropCount {
                    reason: DropReason::ConnectionBlock(ace("fr", "loc1")),
                    direction: Direction::ToDevice,
                    packets: 1,
                },
            ],
            matches: vec![MatchCount { ace: ace("to", "loc0"), packets: 13 }],
        };
        let mud_url = MudUrl::parse("https://mud.northlight.example/welcome-cam/v3.json").expect("a URL");
        let json = Report { mud_url, records: vec![record] }.encode_json();
        let expected = include_str!("../tests/data/report.json");
        assert_eq!(json, expected);
        assert!(!json.contains("192.168.") && !json.contains("10.1.2.3"));
    }
}
