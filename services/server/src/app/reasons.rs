//! Reasons between the crates that each have their own form of them. The code is never changed on the way.

use trust::{Code, Reason};

/// As the API shows it.
pub(crate) fn to_api(reason: &Reason) -> api::Reason {
    api::Reason { code: reason.code.as_str().to_owned(), detail: reason.detail.iter().cloned().collect() }
}

/// As the store keeps them.
pub(crate) fn to_json(reasons: &[Reason]) -> String {
    let list: Vec<api::Reason> = reasons.iter().map(to_api).collect();
    serde_json::to_string(&list).unwrap_or_else(|_| "[]".to_owned())
}

/// As the store keeps one.
pub(crate) fn one_to_json(reason: &Reason) -> String {
    serde_json::to_string(&to_api(reason)).unwrap_or_else(|_| "null".to_owned())
}

/// From the store.
pub(crate) fn from_json(text: &str) -> Vec<api::Reason> {
    serde_json::from_str(text).unwrap_or_default()
}

/// From the store, for decisions.
pub(crate) fn to_trust(text: &str) -> Vec<Reason> {
    let reason = |found: api::Reason| {
        let code = Code::from_text(&found.code).unwrap_or(Code::NotAffirmed);
        found.detail.iter().fold(Reason::new(code), |reason, (name, value)| reason.with(name, value))
    };
    from_json(text).into_iter().map(reason).collect()
}

/// From the store, or from a gateway.
pub(crate) fn one_from_json(text: &str) -> Option<api::Reason> {
    serde_json::from_str(text).ok()
}
