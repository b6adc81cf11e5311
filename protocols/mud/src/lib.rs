//! Manufacturer usage descriptions (RFC 8520) over access control lists (RFC 8519): a file that says with whom a device
//! means to communicate.
//!
//! [`parse`] reads a file and says what is wrong with it. [`compile`] turns it into a [`Policy`]: the ordered list of the
//! flows that may start, whose remotes are selectors such as a name or a class. A [`Site`] resolves the selectors to
//! addresses, and [`oracle`] gives the verdict on a packet, as every enforcer has to give it. [`diff`] and
//! [`Policy::breadth`] tell a person what a new version would permit.
//!
//! Around it stand the decisions of a manager: what a device announces ([`announced_url`]), when a file is fetched
//! ([`MudFile::check`]), whether it is read ([`admit`]) and may follow the one in force ([`Lineage`]); and whether a TLS
//! handshake keeps to the profile in a file ([`TlsStart`], [`judge`]).
//!
//! ```
//! # use sextant_mud as mud;
//! # fn main() -> Result<(), mud::Error> {
//! # let bytes = include_bytes!("../tests/data/welcome-cam.json");
//! let url = "https://mud.northlight.example/welcome-cam/v3.json";
//! let parsed = mud::parse(bytes, &mud::Context { fetched_url: Some(url), ..Default::default() })?;
//! let compiled = mud::compile(&parsed.file);
//! let worst = mud::worst(parsed.findings.iter().chain(&compiled.findings));
//! assert!(worst < Some(mud::Severity::NeedsApproval) && !compiled.policy.breadth().needs_approval());
//! assert_eq!(
//!     compiled.policy.entries[0].to_string(),
//!     "from-device ipv4 tcp to name api.northlight.example port 443: accept"
//! );
//! # Ok(())
//! # }
//! ```
//!
//! What this crate is not: it fetches nothing, resolves no names, verifies no signature (that is `x509::cms`) and
//! programs no packet filter. A [`MudFile`] is a manufacturer's suggestion; believing it is up to who holds the anchors.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod address;
mod breadth;
mod compile;
mod decode;
mod diff;
mod encode;
mod encode_policy;
mod error;
mod extensions;
mod finding;
mod json;
mod learn;
mod lint;
mod manager;
mod model;
mod oracle;
mod policy;
mod ports;
mod report;
mod site;
mod time;
mod tls;
mod url;

// Public interface
pub use address::{Family, IpPrefix};
pub use breadth::{APPROVAL_BREADTH, Breadth};
pub use compile::{Compiled, compile};
pub use decode::{Addresses, Context, Head, MAX_ACES, MAX_ACLS, MAX_ENTRIES, MAX_NAMES, Parsed, parse};
pub use diff::{PolicyDiff, diff};
pub use error::{Error, Limit, SchemaFault};
pub use extensions::{
    AttestationResources, Ownership, Pointer, Sbom, SbomRetrieval, TlsProfile, TlsVersion, Transparency,
    VulnerabilityRetrieval,
};
pub use finding::{Finding, Rule, Severity, rules};
pub use json::{JsonFault, MAX_FILE_BYTES, MAX_NESTING};
pub use learn::{
    Hesitation, LeftOut, MAX_PROPOSED, MAX_PROPOSED_PORTS, Observation, Omission, Proposal, Proposed,
    Surroundings, propose,
};
pub use lint::worst;
pub use manager::{
    Admission, AnnouncementFault, Announcer, Check, Doubt, Freshness, Label, Lineage, MAX_REDIRECTS,
    MAX_REFRESH_SECONDS, MIN_REFRESH_SECONDS, Offer, Redirect, RedirectFault, Reservation, Retrieval,
    Signature, Signer, SignerChange, SignerPin, SiteMode, StandingApproval, Succession, UrlChange, admit,
    announced_by_dhcp, announced_url, is_public, redirect,
};
pub use model::{
    Ace, AceBody, Acl, AclType, DEFAULT_CACHE_VALIDITY, Direction, EthMatch, Forwarding, IcmpMatch, IpMatch,
    MacAddress, Matches, MudFile, MudMatch, PortMatch, PortOperator, TCP_FLAGS, TcpMatch, TransportMatch,
    UdpMatch, displayable,
};
pub use oracle::{
    ConnState, Decision, Difference, End, NearMiss, Packet, PacketFields, Reason, Resolved, nearest, oracle,
    oracle_between,
};
pub use policy::{
    AceId, CONTROLLER_DNS, CONTROLLER_MANAGEMENT, CONTROLLER_NTP, Entry, ExtraMatch, Policy, Protocol,
    Remote, Verdict,
};
pub use ports::Ports;
pub use report::{DropCount, DropReason, MatchCount, Population, Report, ReportRecord};
pub use site::{MAX_ADDRESSES_PER_NAME, Member, Site, Strength, WeakAccess};
pub use time::DateTime;
pub use tls::{
    ClientHello, DtlsStart, EncryptedClientHello, FlowFault, HelloFault, MAX_CLIENT_HELLO_BYTES, NameCheck,
    Progress, TlsStart, TlsVerdict, Transport, Violation, judge,
};
pub use url::{Authority, Host, MAX_URL_BYTES, MudUrl};
