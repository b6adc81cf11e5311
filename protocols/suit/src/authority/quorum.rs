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
    (maker, makers): (Role, u8),
) -> Result<(), Refusal> {
    let scoped = signing.iter().any(|entry| entry.vendor.is_some() || entry.class.is_some());
    // A key without scope needs no targets, and none are looked for.
    let targets = scoped.then(|| Targets::of(manifest));
    let count = |role, component| count_fitting(signing, role, targets.as_ref(), component);

    let policy = authorities.policy();
    if count(maker, None) < makers {
        return Err(Refusal::AuthorOutOfScope);
    }
    for component in components {
        if count(maker, Some(component)) < makers {
            return Err(Refusal::AuthorNotAuthorised { component: component.clone() });
        }
    }

    let need = |role, needed, prefix: Option<&ComponentId>| {
        if prefix.is_none() {
            let found = count(role, None);
            if found < needed {
                return Err(Refusal::RoleSignatureMissing { role, needed, found });
            }
        }
        for component in components {
            if prefix.is_some_and(|prefix| !component.starts_with(prefix)) {
                continue;
            }
            let found = count(role, Some(component));
            if found < needed {
                let component = component.clone();
                return Err(Refusal::ComponentSignatureMissing { component, role, needed, found });
            }
        }
        Ok(())
    };
    need(Role::Operator, policy.operators, None)?;
    for rule in authorities.rules() {
        need(rule.role, rule.signatures, rule.components.as_ref())?;
    }
    Ok(())
}

/// How many different keys of a role signed.
pub(crate) fn count_signers(signing: &[&Authority], role: Role) -> u8 {
    count_fitting(signing, role, None, None)
}

/// How many different keys of a role signed that may sign for the targets and change the component.
fn count_fitting(
    signing: &[&Authority],
    role: Role,
    targets: Option<&Targets<'_>>,
    component: Option<&ComponentId>,
) -> u8 {
    count_keys(signing.iter().copied().filter(|entry| {
        entry.role == role
            && targets.is_none_or(|targets| targets.fit(entry.vendor.as_ref(), entry.class.as_ref()))
            && component.is_none_or(|component| entry.covers(component))
    }))
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
