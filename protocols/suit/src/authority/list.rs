use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crypto::{Digest, HashAlgorithm, PublicKey};

use super::{AuthorityError, AuthorityKey, LockOut, Members, Role, SharedKeys, codec};
use crate::{
    ComponentId, Uuid,
    limits::{
        MAX_AUTHORITIES, MAX_AUTHORITY_KID, MAX_AUTHORITY_NAME, MAX_AUTHORITY_PREFIXES, MAX_AUTHORITY_RULES,
        MAX_ROOT_SIGNATURES,
    },
};

/// A key and what it may sign for. A key with two scopes has two entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The key.
    pub key: AuthorityKey,
    /// Its identifier in signatures. A key without one (empty) is tried whatever identifier a signature gives; a shared
    /// key has one.
    pub kid: Vec<u8>,
    /// Its name for people.
    pub name: String,
    /// What its holder does.
    pub role: Role,
    /// The only vendor whose manifests it may sign, or any.
    pub vendor: Option<Uuid>,
    /// The only class whose manifests it may sign, or any.
    pub class: Option<Uuid>,
    /// Prefixes of the components it may change; none means all.
    pub components: Vec<ComponentId>,
}

impl Authority {
    /// A key without limits of scope.
    pub fn new(key: PublicKey, kid: &[u8], name: &str, role: Role) -> Self {
        let (kid, name) = (kid.to_vec(), name.to_string());
        Self { key: key.into(), kid, name, role, vendor: None, class: None, components: Vec::new() }
    }

    /// A key that an author shares with devices, without limits of scope. The list must allow it
    /// ([`AuthorityPolicy::shared_keys`]).
    #[cfg(feature = "mac")]
    pub fn shared(algorithm: HashAlgorithm, kid: &[u8], name: &str) -> Self {
        let key = AuthorityKey::Shared(super::SharedKeyName { algorithm, kid: kid.to_vec() });
        let (kid, name) = (kid.to_vec(), name.to_string());
        Self { key, kid, name, role: Role::Author, vendor: None, class: None, components: Vec::new() }
    }

    /// Whether the key may change the component.
    pub(crate) fn covers(&self, component: &ComponentId) -> bool {
        self.components.is_empty() || self.components.iter().any(|prefix| component.starts_with(prefix))
    }

    fn is_scoped(&self) -> bool {
        self.vendor.is_some() || self.class.is_some() || !self.components.is_empty()
    }

    /// Whether the key may sign wherever the other, changing this component, may.
    fn reaches(&self, other: &Self, component: Option<&ComponentId>) -> bool {
        self.vendor.is_none_or(|vendor| other.vendor == Some(vendor))
            && self.class.is_none_or(|class| other.class == Some(class))
            && component.map_or(self.components.is_empty(), |component| self.covers(component))
    }
}

/// How many signatures every manifest and every change of the list needs, and how far a manifest may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthorityPolicy {
    /// Author keys that must sign a manifest; at least one always must.
    pub authors: u8,
    /// Operator keys that must sign a manifest.
    pub operators: u8,
    /// How far a sequence number may be ahead of the installed one, so that one bad manifest cannot use them up. A
    /// manifest that as many root keys signed as a change of the list needs may go further.
    pub max_sequence_jump: Option<u64>,
    /// Root keys that must sign a change of the list; at least one always must.
    pub roots: u8,
    /// Whether authors may use keys that they share with devices. Every holder of one can author, so it is off unless
    /// the roots say otherwise.
    pub shared_keys: bool,
}

impl Default for AuthorityPolicy {
    /// One author, no operator; one root for changes; no shared keys.
    fn default() -> Self {
        Self { authors: 1, operators: 0, max_sequence_jump: None, roots: 1, shared_keys: false }
    }
}

/// What a manifest needs beyond the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whose signatures.
    pub role: Role,
    /// How many of their keys must sign; at least one.
    pub signatures: u8,
    /// Only for manifests that change a component below this prefix; by keys that may change it.
    pub components: Option<ComponentId>,
}

/// Which keys may do what: the root of a recipient's trust in manifests.
///
/// It has one encoding, so that it can be attested and compared by its digest: entries are in the order of their roles
/// and names. What the shared keys on it are is no part of it, and is never encoded: two lists that say the same are equal.
#[derive(Clone, Debug)]
pub struct AuthorityList {
    version: u64,
    policy: AuthorityPolicy,
    rules: Vec<Rule>,
    members: Arc<Members>,
    secrets: SharedKeys,
}

impl PartialEq for AuthorityList {
    fn eq(&self, other: &Self) -> bool {
        let said = |list: &Self| (list.version, list.policy);
        said(self) == said(other) && self.rules == other.rules && self.members == other.members
    }
}

impl Eq for AuthorityList {}

/// The version of a list that follows none.
const FIRST_VERSION: u64 = 1;

impl AuthorityList {
    /// A list of these keys, the first of its line.
    pub fn new(policy: AuthorityPolicy, entries: Vec<Authority>) -> Result<Self, AuthorityError> {
        Self::build(FIRST_VERSION, policy, Vec::new(), entries)
    }

    /// A list of these keys under the default policy.
    pub fn with_default_policy(entries: Vec<Authority>) -> Result<Self, AuthorityError> {
        Self::new(AuthorityPolicy::default(), entries)
    }

    /// The same list with these rules.
    pub fn with_rules(self, rules: Vec<Rule>) -> Result<Self, AuthorityError> {
        Self::build(self.version, self.policy, rules, self.entries().to_vec())
            .map(|list| list.holding(self.secrets))
    }

