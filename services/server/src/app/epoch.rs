//! Handles of epochs (RFC 9334, section 10.3): what devices that cannot wait for a challenge of their own put into evidence.
//!
//! A handle is a keyed digest of the number of its epoch, so that nobody foresees one and nothing is stored. Evidence with
//! the present one or the one before is fresh, and each device is heard once with each: what uses it up is one row in the
//! transaction that stores the result, as with sessions.

use std::net::IpAddr;

use api::{Base64Url, Epoch, Session};
use crypto::{Digest, HashAlgorithm, hmac};
use eat::Evidence;
use store::{SessionId, Timestamp};

use crate::{
    app::{
        App, Failure,
        attestation::{Open, accepted},
        rfc3339,
    },
    keys,
};

/// Bytes of a handle: every format of evidence takes a nonce of so many.
const HANDLE: usize = 32;

impl App {
    /// The epoch that is now.
    pub(crate) fn epoch(&self) -> Epoch {
        let number = self.epoch_number();
        let period = self.epoch_period();
        Epoch {
            handle: Base64Url(self.handle(number)),
            since: rfc3339(Timestamp::from_seconds(number.saturating_mul(period))),
            until: rfc3339(Timestamp::from_seconds(number.saturating_add(1).saturating_mul(period))),
            fresh_until: rfc3339(self.fresh_until(number)),
            accept: accepted(),
        }
    }

    /// Judges evidence of an enrolled device that answers the handle of an epoch.
    pub(crate) async fn attest_in_epoch(&self, evidence: Vec<u8>, from: IpAddr) -> Result<Session, Failure> {
        let read = Evidence::decode(&evidence).ok();
        let [present, before] = self.open_epochs();
        let open = match &read {
            Some(evidence) if evidence.nonce().as_bytes() == before.nonce => before,
            _ => present,
        };
        let id = match &read {
            Some(evidence) => self.use_of(&open.nonce, evidence.ueid().as_bytes()),
            None => open.id,
        };
        self.attest_open(open, Some(id), evidence, from).await
    }

    /// The handles that evidence may answer, the present one first, each as a session that nobody opened.
    pub(super) fn open_epochs(&self) -> [Open; 2] {
        let number = self.epoch_number();
        [number, number.saturating_sub(1)].map(|number| Open {
            id: SessionId(keys::random()),
            nonce: self.handle(number),
            expires: self.fresh_until(number),
            ours: true,
        })
    }

    /// What a device uses up when it is heard with a handle. Only what its key signed may be put under it: else anybody
    /// could use it up.
    pub(super) fn use_of(&self, handle: &[u8], device: &[u8]) -> SessionId {
        let device = Digest::of(HashAlgorithm::Sha256, device);
        let message = [b"sextant epoch use\0", handle, device.as_bytes()].concat();
        let digest = hmac(HashAlgorithm::Sha256, &self.secret, &message);
        let mut id = [0; 16];
        id.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
        SessionId(id)
    }

    /// How long the longest memory of a used handle must be, in seconds.
    pub(crate) fn epoch_memory(&self) -> i64 {
        self.epoch_period().saturating_mul(2)
    }

    fn handle(&self, number: i64) -> Vec<u8> {
        let message = [b"sextant epoch\0".as_slice(), &number.to_be_bytes()].concat();
        let digest = hmac(HashAlgorithm::Sha512, &self.secret, &message);
        digest.as_bytes().iter().copied().take(HANDLE).collect()
    }

    /// A handle is taken for its own epoch and the one after.
    fn fresh_until(&self, number: i64) -> Timestamp {
        Timestamp::from_seconds(number.saturating_add(2).saturating_mul(self.epoch_period()))
    }

    fn epoch_number(&self) -> i64 {
        self.now().seconds().div_euclid(self.epoch_period())
    }

    fn epoch_period(&self) -> i64 {
        i64::try_from(self.config.epoch.as_secs()).unwrap_or(i64::MAX).max(1)
    }
}

/// A device was heard with this handle already.
pub(super) fn heard() -> Failure {
    Failure::Conflict("the device was heard with this handle already".to_owned())
}
