use alloc::{string::String, vec::Vec};

use crypto::{Digest, HashAlgorithm, PublicKey};

use super::{AUTHORITY_UPDATE_CONTEXT, Authority, AuthorityList, AuthorityUpdate, Role, UpdateRefusal};
use crate::{Uuid, limits::MAX_CANDIDATE_KEYS};

/// A device that is to take an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient<'d> {
    /// Its vendor.
    pub vendor: Uuid,
    /// Its class.
    pub class: Uuid,
    /// Its UEID.
    pub device: &'d [u8],
}

/// Who signed an update, and who must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// What each signature is, in their order.
    pub seals: Vec<Result<Seal, UpdateRefusal>>,
    /// Root signatures that the list in force wants, and has.
    pub present: (u8, u8),
    /// Root signatures that the new list wants, and has.
    pub next: (u8, u8),
}

/// A signature by a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Its key.
    pub key: PublicKey,
    /// Its name on the list.
    pub name: String,
    /// Whether it is a root of the list in force.
    pub present: bool,
    /// Whether it is a root of the new list.
    pub next: bool,
}

/// A change of the list that enough of its roots signed. Only [`AuthorityUpdate::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedUpdate {
    follows: Digest,
    list: AuthorityList,
    signers: Vec<Seal>,
}

impl VerifiedUpdate {
    /// The list to obey from now on.
    pub fn list(&self) -> &AuthorityList {
        &self.list
    }

    /// Digest of the list that it follows, and no other.
    pub fn follows(&self) -> &Digest {
        &self.follows
    }

    /// The roots that signed.
    pub fn signers(&self) -> &[Seal] {
        &self.signers
    }
}

impl AuthorityUpdate<'_> {
    /// Decides whether the list in force gives way to the new one.
    ///
    /// In this order: the update is for this recipient (whoever only relays it gives none); it follows the list in
    /// force, as the next version; each signature is by another root of the list in force or of the new one; enough
    /// of either signed. The roots of the new list show by that that they have their keys.
    pub fn verify(
        &self,
        present: &AuthorityList,
        recipient: Option<&Recipient<'_>>,
    ) -> Result<VerifiedUpdate, UpdateRefusal> {
        if let Some(recipient) = recipient {
            self.check_scope(recipient)?;
        }
        self.check_place(present)?;
        let Tally { seals, present: (needed, found), next } = self.tally(present);
        let signers = seals.into_iter().collect::<Result<Vec<_>, _>>()?;
        if found < needed {
            return Err(UpdateRefusal::RootSignaturesMissing { needed, found });
        }
        let (needed, found) = next;
        if found < needed {
            return Err(UpdateRefusal::NewRootSignaturesMissing { needed, found });
        }
        let proposal = self.proposal();
        Ok(VerifiedUpdate { follows: *proposal.follows(), list: proposal.list().clone(), signers })
    }

    /// Who signed, and who must.
    pub fn tally(&self, present: &AuthorityList) -> Tally {
        let next = self.proposal().list();
        let mut seals: Vec<Result<Seal, UpdateRefusal>> = Vec::new();
        for message in self.each_alone() {
            let seal = seal(&message, present, next).and_then(|seal| {
                // One key is one signer, however often it signs.
                let twice = seals.iter().flatten().any(|other| other.key == seal.key);
                if twice { Err(UpdateRefusal::SignedTwice { name: seal.name }) } else { Ok(seal) }
            });
            seals.push(seal);
        }
        let count = |member: fn(&Seal) -> bool| {
            // There are no more signatures than a message may have.
            u8::try_from(seals.iter().flatten().filter(|seal| member(seal)).count()).unwrap_or(u8::MAX)
        };
        Tally {
            present: (present.policy().roots, count(|seal| seal.present)),
            next: (next.policy().roots, count(|seal| seal.next)),
            seals,
        }
    }

    fn check_scope(&self, recipient: &Recipient<'_>) -> Result<(), UpdateRefusal> {
        let scope = self.proposal().scope();
        let fits = scope.vendor.is_none_or(|vendor| vendor == recipient.vendor)
            && scope.class.is_none_or(|class| class == recipient.class)
            && (scope.devices.is_empty() || scope.devices.iter().any(|device| device == recipient.device));
        if fits { Ok(()) } else { Err(UpdateRefusal::OutOfScope) }
    }

    fn check_place(&self, present: &AuthorityList) -> Result<(), UpdateRefusal> {
        let proposal = self.proposal();
        if proposal.list() == present {
            return Err(UpdateRefusal::Replayed);
        }
        let (offered, in_force) = (proposal.list().version(), present.version());
        if offered <= in_force {
            return Err(UpdateRefusal::VersionTooLow { offered, present: in_force });
        }
        // A list that skips versions could use them all up, and none could follow it.
        if offered - in_force > 1 {
            return Err(UpdateRefusal::VersionSkipped { offered, present: in_force });
        }
        if *proposal.follows() != present.digest(HashAlgorithm::Sha256) {
            return Err(UpdateRefusal::WrongPredecessor);
        }
        Ok(())
    }
}

/// Who made the only signature of a message.
fn seal(message: &[u8], present: &AuthorityList, next: &AuthorityList) -> Result<Seal, UpdateRefusal> {
    let unreadable = |error| UpdateRefusal::Malformed(super::AuthorityError::Key(error));
    let message = cose::Sign::decode(message).map_err(unreadable)?;
    let signature = message.signatures().first().ok_or(UpdateRefusal::UnknownSigner { kid: None })?;
    let kid = signature.kid();
    let entries = || present.entries().iter().chain(next.entries());
    let fits = |entry: &&Authority| kid.is_none_or(|kid| entry.kid.is_empty() || entry.kid == kid);
    let mut tried: Vec<&PublicKey> = Vec::new();
    for entry in entries().filter(fits) {
        let Some(key) = entry.key.public().filter(|key| key.algorithm().matches_cose_id(signature.alg()))
        else {
            continue;
        };
        if tried.contains(&key) || tried.len() == MAX_CANDIDATE_KEYS {
            continue;
        }
        tried.push(key);
        if message.verify(key, None, AUTHORITY_UPDATE_CONTEXT).is_ok() {
            let is_root = |list: &AuthorityList| list.members(Role::Root).any(|root| root.key == entry.key);
            let (present, next) = (is_root(present), is_root(next));
            let name = entry.name.clone();
            return if present || next {
                Ok(Seal { key: key.clone(), name, present, next })
            } else {
                Err(UpdateRefusal::NotRoot { name })
            };
        }
    }
    match kid {
        Some(kid) if entries().any(|entry| entry.kid == kid) => {
            Err(UpdateRefusal::BadSignature { kid: kid.to_vec() })
        }
        kid => Err(UpdateRefusal::UnknownSigner { kid: kid.map(<[u8]>::to_vec) }),
    }
}
