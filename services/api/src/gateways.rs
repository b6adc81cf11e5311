use serde::{Deserialize, Serialize};

use crate::{Base64Url, FlowRecord, MudCheck, NetworkDevice, NetworkModel, Reason, Restriction, Withheld};

/// What a gateway fetches. It verifies every object in it; what is not signed can only narrow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayState {
    /// To be given as `since` next time.
    pub revision: u64,
    /// Every release that is not revoked, images stripped.
    pub releases: Vec<GatewayRelease>,
    /// Every device in service.
    pub devices: Vec<GatewayDevice>,
    /// Signed overrides whose end is to come.
    pub overrides: Vec<Base64Url>,
    /// Manifest digests of revoked releases, hexadecimal.
    pub revoked: Vec<String>,
    /// MUD URLs that somebody wants checked: fetched sooner, and nothing else.
    #[serde(default)]
    pub checks: Vec<MudCheck>,
}

/// A release as a gateway gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayRelease {
    /// Manifest digest, hexadecimal.
    pub manifest_digest: String,
    /// The envelope without images, with its MUD file.
    pub envelope: Base64Url,
}

/// A device as a gateway gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayDevice {
    /// UEID, hexadecimal.
    pub ueid: String,
    /// Name for people.
    pub name: String,
    /// Model.
    pub model: String,
    /// MUD URL of the release it was found to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mud_url: Option<String>,
    /// Its newest signed result, a CWT.
    pub result: Option<Base64Url>,
    /// What a person's block or quarantine leaves it.
    #[serde(deserialize_with = "crate::restriction::read")]
    pub held: Option<Restriction>,
    /// Manifest digest of the release it is offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<String>,
}

/// What a gateway reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayReport {
    /// Its name.
    pub gateway: String,
    /// Releases whose policy stands ready: the whole list.
    #[serde(default)]
    pub staged: Vec<Staged>,
    /// Objects it does not believe: the whole list.
    #[serde(default)]
    pub refused: Vec<Refused>,
    /// What it applied since the last report.
    #[serde(default)]
    pub applied: Vec<Applied>,
    /// What it dropped since the last report.
    #[serde(default)]
    pub violations: Vec<Violation>,
    /// Devices admitted since the last report.
    #[serde(default)]
    pub bindings: Vec<Binding>,
    /// Flows that began since the last report, by what permits them.
    #[serde(default)]
    pub used: Vec<Used>,
    /// What devices did since the last report.
    #[serde(default)]
    pub flows: Vec<FlowRecord>,
    /// What devices asked its resolver since the last report.
    #[serde(default)]
    pub dns: Vec<DnsUse>,
    /// How it stands: the whole list.
    #[serde(default)]
    pub status: Vec<GatewayStatus>,
    /// Cuts that it withholds: the whole list.
    #[serde(default)]
    pub withheld: Vec<Withheld>,
    /// MUD URLs of devices without attestation: the whole list, when it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<NetworkModel>>,
    /// Devices without attestation: the whole list, when it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unattested: Option<Vec<NetworkDevice>>,
}

/// How something stands at a gateway.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GatewayStatus {
    /// A word that does not change, as `ports-isolated`.
    pub code: String,
    /// Whether it is as it should be.
    pub good: bool,
    /// The same for people.
    pub text: String,
}

/// What a device asked a gateway's resolver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsUse {
    /// UEID, hexadecimal.
    pub ueid: String,
    /// Questions.
    pub queries: u64,
    /// For names that there are not.
    pub nxdomain: u64,
    /// For names outside its policy.
    pub outside: u64,
    /// Answers withheld, because a public name had a private address.
    pub private: u64,
    /// For names of resolvers that the site keeps devices from; refused.
    pub blocked: u64,
    /// For long names without pattern, beyond the number under one domain that makes a tunnel likely.
    pub tunnel: u64,
    /// The last such domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// When it was last counted, in milliseconds since 1970.
    pub last_ms: i64,
}

impl DnsUse {
    /// Adds what was counted later, or elsewhere.
    pub fn add(&mut self, other: &Self) {
        let sums = [
            (&mut self.queries, other.queries),
            (&mut self.nxdomain, other.nxdomain),
            (&mut self.outside, other.outside),
            (&mut self.private, other.private),
            (&mut self.blocked, other.blocked),
            (&mut self.tunnel, other.tunnel),
        ];
        for (sum, more) in sums {
            *sum = sum.saturating_add(more);
        }
        if other.domain.is_some() && (other.last_ms >= self.last_ms || self.domain.is_none()) {
            self.domain.clone_from(&other.domain);
        }
        self.last_ms = self.last_ms.max(other.last_ms);
    }
}

