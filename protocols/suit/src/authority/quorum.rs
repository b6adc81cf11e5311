//! Whether the keys that signed a manifest are enough for what it changes.

use alloc::vec::Vec;

use super::{Authority, AuthorityKey, AuthorityList, Role};
use crate::{ComponentId, Manifest, Refusal, evaluate::Targets};

/// Every component that the manifest names must be in the scope of as many keys of each role as the list asks for, and of as
/// many of the role that made it.
pub(crate) fn check(
    manifest: &Manifest<'_>,
    components: &[ComponentId],
    signing: &[&Authority],
    authorities: &AuthorityList,
    maker: (Role, u8),
) -> Result<(), Refusal> {
    let scoped = signing.iter().any(|entry| entry.vendor.is_some() || entry.class.is_some());
    let targets = if scoped { Targets::of(manifest) } else { Targets::default() };
    let fitting = |role| {
        signing.iter().copied().filter(move |entry| entry.role == role).filter(|entry| {
            // A key without scope needs no targets, and none were looked for.
            targets.fit(entry.vendor.as_ref(), entry.class.as_ref())
        })
    };
    let covering =
        |role, component: &ComponentId| count_keys(fitting(role).filter(|entry| entry.covers(component)));

    let policy = authorities.policy();
    let (maker, makers) = maker;
    if count_keys(fitting(maker)) < makers {
        return Err(Refusal::AuthorOutOfScope);
    }
    for component in components {
        if covering(maker, component) < makers {
            return Err(Refusal::AuthorNotAuthorised { component: component.clone() });
        }
    }

    let policy_need = (Role::Operator, policy.operators, None);
    let rules = authorities.rules().iter();
    let needs = rules.map(|rule| (rule.role, rule.signatures, rule.components.as_ref()));
    for (role, needed, prefix) in [policy_need].into_iter().chain(needs) {
        if prefix.is_none() {
            let found = count_keys(fitting(role));
            if found < needed {
                return Err(Refusal::RoleSignatureMissing { role, needed, found });
            }
        }
        let touched =
            components.iter().filter(|component| prefix.is_none_or(|prefix| component.starts_with(prefix)));
        for component in touched {
            let found = covering(role, component);
            if found < needed {
                let component = component.clone();
                return Err(Refusal::ComponentSignatureMissing { component, role, needed, found });
            }
        }
    }
    Ok(())
}

/// How many different keys the entries have.
pub(crate) fn count_keys<'a>(entries: impl Iterator<Item = &'a Authority>) -> u8 {
    let mut keys: Vec<&AuthorityKey> = Vec::new();
    for entry in entries {
        if !keys.contains(&&entry.key) {
            keys.push(&entry.key);
        }
    }
    // There are no more keys than entries, and those are few.
    u8::try_from(keys.len()).unwrap_or(u8::MAX)
}
