//! What evidence is judged by besides releases: digests that must not run, and rules of the operator in Rego.

use std::sync::{Arc, PoisonError};

use crypto::{Digest, HashAlgorithm};
use store::NewRules;
use trust::{Policy, digest_of_rules};

use crate::app::{
    App, Failure,
    releases::{Book, hex},
    rfc3339,
};

/// Digests that are denied and rules that are in force, as last read.
#[derive(Clone, Default)]
pub(crate) struct Criteria {
    /// Digests that must not run.
    pub(crate) denied: Vec<Digest>,
    rules: Vec<InForce>,
}

#[derive(Clone)]
struct InForce {
    name: String,
    digest: Digest,
    source: String,
    vendor: Option<Vec<u8>>,
    class: Option<Vec<u8>>,
}

/// All that evidence is judged by, at one moment.
#[derive(Clone)]
pub(crate) struct Basis {
    /// Releases.
    pub(crate) book: Arc<Book>,
    /// Denied digests and rules.
    pub(crate) criteria: Arc<Criteria>,
    /// Counts up whenever one of them changes.
    pub(crate) revision: u64,
}

/// Longest name of rules.
const MAX_NAME: usize = 64;

impl Criteria {
    /// The policy for devices of a class: the configured one, with the rules in force for them.
    pub(crate) fn policy(&self, configured: &Policy, vendor: &[u8], class: &[u8]) -> Policy {
        let is =
            |wanted: &Option<Vec<u8>>, found: &[u8]| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let rules = self.rules.iter().filter(|rules| is(&rules.vendor, vendor) && is(&rules.class, class));
        Policy { rules: rules.map(|rules| rules.digest).collect(), ..configured.clone() }
    }

    /// The policy for an attester that is not enrolled: the configured one, with the rules in force for all devices and
    /// those for the class that it tells. Rules for a vendor alone are not among them, since it names none by UUID.
    pub(crate) fn policy_for_class(&self, configured: &Policy, class: Option<&[u8; 16]>) -> Policy {
        let of_class = |rules: &&InForce| match &rules.class {
            None => rules.vendor.is_none(),
            Some(wanted) => class.is_some_and(|class| wanted.as_slice() == class),
        };
        let rules = self.rules.iter().filter(of_class);
        Policy { rules: rules.map(|rules| rules.digest).collect(), ..configured.clone() }
    }

    /// The text of rules in force.
    pub(crate) fn source(&self, digest: &Digest) -> Option<&str> {
        self.rules.iter().find(|rules| rules.digest == *digest).map(|rules| rules.source.as_str())
    }

    /// The same with a digest denied besides.
    pub(crate) fn deny(&mut self, digest: Digest) {
        self.denied.push(digest);
    }

