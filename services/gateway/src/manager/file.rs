//! From the bytes of a file and its signature to what may be applied (RFC 8520, section 13.2): first the signature, and
//! only then the file.

use std::collections::BTreeMap;

use api::Reason;
use crypto::{Digest, HashAlgorithm};
use mud::{
    Admission, Context, Doubt, Error, Finding, MudFile, MudUrl, Policy, Severity, Signature, Signer,
    SiteMode, admit,
};
use x509::cms::{Detached, SignerPolicy};
use x509::{Certificate, Name};

/// Whose word a file is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The operator gave it.
    Operator,
    /// A third party published it.
    ThirdParty(String),
    /// It lies at the URL that a device announced.
    Announced,
}

impl Source {
    /// Its name for people.
    pub fn name(&self) -> &str {
        match self {
            Self::Operator => "operator",
            Self::ThirdParty(name) => name,
            Self::Announced => "announced",
        }
    }
}

/// By what a file is judged.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'t> {
    /// The URL that devices have.
    pub url: &'t MudUrl,
    /// Whose word it is.
    pub source: &'t Source,
    /// Issuers of its signers.
    pub anchors: &'t [Certificate],
    /// Certificates at hand.
    pub extra: &'t [Certificate],
    /// The only subject that may have signed.
    pub signer: Option<&'t Name>,
    /// What happens to a file that no signature vouches for.
    pub mode: &'t SiteMode,
    /// The URL of a device can never change.
    pub fixed: bool,
    /// What is done about literal addresses.
    pub addresses: mud::Addresses,
    /// A file at least this broad waits.
    pub breadth: u8,
    /// At what time certificates have to be valid, in seconds since 1970.
    pub signed_at: i64,
    /// Now.
    pub now: i64,
}

/// A file whose signature vouches for it, or that somebody approved, and what it says.
#[derive(Clone, Debug)]
pub struct File {
    /// The file as received.
    pub bytes: Vec<u8>,
    /// Its signature as received.
    pub signature: Option<Vec<u8>>,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Who signed it.
    pub signer: Option<Signer<Name>>,
    /// What it says.
    pub content: MudFile,
    /// What it permits.
    pub policy: Policy,
    /// What there is to say about it.
    pub findings: Vec<Finding>,
    /// How broad it is, from 0 to 100.
    pub breadth: u8,
    /// Why a person has to look at it whatever was before.
    pub reservations: Vec<Reason>,
    /// End of the standing approval that stands for its signature.
    pub until: Option<i64>,
}

/// What becomes of a file.
#[derive(Clone, Debug)]
pub enum Examined {
    /// It is read.
    Read(Box<File>),
    /// It is not processed until an administrator approves, because no signature vouches for it.
    Held(Reason),
    /// It is not processed.
    Refused(Reason),
}

/// Digest by which a file is known.
pub(super) fn digest(bytes: &[u8]) -> Digest {
    Digest::of(HashAlgorithm::Sha256, bytes)
}

/// Looks at a file. `approved` says that an administrator approved these very bytes.
pub fn examine(bytes: &[u8], signature: Option<&[u8]>, terms: &Terms<'_>, approved: bool) -> Examined {
    let (found, why) = verify(bytes, signature, terms);
    let standing = match (terms.source, signature) {
        // What the operator put there himself needs nobody else to vouch for it.
        (Source::Operator, None) => Admission::Process,
        _ => admit(&found, terms.signer, terms.mode, terms.url, terms.now),
    };
    let mut reservations = Vec::new();
    let mut until = None;
    match standing {
        Admission::Process => {}
        Admission::ProcessUnderApproval(_) => {
            if let SiteMode::Laboratory(approval) = terms.mode {
                until = Some(approval.expires);
            }
        }
        Admission::Hold(doubt) if approved => reservations.push(doubtful(doubt, why)),
        Admission::Hold(doubt) => return Examined::Held(doubtful(doubt, why)),
        Admission::Refuse(doubt) => return Examined::Refused(doubtful(doubt, why)),
    }
    let signer = match found {
        Signature::Verified(signer) => Some(signer),
        _ => None,
    };
    read(bytes, signature, signer, (reservations, until), terms)
}

