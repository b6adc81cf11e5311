/// Media type of a session (Veraison's challenge-response API).
pub const CHALLENGE_SESSION: &str = "application/vnd.veraison.challenge-response-session+json";
/// Media type of the discovery document (Veraison).
pub const DISCOVERY: &str = "application/vnd.veraison.discovery+json";
/// Media type of evidence of this product's profile (RFC 9782, section 6.3).
pub const EVIDENCE: &str = "application/eat+cwt; eat_profile=\"urn:sextant:evidence:1\"";
/// Media type of a SUIT envelope.
pub const SUIT_ENVELOPE: &str = "application/suit-envelope+cose";
/// Media type of a signed SUIT report.
pub const SUIT_REPORT: &str = "application/suit-report+cose";
/// Media type of a signed override and of other COSE objects.
pub const COSE: &str = "application/cose";
/// Media type of an authority list.
pub const AUTHORITIES: &str = "application/cbor";
/// Media type of a list of devices in rows.
pub const CSV: &str = "text/csv";
/// Media type of problems (RFC 9457).
pub const PROBLEM: &str = "application/problem+json";
/// Media type of what became of a manifest.
pub const PROVISIONING_SESSION: &str = "application/vnd.veraison.provisioning-session+json";
/// An ownership voucher.
pub const VOUCHER: &str = "application/cbor";