    /// The same with other rules of one name, or without them.
    pub(crate) fn replace(&mut self, name: &str, rules: Option<&NewRules>) {
        self.rules.retain(|known| known.name != name);
        self.rules.extend(rules.map(|new| InForce {
            name: name.to_owned(),
            digest: digest_of_rules(&new.source),
            source: new.source.clone(),
            vendor: new.vendor.clone(),
            class: new.class.clone(),
        }));
        self.rules.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

impl App {
    /// What evidence is judged by now.
    pub(crate) fn basis(&self) -> Basis {
        // Counted before it is read: what changes between the two is judged again.
        let revision = self.basis_revision.load(std::sync::atomic::Ordering::Acquire);
        let criteria = self.criteria.read().unwrap_or_else(PoisonError::into_inner).clone();
        Basis { book: self.book(), criteria, revision }
    }

    /// Reads denied digests and rules again.
    pub(crate) async fn read_criteria(&self) -> Result<(), store::Error> {
        let mut criteria = Criteria::default();
        for denied in self.store.denied().await?.into_iter().filter(|denied| denied.lifted.is_none()) {
            let digest = Digest::new(HashAlgorithm::Sha256, &denied.digest);
            criteria.denied.push(digest.ok_or(store::Error::Corrupt("denied digest"))?);
        }
        for rules in self.store.rules().await?.into_iter().filter(|rules| rules.active) {
            let (vendor, class) = (rules.vendor, rules.class);
            let digest = Digest::new(HashAlgorithm::Sha256, &rules.digest);
            let digest = digest.ok_or(store::Error::Corrupt("digest of rules"))?;
            // Were the text another one than was checked, whoever changed it would judge. An empty one fails.
            let holds = digest_of_rules(&rules.source) == digest;
            if !holds {
                tracing::error!(rules = rules.name, "stored rules are not the ones that came");
            }
            let source = if holds { rules.source } else { String::new() };
            criteria.rules.push(InForce { name: rules.name, digest, source, vendor, class });
        }
        *self.criteria.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(criteria);
        self.basis_changed();
        Ok(())
    }

    /// Says that what evidence is judged by changed, so that whatever was judged by what was before is judged again.
    pub(crate) fn basis_changed(&self) {
        self.basis_revision.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        self.nudge.notify_one();
    }

    /// Denies a digest: no device that measures it is trusted.
    pub(crate) async fn deny(&self, digest: &str, why: &str, actor: &str) -> Result<(), Failure> {
        if why.trim().is_empty() {
            return Err(Failure::Malformed("to deny a digest needs a reason".to_owned()));
        }
        let digest = parse_digest(digest)?;
        self.store.deny(digest.as_bytes().to_vec(), why, actor, self.now()).await?;
        Ok(self.read_criteria().await?)
    }

    /// Denies a digest no longer.
    pub(crate) async fn lift(&self, digest: &str, actor: &str) -> Result<(), Failure> {
        let digest = parse_digest(digest)?;
        self.store.lift(digest.as_bytes().to_vec(), actor, self.now()).await?;
        Ok(self.read_criteria().await?)
    }

    /// Digests that are denied, or were.
    pub(crate) async fn denied_views(&self) -> Result<Vec<api::Denied>, Failure> {
        let view = |denied: store::Denied| api::Denied {
            digest: format!("sha256:{}", hex(&denied.digest)),
            reason: denied.why,
            denied_at: rfc3339(denied.denied_at),
            denied_by: denied.denied_by,
            lifted_at: denied.lifted.as_ref().map(|(at, _)| rfc3339(*at)),
            lifted_by: denied.lifted.map(|(_, by)| by),
        };
        Ok(self.store.denied().await?.into_iter().map(view).collect())
    }

    /// Checks rules and remembers them as the next version of their name. They are not in force yet.
    pub(crate) async fn add_rules(&self, new: api::NewRules, actor: &str) -> Result<api::Rules, Failure> {
        let (new, says) = self.check_rules(new)?;
        let (name, digest) = (new.name.clone(), new.digest.clone());
        let version = self.store.add_rules(new, actor, self.now()).await?;
        tracing::info!(rules = name, version, digest = hex(&digest), ?says, "rules added");
        let mut rules = self.rules_views(Some(&name)).await?;
        rules.retain(|rules| rules.version == version);
        rules.pop().ok_or(Failure::NotFound)
    }

    /// Reads rules in the sandbox; gives what they make claims about.
    pub(crate) fn check_rules(&self, new: api::NewRules) -> Result<(NewRules, Vec<String>), Failure> {
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if new.name.is_empty() || new.name.len() > MAX_NAME || !new.name.chars().all(allowed) {
            let form = format!("`name` is 1 to {MAX_NAME} of letters, digits, `-`, `_` and `.`");
            return Err(Failure::Malformed(form));
        }
        let check = self.with_sandbox(|sandbox| sandbox.check(&new.source));
        let says = check.map_err(|error| Failure::Malformed(format!("the rules do not hold: {error}")))?.says;
        let uuid = |text: Option<String>, name: &str| -> Result<Option<Vec<u8>>, Failure> {
            let Some(text) = text else { return Ok(None) };
            let bytes = parse_uuid(&text);
            bytes.map(Some).ok_or_else(|| Failure::Malformed(format!("`{name}` is no UUID")))
        };
        let digest = digest_of_rules(&new.source).as_bytes().to_vec();
        let (vendor, class) = (uuid(new.vendor, "vendor")?, uuid(new.class, "class")?);
        Ok((NewRules { name: new.name, digest, source: new.source, vendor, class }, says))
    }

    /// Puts a version of rules in force, or none.
    pub(crate) async fn activate_rules(
        &self,
        name: &str,
        version: Option<i64>,
        actor: &str,
    ) -> Result<(), Failure> {
        let known = self.store.rules().await?;
        let in_force = known.iter().filter(|rules| rules.active && rules.name != name).count();
        if version.is_some() && in_force >= trust::MAX_POLICY_RULES {
            let most = trust::MAX_POLICY_RULES;
            return Err(Failure::Conflict(format!("{most} rules are in force, and no more can be")));
        }
        self.store.activate_rules(name, version, actor, self.now()).await?;
        Ok(self.read_criteria().await?)
    }

    /// Every version of rules, or of those with a name.
    pub(crate) async fn rules_views(&self, name: Option<&str>) -> Result<Vec<api::Rules>, Failure> {
        let rules = self.store.rules().await?.into_iter();
        let wanted = rules.filter(|rules| name.is_none_or(|name| rules.name == name));
        let view = |rules: store::Rules| api::Rules {
            name: rules.name,
            version: rules.version,
            digest: format!("sha256:{}", hex(&rules.digest)),
            source: rules.source,
            vendor: rules.vendor.map(|vendor| hex(&vendor)),
            class: rules.class.map(|class| hex(&class)),
            added_at: rfc3339(rules.added_at),
            added_by: rules.added_by,
            active: rules.active,
        };
        Ok(wanted.map(view).collect())
    }

    /// Lends the sandbox of rules. It waits for another process: never call it where others must go on.
    pub(crate) fn with_sandbox<T>(&self, work: impl FnOnce(&mut rules::Sandbox) -> T) -> T {
        tokio::task::block_in_place(|| {
            let mut sandbox = self.sandbox.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut sandbox)
        })
    }

    /// Adds to an appraisal what rules made of it.
    pub(crate) fn apply_rules(
        &self,
        appraised: trust::Appraised,
        evidence: &eat::VerifiedEvidence<'_>,
        policy: &Policy,
        basis: &Basis,
    ) -> trust::Appraised {
        if policy.rules.is_empty() {
            return appraised;
        }
        self.with_sandbox(|sandbox| {
            let source = |digest: &Digest| basis.criteria.source(digest);
            trust::apply_rules(appraised, evidence, basis.book.releases(), policy, &source, sandbox)
        })
    }
}

/// A SHA-256 in hexadecimal digits, with the name of its algorithm or without.
pub(super) fn parse_digest(text: &str) -> Result<Digest, Failure> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    let bytes = (hex.len() == 64).then(|| parse_hex(hex)).flatten();
    let digest = bytes.and_then(|bytes| Digest::new(HashAlgorithm::Sha256, &bytes));
    digest.ok_or_else(|| Failure::Malformed("the digest is no SHA-256".to_owned()))
}

fn parse_uuid(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.chars().filter(|letter| *letter != '-').collect();
    parse_hex(&digits).filter(|bytes| bytes.len() == 16)
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_for_all_and_for_its_class_apply_to_whoever_is_not_enrolled() {
        let (vendor, class) = (vec![1; 16], vec![2; 16]);
        let mut criteria = Criteria::default();
        let rows = [
            ("all", None, None),
            ("class", None, Some(class.clone())),
            ("both", Some(vendor.clone()), Some(class)),
            ("vendor", Some(vendor), None),
            ("other", None, Some(vec![3; 16])),
        ];
        for (name, vendor, class) in rows {
            let source = name.to_owned();
            let rules = NewRules { name: source.clone(), digest: Vec::new(), source, vendor, class };
            criteria.replace(name, Some(&rules));
        }
        let named = |class: Option<&[u8; 16]>| {
            let policy = criteria.policy_for_class(&Policy::default(), class);
            policy.rules.iter().map(|rules| criteria.source(rules).unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(named(Some(&[2; 16])), ["all", "both", "class"]);
        assert_eq!(named(Some(&[9; 16])), ["all"]);
        assert_eq!(named(None), ["all"]);
    }
}
