//! Who asks: tokens of people, programs and gateways are random and stored hashed; those of devices are sealed, so that
//! a fleet that attests every minute writes none.

use api::Base64Url;
use crypto::{Digest, HashAlgorithm, hmac, hmac_verify};
use store::{DeviceId, Timestamp, Token};

use crate::{
    app::{App, Failure},
    keys,
};

/// Who asks, as a credential proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Principal {
    /// What they may do.
    pub(crate) scope: Scope,
    /// Who they are, for the audit chain.
    pub(crate) label: String,
}

/// What a credential may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything that people may.
    Admin,
    /// Reading.
    Read,
    /// What gateways may.
    Gateway,
    /// The update API, for one device.
    Device(DeviceId),
}

impl Scope {
    /// The word it is stored as, for those that are stored.
    pub(crate) const fn stored(&self) -> Option<&'static str> {
        match self {
            Self::Admin => Some("admin"),
            Self::Read => Some("read"),
            Self::Gateway => Some("gateway"),
            Self::Device(_) => None,
        }
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        [Self::Admin, Self::Read, Self::Gateway].into_iter().find(|scope| scope.stored() == Some(text))
    }
}

/// A new credential: the text is shown once, the row is stored.
pub(crate) struct Issued {
    /// What the holder sends.
    pub(crate) text: String,
    /// What the store keeps.
    pub(crate) token: Token,
}

/// Scope word of the link that makes the first administrator.
pub(crate) const WELCOME: &str = "welcome";
/// How long a person stays signed in, in seconds.
pub(crate) const SESSION_SECONDS: i64 = 12 * 3600;
/// How long the link for the first administrator is good, in seconds.
pub(crate) const WELCOME_SECONDS: i64 = 24 * 3600;
/// What a sealed device token begins with.
const DEVICE_TOKEN: &str = "d.";
const TAG_LEN: usize = 32;

/// A random credential.
pub(crate) fn issue(scope: &str, label: &str, now: Timestamp, lifetime: Option<i64>) -> Issued {
    let text = Base64Url::encode(&keys::random::<32>());
    let token = Token {
        hash: hash(&text),
        scope: scope.to_owned(),
        label: label.to_owned(),
        created_at: now,
        expires: lifetime.map(|seconds| now.plus_seconds(seconds)),
    };
    Issued { text, token }
}

/// What the store knows a token by. Tokens have 256 random bits, so nothing slower is needed.
pub(crate) fn hash(text: &str) -> Vec<u8> {
    Digest::of(HashAlgorithm::Sha256, text.as_bytes()).as_bytes().to_vec()
}

impl App {
    /// Who presents this token.
    pub(crate) async fn principal(&self, token: &str) -> Result<Principal, Failure> {
        let now = self.now();
        if let Some(sealed) = token.strip_prefix(DEVICE_TOKEN) {
            let device = self.open_device_token(sealed, now).ok_or(Failure::Unauthorized)?;
            return Ok(Principal { label: format!("device:{device}"), scope: Scope::Device(device) });
        }
        let stored = self.store.token(&hash(token), now).await?.ok_or(Failure::Unauthorized)?;
        let scope = Scope::from_text(&stored.scope).ok_or(Failure::Unauthorized)?;
        Ok(Principal { scope, label: stored.label })
    }

    /// A token for the update API, good for as long as the result that came with it.
    pub(crate) fn device_token(&self, device: &DeviceId, expires: Timestamp) -> String {
        let mut sealed = expires.seconds().to_be_bytes().to_vec();
        sealed.extend_from_slice(device.as_bytes());
        let tag = hmac(HashAlgorithm::Sha256, &self.secret, &device_message(&sealed));
        sealed.extend_from_slice(tag.as_bytes());
        format!("{DEVICE_TOKEN}{}", Base64Url::encode(&sealed))
    }

    fn open_device_token(&self, text: &str, now: Timestamp) -> Option<DeviceId> {
        let bytes = Base64Url::decode(text)?;
        let (sealed, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_LEN)?)?;
        if !hmac_verify(HashAlgorithm::Sha256, &self.secret, &device_message(sealed), tag) {
            return None;
        }
        let (expires, device) = sealed.split_first_chunk::<8>()?;
        (now.seconds() < i64::from_be_bytes(*expires)).then(|| DeviceId::new(device)).flatten()
    }

    /// What ties a form to the session of the page it stands on.
    pub(crate) fn form_token(&self, cookie: &str) -> String {
        let message = [b"sextant form\0".as_slice(), cookie.as_bytes()].concat();
        Base64Url::encode(hmac(HashAlgorithm::Sha256, &self.secret, &message).as_bytes())
    }
}

fn device_message(sealed: &[u8]) -> Vec<u8> {
    [b"sextant device token\0".as_slice(), sealed].concat()
}
