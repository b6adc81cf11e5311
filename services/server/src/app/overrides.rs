//! The network operator's words: kept and relayed to gateways, which verify them, and verified here for decisions. This
//! server can neither make nor lengthen one.

use std::collections::BTreeSet;

use api::Base64Url;
use cose::Sign1;
use crypto::{Digest, HashAlgorithm};
use serde_json::json;
use store::{Device, DeviceId, ReleaseId, Timestamp};
use trust::{
    Code, Effect, MAX_OVERRIDE_TIME, OverlayInForce, Override, Reason, Release, Scope, SignedOverride,
    last_words,
};

use crate::app::{App, Failure, reasons, releases::hex, rfc3339};

impl App {
    /// Stores a signed override, to be relayed to gateways, which verify it. One that approves a release, or has devices
    /// observed, changes what is decided about them.
    pub(crate) async fn add_override(&self, bytes: Vec<u8>, actor: &str) -> Result<String, Failure> {
        let digest = Digest::of(HashAlgorithm::Sha256, &bytes);
        let now = self.now();
        let content = match self.check_override(&bytes, now) {
            Ok(content) => content,
            Err(reason) => {
                let detail = json!(reasons::to_api(&reason));
                self.audit(actor, "override.refuse", format!("object:{digest}"), detail).await?;
                return Err(Failure::Refused(reason));
            }
        };
        let known = self.operators_words(now).await?;
        let ends_observation = known
            .iter()
            .map(SignedOverride::content)
            .any(|earlier| earlier.id == content.id && earlier.effect == Effect::Observe);
        let scope = match (&content.effect, &content.scope) {
            (Effect::Approve(approval), _) => format!("release:{}", hex(approval.release.as_bytes())),
            (Effect::ApproveFile { url, .. }, Scope::Site) => format!("file:{url}"),
            (_, Scope::Site) => "site".to_owned(),
            (_, Scope::Device(ueid)) => format!("device:{}", hex(ueid)),
            (_, Scope::Model(url)) => format!("model:{url}"),
        };
        self.store
            .add_override(store::Override {
                digest: digest.as_bytes().to_vec(),
                bytes,
                received_at: now,
                received_by: actor.to_owned(),
                not_before: Timestamp::from_seconds(content.not_before),
                expires: Timestamp::from_seconds(content.expires),
                scope,
                reason: content.reason.clone(),
            })
            .await?;
        if let Effect::Approve(approval) = &content.effect {
            let running = self.store.devices_running(&ReleaseId::new(approval.release)).await?;
            self.redecide(&running).await?;
        }
        if ends_observation {
            self.redecide_within(&Scope::Site).await?;
        } else if content.effect == Effect::Observe {
            self.redecide_within(&content.scope).await?;
        }
        Ok(hex(digest.as_bytes()))
    }

    /// Decides again about the devices in a scope that run a release: about others no override of flows says anything.
    async fn redecide_within(&self, scope: &Scope) -> Result<(), Failure> {
        if let Scope::Device(ueid) = scope {
            let Some(device) = DeviceId::new(ueid) else { return Ok(()) };
            return self.redecide_one(&device).await;
        }
        let releases: Vec<ReleaseId> = self
            .book()
            .iter()
            .filter(|entry| match (scope, entry.release().and_then(Release::network_needs)) {
                (Scope::Model(url), Some(needs)) => needs.url == *url,
                (_, needs) => needs.is_some(),
            })
            .map(|entry| entry.record.id)
            .collect();
        for release in releases {
            let running = self.store.devices_running(&release).await?;
            self.redecide(&running).await?;
        }
        Ok(())
    }

