use alloc::vec::Vec;

use crypto::{Digest, HashAlgorithm};
use suit::{
    AuthorityList, AuthorityUpdate, Recipient, SharedKeys, UpdateRefusal, VerifiedUpdate,
    limits::MAX_AUTHORITY_LIST_LEN,
};

use crate::{Area, Bars, Device, RecordCopy, StateError, Storage, read_all};

/// Bytes of the checksum that ends a stored list.
const CHECKSUM: usize = 32;

/// Why the list of authorities was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorityUpdateError<E> {
    /// The device will not have the change.
    Refused(UpdateRefusal),
    /// The device could not; the change may be good.
    Device(StateError<E>),
}

impl<E> From<UpdateRefusal> for AuthorityUpdateError<E> {
    fn from(refusal: UpdateRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E> From<StateError<E>> for AuthorityUpdateError<E> {
    fn from(error: StateError<E>) -> Self {
        Self::Device(error)
    }
}

/// Keeps the list of authorities in two copies that are written in turn, so that the list in force stands whole at
/// every moment. Until the first change it is the list of the factory.
#[derive(Debug)]
pub(crate) struct AuthorityStore {
    list: AuthorityList,
    /// The copy to write next: never the one that holds `list`.
    spare: RecordCopy,
    /// What shared keys on any list are. No list is stored or attested with them.
    secrets: SharedKeys,
}

impl AuthorityStore {
    /// Reads the newest whole copy. `floor` is the version that was once known to be in force: a storage that has only
    /// older ones was tampered with, or lost what it promised to keep.
    pub(crate) fn load<S: Storage>(
        storage: &S,
        factory: AuthorityList,
        floor: u64,
    ) -> Result<Self, StateError<S::Error>> {
        let secrets = SharedKeys::default();
        let mut newest = Self { list: factory, spare: RecordCopy::First, secrets };
        for (copy, spare) in
            [(RecordCopy::First, RecordCopy::Second), (RecordCopy::Second, RecordCopy::First)]
        {
            let stored = read_all(storage, Area::Authorities(copy), MAX_AUTHORITY_LIST_LEN + CHECKSUM);
            let list = stored.map_err(StateError::Storage)?.and_then(|stored| unseal(&stored));
            if let Some(list) = list.filter(|list| list.version() > newest.list.version()) {
                newest = Self { list, spare, ..newest };
            }
        }
        if newest.list.version() < floor { Err(StateError::AuthoritiesLost) } else { Ok(newest) }
    }

    /// Has the list in force, and those after it, know what their shared keys are.
    pub(crate) fn hold(&mut self, secrets: SharedKeys) {
        self.list = self.list.clone().holding(secrets.clone());
        self.secrets = secrets;
    }

    /// The list in force.
    pub(crate) fn list(&self) -> &AuthorityList {
        &self.list
    }

    /// Puts another list in force; when this returns it survives a power cut, and before that the old one does.
    fn replace<S: Storage>(
        &mut self,
        storage: &mut S,
        update: &VerifiedUpdate,
    ) -> Result<(), StateError<S::Error>> {
        let area = Area::Authorities(self.spare);
        storage.erase(area).map_err(StateError::Storage)?;
        storage.append(area, &seal(update.list())).map_err(StateError::Storage)?;
        storage.sync(area).map_err(StateError::Storage)?;
        self.list = update.list().clone().holding(self.secrets.clone());
        self.spare = match self.spare {
            RecordCopy::First => RecordCopy::Second,
            RecordCopy::Second => RecordCopy::First,
        };
        Ok(())
    }
}

impl<S: Storage> Device<S> {
    /// Whose manifests it obeys.
    pub fn authorities(&self) -> &AuthorityList {
        self.authorities.list()
    }

    /// Digest of the list of authorities, to be attested.
    pub fn authorities_digest(&self) -> Digest {
        self.authorities().digest(HashAlgorithm::Sha256)
    }

    /// Changes the list of authorities by a signed update. Only roots of the list in force can make it: whoever brings
    /// it has no say. A power cut at any moment leaves the old list or the new one.
    ///
    /// Releases refused for their signers may be welcome under the new list, so nothing that was refused stays barred.
    /// A release that runs goes on; if its author is no longer listed, the next boot will not start it.
    pub fn update_authorities(&mut self, update: &[u8]) -> Result<(), AuthorityUpdateError<S::Error>> {
        let recipient = Recipient {
            vendor: self.identity.vendor,
            class: self.identity.class,
            device: self.identity.ueid.as_bytes(),
        };
        let verified = AuthorityUpdate::decode(update)?.verify(self.authorities.list(), Some(&recipient))?;
        self.authorities.replace(&mut self.storage, &verified)?;
        let version = self.authorities().version();
        Ok(self.state.update(&mut self.storage, |state| state.note_authorities(version))?)
    }
}

impl crate::BootState {
    /// Notes which list is in force, once for each. A boot does it again, in case the power failed in between.
    pub(crate) fn note_authorities(&mut self, version: u64) {
        if self.authorities >= version {
            return;
        }
        self.authorities = version;
        for refusal in &mut self.refusals {
            refusal.bars = Bars::Nothing;
        }
    }
}

/// A list as it is stored: its encoding, then the SHA-256 of that, which tells a torn write.
fn seal(list: &AuthorityList) -> Vec<u8> {
    let mut stored = list.to_bytes();
    let checksum = Digest::of(HashAlgorithm::Sha256, &stored);
    stored.extend_from_slice(checksum.as_bytes());
    stored
}

fn unseal(stored: &[u8]) -> Option<AuthorityList> {
    let (list, checksum) = stored.split_at_checked(stored.len().checked_sub(CHECKSUM)?)?;
    let whole = Digest::of(HashAlgorithm::Sha256, list).as_bytes() == checksum;
    whole.then(|| AuthorityList::decode(list).ok()).flatten()
}
