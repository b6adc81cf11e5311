//! Statements on what a scan of a release found, and which of them a policy asks for before a release is deployed.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use cbor::{Error as CborError, MapBuilder, Reader, Reason as Malformed, Writer};
use cose::{ContentType, Purpose, Sign1, Sign1Builder, TrustAnchors};
use crypto::{Digest, HashAlgorithm, SigningKey};

use crate::{
    Code, Reason,
    digest::{digest, encode_digest},
};

/// Content type of the payload of a signed statement.
const CONTENT_TYPE: &str = "application/vnd.sextant.scan+cbor";
/// The longest time a statement may hold, in seconds: a year.
pub const MAX_SCAN_TIME: i64 = 366 * 24 * 3600;
/// The longest text in a statement, in bytes.
pub const MAX_SCAN_TEXT: usize = 256;
/// How many bytes a signed statement may have.
pub const MAX_SCAN_LEN: usize = 16 << 10;

mod labels {
    pub(super) const RELEASE: i64 = 1;
    pub(super) const TOOL: i64 = 2;
    pub(super) const TOOL_VERSION: i64 = 3;
    pub(super) const DATABASE: i64 = 4;
    pub(super) const DATABASE_TIME: i64 = 5;
    pub(super) const SCANNED_AT: i64 = 6;
    pub(super) const FINDINGS: i64 = 7;
    pub(super) const EXPIRES: i64 = 8;
}

/// What a scan of a release found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Manifest digest of the release that was scanned.
    pub release: Digest,
    /// Name of the tool.
    pub tool: String,
    /// Its version.
    pub tool_version: String,
    /// Version of what it knows to look for.
    pub database: String,
    /// From when that is, in seconds since 1970, if it says.
    pub database_time: Option<i64>,
    /// When the scan was made, in seconds since 1970.
    pub scanned_at: i64,
    /// How many things it found. None is the verdict "nothing found".
    pub findings: u64,
    /// Until when the statement holds: what nobody knew to look for then may be known since.
    pub expires: i64,
}

/// A statement that is well-formed, and believed by nobody yet.
#[derive(Clone, Debug)]
pub struct SignedScan<'b> {
    message: Sign1<'b>,
    content: Scan,
    object: Digest,
}

/// A statement whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedScan {
    content: Scan,
    object: Digest,
    signer: Digest,
    name: String,
}

/// A statement that a policy asks for: that the tool found nothing, signed with the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredScan {
    /// SHA-256 thumbprint (RFC 9679) of the key.
    pub key: Digest,
    /// Name of the tool; any without it.
    pub tool: Option<String>,
}

impl<'b> SignedScan<'b> {
    /// Decodes a signed statement (COSE_Sign1).
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Reason> {
        if bytes.len() > MAX_SCAN_LEN {
            return Err(refused(&"it is longer than a statement"));
        }
        let message = Sign1::decode(bytes).map_err(|error| refused(&error))?;
        if !matches!(message.content_type(), Some(ContentType::MediaType(CONTENT_TYPE))) {
            return Err(refused(&"content type is not that of a statement on a scan"));
        }
        let content = Scan::decode(message.payload().unwrap_or_default()).map_err(|error| refused(&error))?;
        Ok(Self { message, content, object: Digest::of(HashAlgorithm::Sha256, bytes) })
    }

    /// What somebody says, whoever that is.
    pub fn unverified(&self) -> &Scan {
        &self.content
    }

    /// Verifies it with the keys that are trusted for statements on scans.
    pub fn verify(self, anchors: &TrustAnchors) -> Result<VerifiedScan, Reason> {
        let anchor =
            self.message.verify_with(anchors, Purpose::Scan, None, &[]).map_err(|error| refused(&error))?;
        Ok(VerifiedScan {
            signer: cose::thumbprint(&anchor.key, HashAlgorithm::Sha256),
            name: anchor.name.clone(),
            content: self.content,
            object: self.object,
        })
    }
}

impl VerifiedScan {
    /// What was found.
    pub fn content(&self) -> &Scan {
        &self.content
    }

    /// Digest of the signed object as received.
    pub fn object(&self) -> Digest {
        self.object
    }

    /// SHA-256 thumbprint of the key that signed it.
    pub fn signer(&self) -> Digest {
        self.signer
    }

    /// Name of that key.
    pub fn signer_name(&self) -> &str {
        &self.name
    }
}

