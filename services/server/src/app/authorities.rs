//! The list of who may sign releases, and the signed changes of it that are relayed to devices.

use api::Base64Url;
use crypto::{Digest, HashAlgorithm};
use serde_json::json;
use store::{AuthorityUpdateRecord, Device, NewAuthorityUpdate};
use suit::{AuthorityList, AuthorityUpdate, UpdateRefusal, UpdateScope};
use trust::{Code, Reason};

use crate::app::{App, Failure, answers, reasons, releases::hex, rfc3339};

impl App {
    /// Replaces the list of who may sign releases, and judges every release anew. Devices keep the list they have.
    pub(crate) async fn put_authorities(&self, bytes: Vec<u8>, actor: &str) -> Result<(), Failure> {
        AuthorityList::decode(&bytes).map_err(|error| Failure::Malformed(error.to_string()))?;
        self.store.put_authorities(bytes, actor, self.now()).await?;
        self.read_releases().await?;
        self.nudge.notify_one();
        Ok(())
    }

    /// The present list of who may sign releases.
    pub(crate) async fn authorities_view(&self) -> Result<api::AuthoritiesVersion, Failure> {
        let stored = self.store.authorities().await?.ok_or(Failure::NotFound)?;
        Ok(api::AuthoritiesVersion {
            version: stored.version,
            list: Base64Url(stored.bytes),
            at: rfc3339(stored.at),
            actor: stored.actor,
        })
    }

    /// Stores a signed change of a list that this server knows, to be relayed to devices, which verify it themselves.
    /// Where it changes this server's own list for every device, the server follows it.
    pub(crate) async fn add_authority_update(
        &self,
        bytes: Vec<u8>,
        actor: &str,
    ) -> Result<api::AuthorityUpdate, Failure> {
        let digest = Digest::of(HashAlgorithm::Sha256, &bytes);
        let (update, ours) = match self.check_update(&bytes).await? {
            Ok(checked) => checked,
            Err(reason) => {
                let detail = json!(reasons::to_api(&reason));
                self.audit(actor, "authorities.refuse", format!("object:{digest}"), detail).await?;
                return Err(Failure::Refused(reason));
            }
        };
        let follows_ours = ours.is_some_and(|list| list.digest(HashAlgorithm::Sha256) == update.follows);
        let next = (follows_ours && update.scope == UpdateScope::default()).then(|| update.list.to_bytes());
        let moved = next.is_some();
        self.store
            .add_authority_update(NewAuthorityUpdate {
                digest: digest.as_bytes().to_vec(),
                follows: update.follows.as_bytes().to_vec(),
                bytes,
                list: next,
                at: self.now(),
                actor: actor.to_owned(),
            })
            .await?;
        if moved {
            self.read_releases().await?;
            self.nudge.notify_one();
        }
        Ok(api::AuthorityUpdate {
            digest: hex(digest.as_bytes()),
            follows: hex(update.follows.as_bytes()),
            list: hex(update.list.digest(HashAlgorithm::Sha256).as_bytes()),
            version: update.list.version(),
        })
    }

    /// Holds an update against the list it follows, which must be one that this server ever had or relayed.
    async fn check_update(
        &self,
        bytes: &[u8],
    ) -> Result<Result<(Checked, Option<AuthorityList>), Reason>, Failure> {
        let update = match AuthorityUpdate::decode(bytes) {
            Ok(update) => update,
            Err(refusal) => return Ok(Err(reason(&refusal))),
        };
        let (_, ours) = self.authorities().await?;
        let follows = *update.proposal().follows();
        let Some(present) = self.known_list(&follows).await? else {
            return Ok(Err(reason(&UpdateRefusal::WrongPredecessor)));
        };
        Ok(match update.verify(&present, None) {
            Ok(verified) => {
                let scope = update.proposal().scope().clone();
                Ok((Checked { follows, list: verified.list().clone(), scope }, ours))
            }
            Err(refusal) => Err(reason(&refusal)),
        })
    }

    async fn known_list(&self, digest: &Digest) -> Result<Option<AuthorityList>, Failure> {
        let own = self.store.authority_lists().await?.into_iter();
        let own = own.filter_map(|bytes| AuthorityList::decode(&bytes).ok());
        let relayed = self.store.authority_updates().await?.into_iter();
        let relayed = relayed.filter_map(|record| {
            AuthorityUpdate::decode(&record.bytes).ok().map(|update| update.proposal().list().clone())
        });
        Ok(own.chain(relayed).find(|list| list.digest(HashAlgorithm::Sha256) == *digest))
    }

    /// The change to relay to a device that obeys the list with this SHA-256.
    pub(crate) async fn authority_update_for(
        &self,
        device: &Device,
        obeys: &[u8],
    ) -> Result<Option<AuthorityUpdateRecord>, Failure> {
        let candidates = self.store.authority_updates_after(obeys).await?;
        if candidates.is_empty() {
            return Ok(None);
        }
        let result = match device.result {
            Some(id) => self.store.result(id).await?,
            None => None,
        };
        let claims = result.as_ref().and_then(|result| answers::claims(device, result));
        let is_for = |record: &AuthorityUpdateRecord| {
            let Ok(update) = AuthorityUpdate::decode(&record.bytes) else { return false };
            let scope = update.proposal().scope();
            let named = scope.devices.is_empty() || scope.devices.iter().any(|id| id == device.id.as_bytes());
            // What the device never attested it may still be: it looks itself.
            named
                && claims.as_ref().is_none_or(|claims| {
                    scope.vendor.is_none_or(|vendor| *vendor.as_bytes() == claims.vendor)
                        && scope.class.is_none_or(|class| *class.as_bytes() == claims.class)
                })
        };
        Ok(candidates.into_iter().find(is_for))
    }
}

/// An update that holds against the list it follows.
struct Checked {
    follows: Digest,
    list: AuthorityList,
    scope: UpdateScope,
}

fn reason(refusal: &UpdateRefusal) -> Reason {
    let code = Code::from_text(refusal.code()).unwrap_or(Code::MalformedObject);
    Reason::new(code).with("error", refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_of_an_update_keeps_its_code() {
        let (needed, found) = (2, 1);
        let (offered, present) = (2, 3);
        for refusal in [
            UpdateRefusal::Malformed(suit::AuthorityError::NotCanonical),
            UpdateRefusal::LocksOut(suit::LockOut::NoRoot),
            UpdateRefusal::OutOfScope,
            UpdateRefusal::Replayed,
            UpdateRefusal::VersionTooLow { offered, present },
            UpdateRefusal::VersionSkipped { offered, present },
            UpdateRefusal::WrongPredecessor,
            UpdateRefusal::UnknownSigner { kid: None },
            UpdateRefusal::BadSignature { kid: vec![1] },
            UpdateRefusal::NotRoot { name: "author".into() },
            UpdateRefusal::SignedTwice { name: "root".into() },
            UpdateRefusal::RootSignaturesMissing { needed, found },
            UpdateRefusal::NewRootSignaturesMissing { needed, found },
        ] {
            assert_eq!(reason(&refusal).code.as_str(), refusal.code());
        }
    }
}