/// Flows that began by one entry of a release's MUD file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Manifest digest of the release, hexadecimal.
    pub manifest_digest: String,
    /// The list; empty for what every device may do.
    pub acl: String,
    /// The entry.
    pub ace: String,
    /// How many flows. Entries that name the same service at the same place share a count.
    pub flows: u64,
    /// When the count was taken, in milliseconds since 1970.
    pub last_ms: i64,
}

/// A release whose policy stands ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// Manifest digest, hexadecimal.
    pub manifest_digest: String,
    /// Digest of the MUD file.
    #[serde(default)]
    pub mud_digest: Option<String>,
}

/// An object that is not believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Which: `release:…`, `result:…` or `override:…`.
    pub object: String,
    /// Why.
    pub reason: Reason,
}

/// What the kernel enforces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// UEID, hexadecimal.
    pub ueid: String,
    /// What it may reach.
    pub profile: Profile,
    /// The release whose policy it is.
    pub manifest_digest: Option<String>,
    /// Why it is not that of its release.
    #[serde(default)]
    pub reasons: Vec<Reason>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// What a device may reach: the level of the response to it, from the widest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// What its release does not declare passes as well, and is told.
    Observed,
    /// What its release declares.
    Release,
    /// Nothing new but attestation, update and what they need; what runs by its release goes on.
    Restricted,
    /// Attestation, update and what they need.
    UpdateOnly,
    /// Nothing.
    Blocked,
    /// Nothing, and it is put off the link.
    Ejected,
}

impl Profile {
    /// Every level.
    pub const ALL: [Self; 6] =
        [Self::Observed, Self::Release, Self::Restricted, Self::UpdateOnly, Self::Blocked, Self::Ejected];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Release => "release",
            Self::Restricted => "restricted",
            Self::UpdateOnly => "update-only",
            Self::Blocked => "blocked",
            Self::Ejected => "ejected",
        }
    }

    /// Whether the flows that its release declares may begin.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Observed | Self::Release)
    }
}

/// Packets that were dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// UEID, hexadecimal, if the gateway knows the sender.
    pub ueid: Option<String>,
    /// MAC address.
    pub mac: String,
    /// Source address.
    pub src: String,
    /// Destination address.
    pub dst: String,
    /// Protocol.
    pub protocol: String,
    /// Source port, 0 where there is none.
    pub sport: u16,
    /// Destination port, 0 where there is none.
    pub dport: u16,
    /// `from-device` or `to-device`.
    pub direction: String,
    /// Log group of the rule; [`Violation::OBSERVED`] for packets that passed.
    pub group: u16,
    /// What was wrong: `no-match`, `wrong-initiator` (the other end may start this), `unknown-device`, `spoofed-binding`,
    /// `resolver` or `tls-profile` ([`Violation::HANDSHAKE`]); `observed` is of packets that passed. Gateways that do not say
    /// leave it empty.
    #[serde(default)]
    pub class: String,
    /// UEID of the device whose address or MAC was used without the other. It speaks not against that device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imitated: Option<String>,
    /// How many so far.
    pub count: u64,
    /// When the first was seen, in milliseconds since 1970.
    pub first_ms: i64,
    /// When the last was seen.
    pub last_ms: i64,
    /// DNS name of the far end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is wrong with the handshake, where that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
}

impl Violation {
    /// The group of packets that a release does not declare and that passed, because their device is only observed.
    pub const OBSERVED: u16 = 14;
    /// The group of flows that were dropped for a handshake that their release does not describe. It is none of the kernel's.
    pub const HANDSHAKE: u16 = 15;
}

/// Where a device was admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// UEID, hexadecimal.
    pub ueid: String,
    /// MAC address.
    pub mac: String,
    /// IP addresses.
    pub addresses: Vec<String>,
}

/// A gateway as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// Its name.
    pub name: String,
    /// When it was first heard of (RFC 3339).
    pub first_seen: String,
    /// When it was last heard of.
    pub last_seen: String,
    /// The revision it last asked from.
    pub revision: u64,
    /// Manifest digests of the releases it staged.
    pub staged: Vec<String>,
    /// What it does not believe.
    pub refused: Vec<Refused>,
    /// How it stands.
    #[serde(default)]
    pub status: Vec<GatewayStatus>,
}
