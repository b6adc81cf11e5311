//! The anchors of the site: everything the gateway believes without being shown a signature.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use cose::{Purpose, TrustAnchor, TrustAnchors};
use suit::AuthorityList;
use trust::{Policy, ReleaseAnchors};
use x509::Certificate;

use super::StartError;
use crate::manager::Sources;

/// What the network operator put in place by hand. No server can change it.
#[derive(Clone, Debug)]
pub struct Anchors {
    /// Who may sign releases, and the network needs in them.
    pub releases: ReleaseAnchors,
    /// Keys of the verifier and of the network operator, each for its purpose.
    pub keys: TrustAnchors,
    /// Whether every MUD file that asks for much may be applied without an approval of its own.
    pub broad_mud_approved: bool,
    /// The rules that turn a result into access.
    pub policy: Policy,
    /// Where MUD files come from besides releases, and which files wait for a person.
    pub sources: Sources,
    /// Seconds for which a device stays cut whose evidence was bad twice within half an hour; twice as long each further time.
    pub settle: i64,
}

impl Anchors {
    /// Loads a directory: `authorities.cbor` (authority list) and `verifier.key` (COSE_Key) must be there;
    /// `override.key` (COSE_Key), `mud-ca.der` (issuer of MUD signers), `policy.cbor` and an empty file
    /// `broad-approved` (files that ask for much are applied without an approval) may be.
    pub fn load(directory: &Path) -> Result<Self, StartError> {
        let authorities = required(directory, AUTHORITIES)?;
        let authorities =
            AuthorityList::decode(&authorities).map_err(|error| unusable(AUTHORITIES, error))?;
        let mut keys = TrustAnchors::default();
        keys.push(key(VERIFIER, &required(directory, VERIFIER)?, Purpose::Result)?);
        if let Some(bytes) = optional(directory, OVERRIDE)? {
            keys.push(key(OVERRIDE, &bytes, Purpose::Override)?);
        }
        let mut mud_issuers = Vec::new();
        if let Some(bytes) = optional(directory, MUD_CA)? {
            mud_issuers.push(Certificate::decode(&bytes).map_err(|error| unusable(MUD_CA, error))?);
        }
        let policy = match optional(directory, POLICY)? {
            Some(bytes) => Policy::decode(&bytes).map_err(|error| unusable(POLICY, error))?,
            None => default_policy(),
        };
        let broad_mud_approved = optional(directory, BROAD_APPROVED)?.is_some();
        Ok(Self {
            releases: ReleaseAnchors { authorities, mud_issuers },
            keys,
            broad_mud_approved,
            policy,
            sources: Sources::default(),
            settle: 0,
        })
    }
}

/// A result is good until the end that its verifier signed; without one, for a day.
fn default_policy() -> Policy {
    Policy { result_lifetime: LONGEST_RESULT, ..Policy::default() }
}

/// The key is the site's choice, whatever identifier messages use for it.
fn key(file: &str, bytes: &[u8], purpose: Purpose) -> Result<TrustAnchor, StartError> {
    let key = cose::Key::decode(bytes).map_err(|error| unusable(file, error))?;
    if key.secret().is_some() {
        return Err(unusable(file, "expected a public key, found a private one, which has no business here"));
    }
    Ok(TrustAnchor { key: key.public().clone(), kid: Vec::new(), purpose, name: file.to_owned() })
}

fn required(directory: &Path, file: &str) -> Result<Vec<u8>, StartError> {
    fs::read(directory.join(file)).map_err(|error| unusable(file, error))
}

fn optional(directory: &Path, file: &str) -> Result<Option<Vec<u8>>, StartError> {
    match fs::read(directory.join(file)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(file, error)),
    }
}

fn unusable(file: &str, why: impl ToString) -> StartError {
    StartError::Anchor { file: file.to_owned(), why: why.to_string() }
}

const AUTHORITIES: &str = "authorities.cbor";
const VERIFIER: &str = "verifier.key";
const OVERRIDE: &str = "override.key";
const MUD_CA: &str = "mud-ca.der";
const POLICY: &str = "policy.cbor";
const BROAD_APPROVED: &str = "broad-approved";

/// How long a result is believed that has no end of its own, in seconds.
const LONGEST_RESULT: i64 = 24 * 3600;
