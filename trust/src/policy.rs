use alloc::vec::Vec;

use cbor::{Error, MapBuilder, Reader, Reason as Malformed};
use crypto::{Digest, HashAlgorithm};

use crate::{Access, Cap, Posture, RequiredScan};

/// The operator's appraisal and posture policy. Its digest is part of every result and decision made under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a result is good for, in seconds.
    pub result_lifetime: i64,
    /// How long a superseded release stays acceptable after its successor came out, in seconds.
    pub supersede_grace: i64,
    /// Whether a device with an open debug port may be trusted.
    pub allow_debug: bool,
    /// Whether components may be measured that the release does not contain.
    pub allow_extra_components: bool,
    /// Whether the MUD signer must also chain to the operator's own anchors.
    pub require_mud_anchor: bool,
    /// How long a violation marks a device as violating, in seconds.
    pub violation_window: i64,
    /// How many violations in that window mark it.
    pub violation_threshold: u64,
    /// The most that a violating device may reach.
    pub violating_access: Access,
    /// How many devices of one model may be cut for violations within an hour.
    pub violation_cap: Cap,
    /// What an outdated device may reach.
    pub outdated_access: Access,
    /// What an untrusted device may reach: [`Access::UpdateOnly`] or less. What is less ends when somebody brings a new result.
    pub untrusted_access: Access,
    /// What a device may reach whose result is past its end: [`Access::UpdateOnly`], from where it can attest again, or
    /// [`Access::Restricted`].
    pub stale_access: Access,
    /// SHA-256 of the authority lists that a trusted device may obey; where none is named, any. During a rotation the
    /// list before and the list after are named.
    pub authorities: Vec<Digest>,
    /// SHA-256 of the rules that are applied after these, in this order.
    pub rules: Vec<Digest>,
    /// Statements on scans without which no release is deployed.
    pub scans: Vec<RequiredScan>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            result_lifetime: 300,
            supersede_grace: 14 * 24 * 3600,
            allow_debug: false,
            allow_extra_components: false,
            require_mud_anchor: false,
            violation_window: 600,
            violation_threshold: 1,
            violating_access: Access::Release,
            violation_cap: Cap::default(),
            outdated_access: Access::UpdateOnly,
            untrusted_access: Access::UpdateOnly,
            stale_access: Access::UpdateOnly,
            authorities: Vec::new(),
            rules: Vec::new(),
            scans: Vec::new(),
        }
    }
}

mod labels {
    pub(super) const RESULT_LIFETIME: i64 = 1;
    pub(super) const SUPERSEDE_GRACE: i64 = 2;
    pub(super) const ALLOW_DEBUG: i64 = 3;
    pub(super) const ALLOW_EXTRA_COMPONENTS: i64 = 4;
    pub(super) const REQUIRE_MUD_ANCHOR: i64 = 5;
    pub(super) const VIOLATION_WINDOW: i64 = 6;
    pub(super) const VIOLATION_THRESHOLD: i64 = 7;
    pub(super) const RESTRICT_VIOLATING: i64 = 8;
    pub(super) const OUTDATED_ACCESS: i64 = 9;
    pub(super) const AUTHORITIES: i64 = 10;
    pub(super) const RULES: i64 = 12;
    pub(super) const SCANS: i64 = 13;
    pub(super) const VIOLATING_ACCESS: i64 = 14;
    pub(super) const UNTRUSTED_ACCESS: i64 = 15;
    pub(super) const STALE_ACCESS: i64 = 16;
    pub(super) const VIOLATION_CAP: i64 = 17;
}

/// Authority lists that a policy may name.
pub const MAX_POLICY_AUTHORITIES: usize = 16;

/// Rules that a policy may name.
pub const MAX_POLICY_RULES: usize = 16;

/// Statements on scans that a policy may ask for.
pub const MAX_POLICY_SCANS: usize = 16;

/// The longest time a policy may give, in seconds: ten years.
pub const MAX_DURATION: i64 = 10 * 366 * 24 * 3600;

impl Policy {
    /// What a device of this posture may reach, violations and blocks apart.
    pub fn access(&self, posture: Posture) -> Access {
        match posture {
            Posture::Trusted => Access::Release,
            Posture::Outdated => self.outdated_access,
            Posture::Untrusted => self.untrusted_access,
            Posture::Stale => self.stale_access,
            // Nothing is known of it that could be answered by more or less.
            Posture::Unknown => Access::UpdateOnly,
        }
    }

    /// The policy in its one encoding.
    pub fn encode(&self) -> Vec<u8> {
        use labels::*;
        let mut map = MapBuilder::new();
        for (label, value) in [
            (RESULT_LIFETIME, self.result_lifetime),
            (SUPERSEDE_GRACE, self.supersede_grace),
            (VIOLATION_WINDOW, self.violation_window),
        ] {
            map.int(label, |w| {
                w.int(value);
            });
        }
        for (label, value) in [
            (ALLOW_DEBUG, self.allow_debug),
            (ALLOW_EXTRA_COMPONENTS, self.allow_extra_components),
            (REQUIRE_MUD_ANCHOR, self.require_mud_anchor),
            (RESTRICT_VIOLATING, self.violating_access < Access::Release),
        ] {
            map.int(label, |w| {
                w.bool(value);
            });
        }
        map.int(VIOLATION_THRESHOLD, |w| {
            w.uint(self.violation_threshold);
        });
        map.int(OUTDATED_ACCESS, |w| {
            w.uint(self.outdated_access.number());
        });
        for (label, digests) in [(AUTHORITIES, &self.authorities), (RULES, &self.rules)] {
            map.int_if(label, Some(digests).filter(|digests| !digests.is_empty()), |w, digests| {
                w.array(digests.len());
                digests.iter().for_each(|digest| {
                    w.bytes(digest.as_bytes());
                });
            });
        }
        // What asks for nothing is not written, so that policies of before keep their digest.
        map.int_if(SCANS, Some(&self.scans).filter(|scans| !scans.is_empty()), |w, scans| {
            w.array(scans.len());
            scans.iter().for_each(|scan| scan.encode(w));
        });
        let others = [(VIOLATING_ACCESS, self.violating_access), (UNTRUSTED_ACCESS, self.untrusted_access)];
        for (label, access) in others.into_iter().chain([(STALE_ACCESS, self.stale_access)]) {
            let usual =
                access == Access::UpdateOnly || label == VIOLATING_ACCESS && access == Access::Release;
            map.int_if(label, (!usual).then_some(access), |w, access| {
                w.uint(access.number());
            });
        }
        map.int_if(VIOLATION_CAP, Some(self.violation_cap).filter(|cap| *cap != Cap::default()), |w, cap| {
            w.array(2).uint(cap.least.into()).uint(cap.percent.into());
        });
        map.into_bytes()
    }

