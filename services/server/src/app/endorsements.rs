//! Manifests of reference values and endorsements (CoRIM): stored as received, verified whenever they are read.

use std::sync::{Arc, PoisonError};

use corim::{Anchors, Received, TagId, VerifiedCorim};
use crypto::{Digest, HashAlgorithm};
use serde_json::json;
use store::{EndorsementRecord, NewEndorsement};
use trust::{Code, Endorsements, Reason};

use crate::app::{App, Failure, reasons, releases::hex, rfc3339};

impl App {
    /// What accepted manifests say, as last verified.
    pub(crate) fn endorsements(&self) -> Arc<Endorsements> {
        self.endorsed.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Verifies every stored manifest again. One that does not hold says nothing, and is told aloud.
    pub(crate) async fn read_endorsements(&self) -> Result<(), store::Error> {
        let mut endorsements = Endorsements::new();
        for record in self.store.endorsements().await? {
            if record.revoked_at.is_some() {
                continue;
            }
            match self.verify_endorsement(&record.bytes, &record.received_by) {
                Ok(manifest) if manifest.digest().as_bytes() == record.digest => {
                    endorsements.add(manifest);
                }
                Ok(_) => tracing::error!(
                    manifest = hex(&record.digest),
                    "a stored manifest is not the one that came"
                ),
                Err(reason) => {
                    tracing::warn!(manifest = hex(&record.digest), %reason, "a manifest does not hold any more");
                }
            }
        }
        self.change_endorsements(|present| *present = endorsements);
        Ok(())
    }

    fn change_endorsements(&self, change: impl FnOnce(&mut Endorsements)) {
        let mut endorsed = self.endorsed.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut endorsed));
    }

    /// Accepts a manifest: signed by one of the endorsers of this server, or unsigned, so that whoever brings it answers
    /// for it.
    pub(crate) async fn add_endorsement(
        &self,
        bytes: Vec<u8>,
        actor: &str,
    ) -> Result<api::Endorsement, Failure> {
        let digest = Digest::of(HashAlgorithm::Sha256, &bytes);
        let manifest = match self.verify_endorsement(&bytes, actor) {
            Ok(manifest) => manifest,
            Err(reason) => {
                let detail = json!(reasons::to_api(&reason));
                self.audit(actor, "endorsement.refuse", format!("object:{digest}"), detail).await?;
                return Err(Failure::Refused(reason));
            }
        };
        let at = self.now();
        let new = NewEndorsement { digest: digest.as_bytes().to_vec(), bytes, at, actor: actor.to_owned() };
        self.store.add_endorsement(new).await?;
        let record = self.endorsement(digest.as_bytes()).await?;
        let view = view(&record, Some(&manifest));
        self.change_endorsements(|endorsements| {
            endorsements.add(manifest);
        });
        Ok(view)
    }

    /// Every manifest that was ever accepted.
    pub(crate) async fn endorsement_views(&self) -> Result<Vec<api::Endorsement>, Failure> {
        let endorsements = self.endorsements();
        let verified = |record: &EndorsementRecord| {
            let mut manifests = endorsements.manifests();
            manifests.find(|(digest, _)| digest.as_bytes() == record.digest).map(|(_, manifest)| manifest)
        };
        let records = self.store.endorsements().await?;
        Ok(records.iter().map(|record| view(record, verified(record))).collect())
    }

    /// One manifest as it was received.
    pub(crate) async fn endorsement(&self, digest: &[u8]) -> Result<EndorsementRecord, Failure> {
        self.store.endorsement(digest).await?.ok_or(Failure::NotFound)
    }

    /// Takes back what a manifest said, for good.
    pub(crate) async fn revoke_endorsement(&self, digest: &[u8], actor: &str) -> Result<(), Failure> {
        self.endorsement(digest).await?;
        self.store.revoke_endorsement(digest.to_vec(), actor, self.now()).await?;
        if let Some(digest) = Digest::new(HashAlgorithm::Sha256, digest) {
            self.change_endorsements(|endorsements| {
                endorsements.remove(&digest);
            });
        }
        Ok(())
    }

    fn verify_endorsement(&self, bytes: &[u8], bringer: &str) -> Result<VerifiedCorim, Reason> {
        let now = self.now().seconds();
        let verified = Received::decode(bytes).and_then(|received| match received {
            Received::Unsigned(manifest) => manifest.trusted_by_operator(bringer, Vec::new(), now),
            Received::Signed(manifest) => {
                let anchors =
                    Anchors { keys: &self.config.endorsers, issuers: &self.config.endorser_issuers };
                manifest.verify(anchors, now)
            }
        });
        verified.map_err(|error| {
            let code = Code::from_text(error.code()).unwrap_or(Code::MalformedObject);
            Reason::new(code).with("error", super::failure::describe(&error))
        })
    }
}

fn view(record: &EndorsementRecord, verified: Option<&VerifiedCorim>) -> api::Endorsement {
    let id = verified.map(|manifest| match &manifest.corim().id {
        TagId::Text(text) => text.clone(),
        TagId::Uuid(uuid) => hex(uuid),
    });
    let triples = |count: fn(&corim::Triples) -> usize| {
        verified.map_or(0, |manifest| manifest.comids().map(|comid| count(&comid.triples)).sum())
    };
    api::Endorsement {
        digest: hex(&record.digest),
        id,
        authority: verified.map(|manifest| match manifest.authority() {
            corim::Authority::Key(anchor) => anchor.name.clone(),
            corim::Authority::Certificate(certificate) => certificate.subject().to_string(),
            corim::Authority::Operator(name) => name.clone(),
        }),
        received_at: rfc3339(record.received_at),
        received_by: record.received_by.clone(),
        revoked_at: record.revoked_at.map(rfc3339),
        holds: verified.is_some(),
        reference_values: triples(|triples| triples.reference.len()),
        attestation_keys: triples(|triples| triples.attest_key.len()),
    }
}

#[cfg(test)]
mod tests {
    use corim::{Distrust, Error};

    use super::*;

    #[test]
    fn every_refusal_of_a_manifest_keeps_its_code() {
        let signature = |distrust: cose::Distrust| Error::Signature(distrust.into());
        let rows = [
            (Error::UnknownProfile, "reference-profile"),
            (Error::Profile { comid: 0, rule: "" }, "reference-profile"),
            (Error::Incomplete(""), "malformed-object"),
            (signature(cose::Distrust::NoKey), "unknown-signer"),
            (signature(cose::Distrust::BadSignature), "bad-manifest-signature"),
            (Distrust::ContentType.into(), "malformed-object"),
            (Distrust::NoSigner.into(), "unknown-signer"),
            (Distrust::ContentDigest.into(), "bad-manifest-signature"),
            (Distrust::HashAlgorithm(0).into(), "unsupported-algorithm"),
            (Distrust::NotYetValid.into(), "reference-not-yet-valid"),
            (Distrust::Expired.into(), "reference-expired"),
            (Distrust::KeyUsage.into(), "unknown-signer"),
        ];
        for (error, code) in rows {
            assert_eq!((error.code(), Code::from_text(error.code()).map(Code::as_str)), (code, Some(code)));
        }
    }
}
