//! Manifests of reference values and endorsements (CoRIM): stored as received, verified whenever they are read.

use std::sync::{Arc, PoisonError};

use corim::{Anchors, TagId, VerifiedCorim};
use serde_json::json;
use store::{EndorsementId, NewObject, ObjectId, ObjectRecord};
use trust::{Endorsements, Reason, verify_manifest};

use crate::app::{App, Failure, reasons, releases::hex, rfc3339};

impl App {
    /// What accepted manifests say, as last verified.
    pub(crate) fn endorsements(&self) -> Arc<Endorsements> {
        self.endorsed.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Verifies every stored manifest again. One that does not hold says nothing, and is told aloud.
    pub(crate) async fn read_endorsements(&self) -> Result<(), store::Error> {
        let mut endorsements = Endorsements::new();
        for record in self.store.objects::<EndorsementId>().await? {
            if record.revoked_at.is_some() {
                continue;
            }
            match self.verify_endorsement(&record.bytes, &record.received_by) {
                Ok(manifest) if manifest.digest() == record.id.digest() => {
                    endorsements.add(manifest);
                }
                Ok(_) => tracing::error!(
                    manifest = %record.id,
                    "a stored manifest is not the one that came"
                ),
                Err(reason) => {
                    tracing::warn!(manifest = %record.id, %reason, "a manifest does not hold any more");
                }
            }
        }
        self.change_endorsements(|present| *present = endorsements);
        Ok(())
    }

    fn change_endorsements(&self, change: impl FnOnce(&mut Endorsements)) {
        let mut endorsed = self.endorsed.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut endorsed));
        drop(endorsed);
        self.judge_foreign_later();
    }

    /// Accepts a manifest: signed by one of the endorsers of this server, or unsigned, so that whoever brings it answers
    /// for it.
    pub(crate) async fn add_endorsement(
        &self,
        bytes: Vec<u8>,
        actor: &str,
    ) -> Result<api::Endorsement, Failure> {
        let id = EndorsementId::of(&bytes);
        let manifest = match self.verify_endorsement(&bytes, actor) {
            Ok(manifest) => manifest,
            Err(reason) => {
                let detail = json!(reasons::to_api(&reason));
                self.audit(actor, "endorsement.refuse", format!("object:{id}"), detail).await?;
                return Err(Failure::Refused(reason));
            }
        };
        let new = NewObject { bytes, at: self.now(), actor: actor.to_owned(), about: None };
        self.store.add_object::<EndorsementId>(new).await?;
        self.change_endorsements(|endorsements| {
            endorsements.add(manifest);
        });
        self.endorsement_view(id).await
    }

    /// Every manifest that was ever accepted.
    pub(crate) async fn endorsement_views(&self) -> Result<Vec<api::Endorsement>, Failure> {
        let (endorsements, records) = (self.endorsements(), self.store.objects().await?);
        Ok(records.iter().map(|record| view(record, endorsements.manifest(&record.id.digest()))).collect())
    }

    /// One manifest, and what it says.
    pub(crate) async fn endorsement_view(&self, id: EndorsementId) -> Result<api::Endorsement, Failure> {
        let record = self.endorsement(id).await?;
        Ok(view(&record, self.endorsements().manifest(&id.digest())))
    }

    /// One manifest as it was received.
    pub(crate) async fn endorsement(
        &self,
        id: EndorsementId,
    ) -> Result<ObjectRecord<EndorsementId>, Failure> {
        self.store.object(id).await?.ok_or(Failure::NotFound)
    }

    /// Takes back what a manifest said, for good.
    pub(crate) async fn revoke_endorsement(&self, id: EndorsementId, actor: &str) -> Result<(), Failure> {
        self.endorsement(id).await?;
        self.store.revoke_object(id, actor, self.now()).await?;
        self.change_endorsements(|endorsements| {
            endorsements.remove(&id.digest());
        });
        Ok(())
    }

    fn verify_endorsement(&self, bytes: &[u8], bringer: &str) -> Result<VerifiedCorim, Reason> {
        let anchors = Anchors { keys: &self.config.endorsers, issuers: &self.config.endorser_issuers };
        verify_manifest(bytes, anchors, Some(bringer), self.now().seconds())
    }
}

fn view(record: &ObjectRecord<EndorsementId>, verified: Option<&VerifiedCorim>) -> api::Endorsement {
    let id = verified.map(|manifest| match &manifest.corim().id {
        TagId::Text(text) => text.clone(),
        TagId::Uuid(uuid) => hex(uuid),
    });
    let triples = |count: fn(&corim::Triples) -> usize| {
        verified.map_or(0, |manifest| manifest.comids().map(|comid| count(&comid.triples)).sum())
    };
    api::Endorsement {
        digest: record.id.to_string(),
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
