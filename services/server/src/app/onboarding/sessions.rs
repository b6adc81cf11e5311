//! Sessions of onboarding travel with the client, sealed: any replica answers the next message.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use crypto::{ContentAlgorithm, ContentKey, HashAlgorithm, Zeroizing, hkdf};
use fdo::SubProtocol;
use store::Timestamp;

use crate::{Error, keys};

/// What seals sessions.
pub(crate) struct Sealer {
    key: ContentKey,
    /// How long a session may last, in seconds.
    lifetime: i64,
}

/// A session, as whoever sealed it left it.
pub(crate) struct Opened {
    /// When it began. Sessions of one moment are told apart by nothing, so that moments are drawn to be different.
    pub(crate) began: Timestamp,
    /// What it is, for its protocol.
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// What the key is derived for.
const PURPOSE: &[u8] = b"sextant sessions of onboarding";
/// Bytes of the nonce in front.
const NONCE_LEN: usize = 12;
/// Bytes of the time in front of a session.
const TIME_LEN: usize = 8;
/// The longest token that is looked at: longer ones do not fit into the header of a request.
const MAX_TOKEN_LEN: usize = 48 * 1024;

impl Sealer {
    pub(crate) fn new(secret: &[u8], lifetime: std::time::Duration) -> Result<Self, Error> {
        let algorithm = ContentAlgorithm::A256Gcm;
        let mut key = Zeroizing::new(vec![0; algorithm.key_len()]);
        let derived = hkdf(HashAlgorithm::Sha256, secret, &[], PURPOSE, &mut key);
        let key = derived.and_then(|()| ContentKey::from_bytes(algorithm, &key));
        let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        Ok(Self { key: key.map_err(|_| Error::Secret("sessions cannot be sealed"))?, lifetime })
    }

    /// A token of a session; nothing where it would be longer than what clients carry.
    pub(crate) fn seal(&self, protocol: SubProtocol, began: Timestamp, session: &[u8]) -> Option<String> {
        let nonce = keys::random::<NONCE_LEN>();
        let session = Zeroizing::new([&began.micros().to_be_bytes(), session].concat());
        let sealed = self.key.encrypt(&nonce, protocol.name().as_bytes(), &session).ok()?;
        let token = BASE64_URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat());
        (token.len() <= MAX_TOKEN_LEN).then_some(token)
    }

    /// The session of a token, where it was sealed here for this protocol and has not ended.
    pub(crate) fn open(&self, protocol: SubProtocol, token: &str, now: Timestamp) -> Option<Opened> {
        if token.len() > MAX_TOKEN_LEN {
            return None;
        }
        let token = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let (nonce, sealed) = token.split_at_checked(NONCE_LEN)?;
        let session = self.key.decrypt(nonce, protocol.name().as_bytes(), sealed).ok()?;
        let (began, bytes) = session.split_first_chunk::<TIME_LEN>()?;
        let began = Timestamp::from_micros(i64::from_be_bytes(*began));
        let bytes = Zeroizing::new(bytes.to_vec());
        (now < began.plus_seconds(self.lifetime)).then_some(Opened { began, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn a_session_is_opened_by_its_protocol_until_it_ends_and_by_no_other_server() {
        let sealer = |secret| Sealer::new(secret, std::time::Duration::from_secs(600)).unwrap();
        let ours = sealer(b"one secret");
        let token = ours.seal(SubProtocol::To2, NOW, b"session").unwrap();
        let opened = ours.open(SubProtocol::To2, &token, NOW.plus_seconds(599)).unwrap();
        assert_eq!((opened.began, opened.bytes.as_slice()), (NOW, b"session".as_slice()));
        assert!(ours.open(SubProtocol::To2, &token, NOW.plus_seconds(600)).is_none());
        assert!(ours.open(SubProtocol::To1, &token, NOW).is_none());
        assert!(sealer(b"another").open(SubProtocol::To2, &token, NOW).is_none());
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            // The last digit has bits that mean nothing; the decoder refuses those that are set.
            assert!(ours.open(SubProtocol::To2, &other, NOW).is_none(), "{at}");
        }
        for text in ["", "A", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "-_-_"] {
            assert!(ours.open(SubProtocol::To2, text, NOW).is_none(), "{text}");
        }
        assert_eq!(ours.seal(SubProtocol::To2, NOW, &[0; MAX_TOKEN_LEN]), None);
    }
}
