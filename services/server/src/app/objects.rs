//! Credentials of people, programs and gateways.

use crate::app::{App, Failure, credentials, credentials::Principal, rfc3339};

/// Longest label of a credential, in bytes.
const MAX_LABEL: usize = 64;

impl App {
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
}