    /// Overrides whose end is to come.
    pub(crate) async fn overrides(&self) -> Result<Vec<api::Override>, Failure> {
        let view = |stored: store::Override| api::Override {
            digest: hex(&stored.digest),
            object: Base64Url(stored.bytes),
            received_at: rfc3339(stored.received_at),
            received_by: stored.received_by,
            not_before: rfc3339(stored.not_before),
            expires: rfc3339(stored.expires),
            scope: stored.scope,
            reason: stored.reason,
        };
        Ok(self.store.overrides(self.now()).await?.into_iter().map(view).collect())
    }

    /// Overrides of the network operator whose end is to come and which none with the same id replaced. Without the
    /// operator's key there is none.
    pub(crate) async fn operators_words(&self, now: Timestamp) -> Result<Vec<SignedOverride>, store::Error> {
        let anchors = &self.config.override_anchors;
        if anchors.is_empty() {
            return Ok(Vec::new());
        }
        // What replaced an earlier word may have ended before it.
        let stored = self.store.overrides(now.plus_seconds(-MAX_OVERRIDE_TIME)).await?;
        let stored: Vec<_> = stored
            .iter()
            .filter_map(|stored| Some((stored, read_override(&stored.bytes).ok()?.id)))
            .collect();
        let is_ahead = |stored: &store::Override| stored.expires > now;
        let present: BTreeSet<_> =
            stored.iter().filter(|(stored, _)| is_ahead(stored)).map(|(_, id)| *id).collect();
        let verified = stored
            .iter()
            .filter(|(_, id)| present.contains(id))
            .filter_map(|(stored, _)| SignedOverride::verify(&stored.bytes, anchors).ok());
        let mut words = last_words(verified);
        words.retain(|word| word.content().expires > now.seconds());
        Ok(words)
    }

    /// Whether the network needs of a release may be applied: they ask for little, the site accepts all that ask for
    /// much, or the network operator approved them.
    pub(crate) async fn check_approved(
        &self,
        release: &Release,
        now: Timestamp,
    ) -> Result<Result<(), Reason>, store::Error> {
        let asks_for_little = release.network_needs().is_none_or(|needs| needs.broad.is_none());
        if self.config.broad_mud_approved || asks_for_little {
            return Ok(Ok(()));
        }
        Ok(release.approved(&self.operators_words(now).await?, now.seconds()))
    }

    fn check_override(&self, bytes: &[u8], now: Timestamp) -> Result<Override, Reason> {
        let anchors = &self.config.override_anchors;
        let content = match anchors.is_empty() {
            true => read_override(bytes)?,
            false => SignedOverride::verify(bytes, anchors)?.content().clone(),
        };
        if content.expires <= now.seconds() {
            return Err(Reason::new(Code::OverrideRefused).with("error", "its end is past"));
        }
        Ok(content)
    }
}

/// Of the operator's words those that touch a device which runs this release.
pub(crate) fn overlays(
    words: &[SignedOverride],
    device: &Device,
    running: Option<&Release>,
) -> Vec<OverlayInForce> {
    let url = running.and_then(Release::network_needs).map(|needs| needs.url.as_str());
    let digest = running.map(Release::manifest_digest);
    let touches = |word: &&SignedOverride| match (&word.content().effect, &word.content().scope) {
        (Effect::Approve(approval), _) => digest == Some(approval.release),
        // It is about files that no release binds.
        (Effect::ApproveFile { .. }, _) => false,
        (_, Scope::Site) => true,
        (_, Scope::Device(ueid)) => ueid == device.id.as_bytes(),
        (_, Scope::Model(model)) => url == Some(model),
    };
    words.iter().filter(touches).map(SignedOverride::overlay).collect()
}

/// What an override says, read without its signature: to show and to relay it, nothing else.
fn read_override(bytes: &[u8]) -> Result<Override, Reason> {
    let refused = |error: &dyn std::fmt::Display| Reason::new(Code::OverrideRefused).with("error", error);
    let message = Sign1::decode(bytes).map_err(|error| refused(&error))?;
    let payload = message.payload().ok_or_else(|| refused(&"it has no payload"))?;
    Override::decode(payload).map_err(|error| refused(&error))
}
