//! What accepted manifests say, for other verifiers that ask (draft-ietf-rats-coserv).

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use corim::{Coserv, CryptoKey, Profile};
use cose::Sign1Builder;
use crypto::Digest;
use store::{EndorsementId, ObjectId};
use trust::{Code, Reason};

use crate::app::{App, Failure};

/// How long an answer counts in seconds, where nothing it holds ends before.
const LIFETIME: i64 = 3600;

/// Longest query, in characters.
pub(crate) const MAX_QUERY: usize = 8 << 10;

/// Media types of an answer, plain and signed.
pub(crate) const PLAIN: &str = "application/coserv+cbor";
pub(crate) const SIGNED: &str = "application/coserv+cose";

/// An answer, and for how many seconds it may be kept.
pub(crate) struct Distributed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) max_age: i64,
    pub(crate) profile: Profile,
}

impl App {
    /// Answers a query in base64url.
    pub(crate) async fn distribute(&self, query: &str, signed: bool) -> Result<Distributed, Failure> {
        let malformed = |what: &str| Failure::Malformed(what.to_owned());
        if query.len() > MAX_QUERY {
            return Err(malformed("the query is too long"));
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(query);
        let bytes = bytes.map_err(|_| malformed("the query is not base64url without padding"))?;
        let asked =
            Coserv::decode(&bytes).map_err(|error| Failure::Malformed(super::failure::describe(&error)))?;
        // One question has one address, so that its answer can be kept by it.
        if asked.results.is_some() || asked.encode() != bytes {
            return Err(malformed("the query is not one in deterministic encoding"));
        }
        let now = self.now().seconds();
        let own = CryptoKey::of_public_key(self.distribution_key.signing.public_key());
        let answer = self.endorsements().answer(&asked, &own, now, now.saturating_add(LIFETIME));
        // The interface knows no query that is well-formed and refused.
        let refused = |reason: Reason| match reason.code {
            Code::NoReference => Failure::NotFound,
            _ => Failure::Malformed(reason.to_string()),
        };
        let answer = answer.map_err(refused)?;
        let mut manifests: BTreeMap<Digest, Vec<u8>> = BTreeMap::new();
        for digest in answer.sources() {
            let id = EndorsementId::from_bytes(digest.as_bytes()).ok_or(Failure::NotFound)?;
            manifests.insert(*digest, self.endorsement(id).await?.bytes);
        }
        let results = answer.complete(&manifests).map_err(refused)?;
        let max_age = results.expiry.saturating_sub(now).max(0);
        let answer = Coserv { results: Some(results), ..asked };
        let bytes = match signed {
            false => answer.encode(),
            true => {
                let key = &self.distribution_key;
                Sign1Builder::new().kid(&key.kid).content_type(PLAIN).sign(&key.signing, &answer.encode())
            }
        };
        Ok(Distributed { bytes, max_age, profile: answer.profile })
    }

    /// The profiles of which there is something to ask for.
    pub(crate) fn distributed_profiles(&self) -> BTreeSet<String> {
        let endorsements = self.endorsements();
        let profiles = endorsements.manifests().filter_map(|(_, manifest)| manifest.corim().profile.as_ref());
        profiles.filter_map(uri).collect()
    }
}

/// A profile as a parameter of a media type names it.
pub(crate) fn uri(profile: &Profile) -> Option<String> {
    match profile {
        Profile::Uri(uri)
            if uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') =>
        {
            Some(uri.clone())
        }
        _ => None,
    }
}
