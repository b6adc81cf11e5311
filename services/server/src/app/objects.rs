//! Small nouns: authorities, overrides, credentials.

use api::Base64Url;
use crypto::{Digest, HashAlgorithm};
use serde_json::json;
use store::{Override, Timestamp};
use suit::AuthorityList;
use trust::{Reason, Scope, SignedOverride};

use crate::app::{
    App, Failure, credentials, credentials::Principal, decisions::read_override, reasons, releases::hex,
    rfc3339,
};

/// Longest label of a credential, in bytes.
const MAX_LABEL: usize = 64;

impl App {
    /// Replaces the list of who may sign releases, and judges every release anew.
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

    /// Stores a signed override, to be relayed to gateways, which verify it.
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
        let scope = match &content.scope {
            Scope::Site => "site".to_owned(),
            Scope::Device(ueid) => format!("device:{}", hex(ueid)),
            Scope::Model(url) => format!("model:{url}"),
        };
        self.store
            .add_override(Override {
                digest: digest.as_bytes().to_vec(),
                bytes,
                received_at: now,
                received_by: actor.to_owned(),
                not_before: Timestamp::from_seconds(content.not_before),
                expires: Timestamp::from_seconds(content.expires),
                scope,
                reason: content.reason,
            })
            .await?;
        Ok(hex(digest.as_bytes()))
    }

    /// Overrides whose end is to come.
    pub(crate) async fn overrides(&self) -> Result<Vec<api::Override>, Failure> {
        let view = |stored: Override| api::Override {
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

    /// Makes a credential.
    pub(crate) async fn new_token(&self, new: api::NewToken, by: &Principal) -> Result<api::Token, Failure> {
        let scope = credentials::Scope::from_text(&new.scope)
            .and_then(|scope| scope.stored())
            .ok_or_else(|| Failure::Malformed("scope is `admin`, `read` or `gateway`".to_owned()))?;
        let label = if new.label.is_empty() { scope.to_owned() } else { new.label };
        if label.len() > MAX_LABEL || label.chars().any(char::is_control) {
            return Err(Failure::Malformed(format!(
                "a label has at most {MAX_LABEL} bytes, none of control"
            )));
        }
        let lifetime = new.lifetime.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX / 2_000_000));
        let issued = credentials::issue(scope, &label, self.now(), lifetime);
        let expires = issued.token.expires.map(rfc3339);
        self.store.add_token(issued.token, &by.label).await?;
        Ok(api::Token { token: issued.text, scope: scope.to_owned(), expires })
    }

    fn check_override(&self, bytes: &[u8], now: Timestamp) -> Result<trust::Override, Reason> {
        let anchors = &self.config.override_anchors;
        let content = match anchors.is_empty() {
            true => read_override(bytes)?,
            false => SignedOverride::verify(bytes, anchors)?.content().clone(),
        };
        if content.expires <= now.seconds() {
            return Err(Reason::new(trust::Code::OverrideRefused).with("error", "its end is past"));
        }
        Ok(content)
    }
}