    /// The same list with what the shared keys on it are. Without, nothing that they authenticate is believed.
    #[must_use]
    pub fn holding(self, secrets: SharedKeys) -> Self {
        Self { secrets, ..self }
    }

    /// The secret that an entry names, if it is here.
    #[cfg(feature = "mac")]
    pub(crate) fn secret(&self, name: &super::SharedKeyName) -> Option<&cose::MacKey> {
        self.secrets.find(name)
    }

    /// The same list as another version.
    #[must_use]
    pub fn with_version(self, version: u64) -> Self {
        Self { version, ..self }
    }

    pub(super) fn build(
        version: u64,
        policy: AuthorityPolicy,
        rules: Vec<Rule>,
        mut entries: Vec<Authority>,
    ) -> Result<Self, AuthorityError> {
        if policy.authors == 0 {
            return Err(AuthorityError::NoAuthorNeeded);
        }
        if policy.roots == 0 {
            return Err(AuthorityError::NoRootNeeded);
        }
        if rules.iter().any(|rule| rule.signatures == 0) {
            return Err(AuthorityError::EmptyRule);
        }
        let too_long = |entry: &Authority| {
            entry.name.len() > MAX_AUTHORITY_NAME
                || entry.kid.len() > MAX_AUTHORITY_KID
                || entry.components.len() > MAX_AUTHORITY_PREFIXES
        };
        if entries.len() > MAX_AUTHORITIES
            || rules.len() > MAX_AUTHORITY_RULES
            || entries.iter().any(too_long)
        {
            return Err(AuthorityError::TooMany);
        }
        let two_roles =
            |one: &Authority| entries.iter().any(|other| other.key == one.key && other.role != one.role);
        // Else one signature would count as the author's and as the operator's.
        if entries.iter().any(two_roles) {
            return Err(AuthorityError::KeyWithTwoRoles);
        }
        if entries.iter().any(|entry| entry.role == Role::Root && entry.is_scoped()) {
            return Err(AuthorityError::ScopedRoot);
        }
        for entry in &entries {
            let AuthorityKey::Shared(name) = &entry.key else { continue };
            if !policy.shared_keys {
                return Err(AuthorityError::SharedKeysNotAllowed);
            }
            // Whoever verifies such a key could have used it: it approves nothing, and changes no list.
            if entry.role != Role::Author {
                return Err(AuthorityError::SharedKeyRole);
            }
            if name.kid.is_empty() || name.kid != entry.kid {
                return Err(AuthorityError::SharedKeyUnnamed);
            }
        }
        entries.sort_by_cached_key(|entry| {
            (entry.role, entry.name.clone(), codec::encode_authority_to_bytes(entry))
        });
        entries.dedup();
        let members = Arc::new(Members::new(entries));
        Ok(Self { version, policy, rules, members, secrets: SharedKeys::default() })
    }

    /// Which of its line it is: each change adds one.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many signatures are needed.
    pub fn policy(&self) -> &AuthorityPolicy {
        &self.policy
    }

    /// What is needed beyond the policy.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The keys, in the order of their roles and names.
    pub fn entries(&self) -> &[Authority] {
        self.members.entries()
    }

    /// The keys of a role.
    pub fn members(&self, role: Role) -> impl Iterator<Item = &Authority> {
        self.entries().iter().filter(move |entry| entry.role == role)
    }

    /// The keys, and which of them are the same.
    pub(crate) fn shared_members(&self) -> &Arc<Members> {
        &self.members
    }

    /// Digest of the encoded list.
    pub fn digest(&self, algorithm: HashAlgorithm) -> Digest {
        Digest::of(algorithm, &self.to_bytes())
    }

    /// Reads a list.
    pub fn decode(bytes: &[u8]) -> Result<Self, AuthorityError> {
        codec::decode_list(bytes)
    }

    /// The encoded list.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode_list(self)
    }

    /// Why a device with this list would obey nobody, or nobody could ever change the list: its own members could not
    /// give the signatures that it asks for. A device takes no such list, neither in the factory nor by an update.
    pub fn lock_out(&self) -> Option<LockOut> {
        let Self { policy, .. } = self;
        if self.members(Role::Root).next().is_none() {
            return Some(LockOut::NoRoot);
        }
        // The roots before and the roots after must fit into one signed update.
        if usize::from(policy.roots) > MAX_ROOT_SIGNATURES {
            return Some(LockOut::TooManyRootsNeeded);
        }
        let policy_needs = [
            (Role::Root, policy.roots, None),
            (Role::Author, policy.authors, None),
            (Role::Operator, policy.operators, None),
        ];
        let rule_needs = self.rules.iter().map(|rule| (rule.role, rule.signatures, rule.components.as_ref()));
        policy_needs
            .into_iter()
            .chain(rule_needs)
            .find(|(role, needed, component)| !self.can_give(*role, *needed, *component))
            .map(|(role, needed, _)| LockOut::Unreachable { role, needed })
    }

    /// Whether there is a scope for which enough keys of the role may sign.
    fn can_give(&self, role: Role, needed: u8, component: Option<&ComponentId>) -> bool {
        let enough = |place: &Authority, component: Option<&ComponentId>| {
            let fits = |entry: &Authority| entry.role == role && entry.reaches(place, component);
            self.members.count(u64::MAX, &fits) >= needed
        };
        needed == 0
            || self.members(role).any(|place| match component {
                Some(component) => place.covers(component) && enough(place, Some(component)),
                None if place.components.is_empty() => enough(place, None),
                None => place.components.iter().any(|component| enough(place, Some(component))),
            })
    }
}