    /// Reads a policy; what it does not say keeps its default.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        use labels::*;
        let mut reader = Reader::new(bytes);
        let mut policy = Self::default();
        let mut map = reader.map()?;
        while let Some(label) = map.next_int(&mut reader)? {
            let at = reader.position();
            match label {
                RESULT_LIFETIME => policy.result_lifetime = duration(&mut reader)?.max(1),
                SUPERSEDE_GRACE => policy.supersede_grace = duration(&mut reader)?,
                VIOLATION_WINDOW => policy.violation_window = duration(&mut reader)?,
                ALLOW_DEBUG => policy.allow_debug = reader.bool()?,
                ALLOW_EXTRA_COMPONENTS => policy.allow_extra_components = reader.bool()?,
                REQUIRE_MUD_ANCHOR => policy.require_mud_anchor = reader.bool()?,
                RESTRICT_VIOLATING => {
                    let restrict = reader.bool()?;
                    policy.violating_access = if restrict { Access::UpdateOnly } else { Access::Release };
                }
                VIOLATION_THRESHOLD => policy.violation_threshold = reader.uint()?,
                OUTDATED_ACCESS => policy.outdated_access = access(&mut reader, ANY_ANSWER)?,
                VIOLATING_ACCESS => policy.violating_access = access(&mut reader, ANY_ANSWER)?,
                UNTRUSTED_ACCESS => policy.untrusted_access = access(&mut reader, NO_MORE_THAN_THE_CURE)?,
                STALE_ACCESS => policy.stale_access = access(&mut reader, NO_LESS_THAN_THE_CURE)?,
                VIOLATION_CAP => {
                    reader.array_of(2)?;
                    let (least, percent) = (reader.uint_as()?, reader.uint_as()?);
                    if percent > 100 {
                        return Err(Error::new(at, Malformed::OutOfRange));
                    }
                    policy.violation_cap = Cap { least, percent };
                }
                AUTHORITIES => policy.authorities = digests(&mut reader, MAX_POLICY_AUTHORITIES)?,
                RULES => policy.rules = digests(&mut reader, MAX_POLICY_RULES)?,
                SCANS => policy.scans = list(&mut reader, MAX_POLICY_SCANS, RequiredScan::decode)?,
                // A rule that is not understood might have been a restriction.
                unknown => return Err(Error::new(at, Malformed::Unknown(unknown))),
            }
        }
        reader.end()?;
        Ok(policy)
    }

    /// The digest that names this policy in results and decisions.
    pub fn digest(&self) -> Digest {
        Digest::of(HashAlgorithm::Sha256, &self.encode())
    }
}

fn digests(reader: &mut Reader<'_>, limit: usize) -> Result<Vec<Digest>, Error> {
    list(reader, limit, |reader| {
        let at = reader.position();
        let digest = Digest::new(HashAlgorithm::Sha256, reader.bytes()?);
        digest.ok_or(Error::rule(at, "not a SHA-256"))
    })
}

/// A list that names something.
fn list<T>(
    reader: &mut Reader<'_>,
    limit: usize,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let at = reader.position();
    let count = reader.array()?;
    // An empty list would look like a rule and be none.
    if count == 0 {
        return Err(Error::rule(at, "a list names nothing"));
    }
    if count > limit {
        return Err(Error::new(at, Malformed::TooLong { limit }));
    }
    (0..count).map(|_| item(reader)).collect()
}

/// A level, where the cause permits it: nothing opens more than the release by itself.
fn access(reader: &mut Reader<'_>, permitted: (Access, Access)) -> Result<Access, Error> {
    let at = reader.position();
    let access = Access::from_number(reader.uint()?);
    access
        .filter(|access| (permitted.0..=permitted.1).contains(access))
        .ok_or(Error::new(at, Malformed::OutOfRange))
}

const ANY_ANSWER: (Access, Access) = (Access::Ejected, Access::Release);
/// What runs on an untrusted device goes on with nothing.
const NO_MORE_THAN_THE_CURE: (Access, Access) = (Access::Ejected, Access::UpdateOnly);
/// Who is only late has to be able to attest.
const NO_LESS_THAN_THE_CURE: (Access, Access) = (Access::UpdateOnly, Access::Restricted);

fn duration(reader: &mut Reader<'_>) -> Result<i64, Error> {
    let at = reader.position();
    let seconds = reader.int()?;
    if (0..=MAX_DURATION).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(Error::new(at, Malformed::OutOfRange))
    }
}
