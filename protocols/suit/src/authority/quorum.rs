//! Whether the keys that signed a manifest are enough for what it changes.

use super::{Authority, AuthorityList, Role, Signing};
use crate::{ComponentId, Manifest, Refusal, evaluate::Targets};

/// Every component that the manifest names, in two parts, must be in the scope of as many keys of each role as the list asks
/// for, and of as many of the role that made it.
pub(crate) fn check(
    manifest: &Manifest<'_>,
    components: [&[ComponentId]; 2],
    signing: &Signing<'_>,
    authorities: &AuthorityList,
    (maker, makers): (Role, u8),
) -> Result<(), Refusal> {
    let scoped = signing.any(&|entry| entry.vendor.is_some() || entry.class.is_some());
    // A key without scope needs no targets, and none are looked for.
    let targets = scoped.then(|| Targets::of(manifest));
    let count = |role, component: Option<&ComponentId>| {
        let fits = |entry: &Authority| may_sign(entry, role, targets.as_ref(), component);
        signing.count_fitting(&fits)
    };

    if count(maker, None) < makers {
        return Err(Refusal::AuthorOutOfScope);
    }
    for part in components {
        for component in part {
            if count(maker, Some(component)) < makers {
                return Err(Refusal::AuthorNotAuthorised { component: component.clone() });
            }
        }
    }

    let need = |role, needed, prefix: Option<&ComponentId>| {
        if prefix.is_none() {
            let found = count(role, None);
            if found < needed {
                return Err(Refusal::RoleSignatureMissing { role, needed, found });
            }
        }
        for part in components {
            for component in part {
                if prefix.is_some_and(|prefix| !component.starts_with(prefix)) {
                    continue;
                }
                let found = count(role, Some(component));
                if found < needed {
                    let component = component.clone();
                    return Err(Refusal::ComponentSignatureMissing { component, role, needed, found });
                }
            }
        }
        Ok(())
    };
    need(Role::Operator, authorities.policy().operators, None)?;
    for rule in authorities.rules() {
        need(rule.role, rule.signatures, rule.components.as_ref())?;
    }
    Ok(())
}

/// Whether an entry is one of a role that may sign for the targets and change the component.
fn may_sign(
    entry: &Authority,
    role: Role,
    targets: Option<&Targets<'_>>,
    component: Option<&ComponentId>,
) -> bool {
    entry.role == role
        && targets.is_none_or(|targets| targets.fit(entry.vendor.as_ref(), entry.class.as_ref()))
        && component.is_none_or(|component| entry.covers(component))
}