fn read(
    bytes: &[u8],
    signature: Option<&[u8]>,
    signer: Option<Signer<Name>>,
    (mut reservations, until): (Vec<Reason>, Option<i64>),
    terms: &Terms<'_>,
) -> Examined {
    let context = Context {
        fetched_url: Some(terms.url.as_str()),
        url_is_fixed: terms.fixed,
        addresses: terms.addresses,
        move_authorised: *terms.source == Source::Operator,
    };
    let parsed = match mud::parse(bytes, &context) {
        Err(Error::Moved { found, .. }) => {
            reservations.push(why(MOVED).with("found", found));
            mud::parse(bytes, &Context { move_authorised: true, ..context })
        }
        other => other,
    };
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return Examined::Refused(why(REFUSED).with("error", error)),
    };
    let compiled = mud::compile(&parsed.file);
    let mut findings = parsed.findings;
    findings.extend(compiled.findings);
    let breadth = compiled.policy.breadth().score;
    if *terms.source != Source::Operator {
        let asking = findings.iter().filter(|finding| finding.severity == Severity::NeedsApproval);
        // The move has its own reservation above.
        let asking = asking
            .take(MAX_NAMED)
            .map(|finding| why(NEEDS_APPROVAL).with("rule", finding.code).with("path", &finding.path));
        reservations.extend(asking);
        if breadth >= terms.breadth {
            reservations.push(why(NEEDS_APPROVAL).with("breadth", breadth));
        }
    }
    Examined::Read(Box::new(File {
        bytes: bytes.to_vec(),
        signature: signature.map(<[u8]>::to_vec),
        digest: digest(bytes),
        signer,
        content: parsed.file,
        policy: compiled.policy,
        findings,
        breadth,
        reservations,
        until,
    }))
}

/// The signer, or why there is none to be believed.
fn verify(bytes: &[u8], signature: Option<&[u8]>, terms: &Terms<'_>) -> (Signature<Name>, Option<String>) {
    let Some(signature) = signature else { return (Signature::Missing, None) };
    let policy =
        SignerPolicy { anchors: terms.anchors, extra: terms.extra, subject: None, now: terms.signed_at };
    match Detached::decode(signature).and_then(|message| message.verify(bytes, &policy)) {
        Err(error) => (Signature::Refused, Some(error.to_string())),
        Ok(verified) => {
            let issuers = verified.chain().iter().skip(1).filter_map(Certificate::subject_key_id);
            let mut authorities: Vec<Vec<u8>> = issuers.map(<[u8]>::to_vec).collect();
            if authorities.is_empty() {
                // The signer's own certificate is the anchor, or its issuer has no identifier.
                authorities.push(digest(verified.issuer().public_key_der()).as_bytes().to_vec());
            }
            (Signature::Verified(Signer { subject: verified.subject().clone(), authorities }), None)
        }
    }
}

fn doubtful(doubt: Doubt, error: Option<String>) -> Reason {
    let reason = why(doubt.code());
    match error {
        Some(error) => reason.with("error", error),
        None => reason,
    }
}

/// A reason by its code.
pub(crate) fn why(code: &str) -> Reason {
    Reason { code: code.to_owned(), detail: BTreeMap::new() }
}

/// For reasons that are put together.
pub(crate) trait With: Sized {
    /// The same reason with one more detail.
    fn with(self, name: &str, value: impl ToString) -> Self;
}

impl With for Reason {
    fn with(mut self, name: &str, value: impl ToString) -> Self {
        let text: String = value.to_string().chars().take(MAX_DETAIL).collect();
        self.detail.insert(name.to_owned(), text);
        self
    }
}

/// The file says that it lives elsewhere.
const MOVED: &str = "mud-url-moved";
/// The file breaks a rule.
const REFUSED: &str = "mud-refused";
/// The file asks for much.
const NEEDS_APPROVAL: &str = "mud-needs-approval";
/// Findings of one file that are named as reasons.
const MAX_NAMED: usize = 8;
/// Characters of a detail.
const MAX_DETAIL: usize = 256;