impl Scan {
    /// Signs the statement.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        Sign1Builder::new().content_type(CONTENT_TYPE).sign(key, &self.encode())
    }

    /// The payload in its one encoding.
    pub fn encode(&self) -> Vec<u8> {
        use labels::*;
        let mut map = MapBuilder::new();
        map.int(RELEASE, |w| encode_digest(w, &self.release));
        for (label, text) in
            [(TOOL, &self.tool), (TOOL_VERSION, &self.tool_version), (DATABASE, &self.database)]
        {
            map.int(label, |w| {
                w.text(text);
            });
        }
        map.int_if(DATABASE_TIME, self.database_time, |w, time| {
            w.int(time);
        });
        map.int(SCANNED_AT, |w| {
            w.int(self.scanned_at);
        });
        map.int(FINDINGS, |w| {
            w.uint(self.findings);
        });
        map.int(EXPIRES, |w| {
            w.int(self.expires);
        });
        map.into_bytes()
    }

    /// Reads a payload: every entry but the time of the database is needed, and the time is bounded.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        use labels::*;
        let mut reader = Reader::new(bytes);
        let (mut release, mut tool, mut tool_version, mut database) = (None, None, None, None);
        let (mut database_time, mut scanned_at, mut findings, mut expires) = (None, None, None, None);
        let mut map = reader.map()?;
        while let Some(label) = map.next_int(&mut reader)? {
            let at = reader.position();
            match label {
                RELEASE => release = Some(digest(&mut reader)?),
                TOOL => tool = Some(name(&mut reader)?),
                TOOL_VERSION => tool_version = Some(name(&mut reader)?),
                DATABASE => database = Some(name(&mut reader)?),
                DATABASE_TIME => database_time = Some(reader.int()?),
                SCANNED_AT => scanned_at = Some(reader.int()?),
                FINDINGS => findings = Some(reader.uint()?),
                EXPIRES => expires = Some(reader.int()?),
                unknown => return Err(CborError::new(at, Malformed::Unknown(unknown))),
            }
        }
        reader.end()?;
        let missing = |label| CborError::new(0, Malformed::MissingKey(label));
        let scan = Self {
            release: release.ok_or(missing(RELEASE))?,
            tool: tool.ok_or(missing(TOOL))?,
            tool_version: tool_version.ok_or(missing(TOOL_VERSION))?,
            database: database.ok_or(missing(DATABASE))?,
            database_time,
            scanned_at: scanned_at.ok_or(missing(SCANNED_AT))?,
            findings: findings.ok_or(missing(FINDINGS))?,
            expires: expires.ok_or(missing(EXPIRES))?,
        };
        if scan.expires <= scan.scanned_at || scan.expires.saturating_sub(scan.scanned_at) > MAX_SCAN_TIME {
            return Err(CborError::rule(0, "a statement ends after the scan, and within a year"));
        }
        if scan.database_time.is_some_and(|time| time > scan.scanned_at) {
            return Err(CborError::rule(0, "what a tool knows is no newer than its scan"));
        }
        Ok(scan)
    }
}

impl RequiredScan {
    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.array(2).bytes(self.key.as_bytes());
        match &self.tool {
            Some(tool) => {
                writer.text(tool);
            }
            None => {
                writer.null();
            }
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, CborError> {
        reader.array_of(2)?;
        let at = reader.position();
        let key = Digest::new(HashAlgorithm::Sha256, reader.bytes()?);
        let key = key.ok_or(CborError::rule(at, "not a SHA-256"))?;
        let tool = if reader.is_null()? { None } else { Some(name(reader)?) };
        Ok(Self { key, tool })
    }

    fn asks_for(&self, scan: &VerifiedScan) -> bool {
        self.key == scan.signer && self.tool.as_ref().is_none_or(|tool| *tool == scan.content.tool)
    }
}

/// Whether a release may be deployed as far as scans are asked for. Of several statements that are asked for, the newest
/// scan counts, whatever it found; one that ended, or is from the future, is none.
pub fn check_scans<'s>(
    required: &[RequiredScan],
    release: &Digest,
    scans: impl IntoIterator<Item = &'s VerifiedScan> + Clone,
    now: i64,
) -> Result<(), Reason> {
    for wanted in required {
        let reason = |code| {
            let reason = Reason::new(code).with("key", wanted.key);
            wanted.tool.iter().fold(reason, |reason, tool| reason.with("tool", tool))
        };
        let fits = |scan: &&VerifiedScan| {
            scan.content.release == *release && wanted.asks_for(scan) && scan.content.scanned_at <= now
        };
        // Of two of one second the one that found more.
        let newest = scans
            .clone()
            .into_iter()
            .filter(fits)
            .max_by_key(|scan| (scan.content.scanned_at, scan.content.findings));
        match newest.map(|scan| &scan.content) {
            Some(scan) if scan.findings > 0 => {
                return Err(reason(Code::ScanFound).with("findings", scan.findings).with("tool", &scan.tool));
            }
            Some(scan) if now < scan.expires => {}
            _ => return Err(reason(Code::ScanMissing)),
        }
    }
    Ok(())
}

fn refused(error: &dyn core::fmt::Display) -> Reason {
    Reason::new(Code::ScanRefused).with("error", error)
}

/// A text of bounded length that is not empty.
fn name(reader: &mut Reader<'_>) -> Result<String, CborError> {
    let at = reader.position();
    let text = reader.text()?;
    if text.len() > MAX_SCAN_TEXT {
        return Err(CborError::new(at, Malformed::TooLong { limit: MAX_SCAN_TEXT }));
    }
    if text.trim().is_empty() {
        return Err(CborError::rule(at, "a text is empty"));
    }
    Ok(text.to_owned())
}
