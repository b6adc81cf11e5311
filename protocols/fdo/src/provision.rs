//! What onboarding at a Sextant server gives a device, as service information of its own module.
//!
//! | Message | From | Value |
//! |---|---|---|
//! | `active` | owner, device | true |
//! | `evidence` | device | byte string: evidence whose nonce is the binding of the session |
//! | `provision` | owner | a map, see [`Provision`] |
//! | `provisioned` | device | text: [`ACCEPTED`], or the code of why the device keeps nothing of it |
//!
//! The device keeps all of it or nothing, and only when TO2 is done.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use cbor::{Key, MapBuilder, Order, Reader, Reason};
use crypto::Zeroizing;

use crate::{MAX_CERTIFICATES, message::MAX_MESSAGE_LEN};

/// Name of the module.
pub const MODULE: &str = "sextant";
/// Message that activates it.
pub const ACTIVE: &str = "active";
/// Message with the device's evidence.
pub const EVIDENCE: &str = "evidence";
/// Message with what the device is given.
pub const PROVISION: &str = "provision";
/// Message with what the device made of it.
pub const PROVISIONED: &str = "provisioned";
/// The device has taken all of it.
pub const ACCEPTED: &str = "accepted";

/// Length in bytes of the longest URL.
pub const MAX_URL_LEN: usize = 1024;
/// How many networks may be told.
pub const MAX_NETWORKS: usize = 16;
/// Length in bytes of the longest name of a wireless network (IEEE 802.11).
pub const MAX_SSID_LEN: usize = 32;
/// Length in bytes of the longest password of a wireless network.
pub const MAX_PASSWORD_LEN: usize = 63;

const SERVER: i64 = 1;
const SERVER_ANCHORS: i64 = 2;
const AUTHORITIES: i64 = 3;
const UPDATE_SERVER_KEY: i64 = 4;
const RESULT_KEY: i64 = 5;
const GATEWAY: i64 = 6;
const NETWORKS: i64 = 7;

const SSID: i64 = 1;
const PASSWORD: i64 = 2;

/// What a device needs to live with its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provision {
    /// URL of the server that it attests to and gets its updates from.
    pub server: String,
    /// Certificates in DER of which one must stand behind the server's; none where the public ones count.
    pub server_anchors: Vec<Vec<u8>>,
    /// An encoded authority list: whose manifests it obeys. A device that has one changes it only by the word of its roots.
    pub authorities: Option<Vec<u8>>,
    /// COSE_Key by which the server's answers about updates are signed.
    pub update_server_key: Option<Vec<u8>>,
    /// COSE_Key by which results of attestation are signed.
    pub result_key: Option<Vec<u8>>,
    /// URL of the gateway that admits it; none where it is found on the link.
    pub gateway: Option<String>,
    /// Wireless networks, the best first.
    pub networks: Vec<Network>,
}

/// Credentials of a wireless network.
#[derive(Clone, PartialEq, Eq)]
pub struct Network {
    /// Its name.
    pub ssid: String,
    /// Its password; none where it is open.
    pub password: Option<Zeroizing<String>>,
}

impl Provision {
    /// Reads the map.
    pub fn decode(bytes: &[u8]) -> Result<Self, cbor::Error> {
        let mut this = Self::default();
        let mut reader = Reader::with_order(bytes, Order::Unique);
        let mut map = reader.map()?;
        let mut server = None;
        while let Some(key) = map.next(&mut reader)? {
            let r = &mut reader;
            match key {
                Key::Int(SERVER) => server = Some(text(r, MAX_URL_LEN)?),
                Key::Int(SERVER_ANCHORS) => {
                    this.server_anchors = list(r, MAX_CERTIFICATES, |r| Ok(r.bytes()?.to_vec()))?;
                }
                Key::Int(AUTHORITIES) => this.authorities = Some(r.bytes()?.to_vec()),
                Key::Int(UPDATE_SERVER_KEY) => this.update_server_key = Some(r.bytes()?.to_vec()),
                Key::Int(RESULT_KEY) => this.result_key = Some(r.bytes()?.to_vec()),
                Key::Int(GATEWAY) => this.gateway = Some(text(r, MAX_URL_LEN)?),
                Key::Int(NETWORKS) => this.networks = list(r, MAX_NETWORKS, Network::read)?,
                // What is not known might be what the rest depends on.
                Key::Int(other) => return Err(reader.fail(Reason::Unknown(other))),
                _ => return Err(cbor::Error::rule(reader.position(), "key of a provision is no number")),
            }
        }
        reader.end()?;
        this.server = server.ok_or(cbor::Error::new(0, Reason::MissingKey(SERVER)))?;
        Ok(this)
    }

    /// The map, which holds passwords: an error where it would not fit into one message.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, TooLong> {
        let mut map = MapBuilder::new();
        map.int(SERVER, |w| _ = w.text(&self.server));
        if !self.server_anchors.is_empty() {
            map.int(SERVER_ANCHORS, |w| {
                w.array(self.server_anchors.len());
                self.server_anchors.iter().for_each(|der| _ = w.bytes(der));
            });
        }
        map.int_if(AUTHORITIES, self.authorities.as_ref(), |w, list| _ = w.bytes(list));
        map.int_if(UPDATE_SERVER_KEY, self.update_server_key.as_ref(), |w, key| _ = w.bytes(key));
        map.int_if(RESULT_KEY, self.result_key.as_ref(), |w, key| _ = w.bytes(key));
        map.int_if(GATEWAY, self.gateway.as_ref(), |w, url| _ = w.text(url));
        if !self.networks.is_empty() {
            map.int(NETWORKS, |w| {
                w.array(self.networks.len());
                for Network { ssid, password } in &self.networks {
                    w.map(1 + usize::from(password.is_some())).int(SSID).text(ssid);
                    if let Some(password) = password {
                        w.int(PASSWORD).text(password);
                    }
                }
            });
        }
        let bytes = Zeroizing::new(map.into_bytes());
        if bytes.len() > MAX_PROVISION_LEN { Err(TooLong) } else { Ok(bytes) }
    }
}

/// Length in bytes of the longest map.
pub const MAX_PROVISION_LEN: usize = MAX_MESSAGE_LEN / 2;

/// A provision is longer than [`MAX_PROVISION_LEN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what a device is to be given has more than {MAX_PROVISION_LEN} bytes")
    }
}

impl core::error::Error for TooLong {}

impl Network {
    fn read(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let at = reader.position();
        let (mut ssid, mut password) = (None, None);
        let mut map = reader.map()?;
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(SSID) => ssid = Some(text(reader, MAX_SSID_LEN)?),
                Key::Int(PASSWORD) => password = Some(Zeroizing::new(text(reader, MAX_PASSWORD_LEN)?)),
                Key::Int(other) => return Err(reader.fail(Reason::Unknown(other))),
                _ => return Err(cbor::Error::rule(reader.position(), "key of a network is no number")),
            }
        }
        let ssid = ssid.ok_or(cbor::Error::new(at, Reason::MissingKey(SSID)))?;
        Ok(Self { ssid, password })
    }
}

impl fmt::Debug for Network {
    /// A password is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({:?}, {})", self.ssid, if self.password.is_some() { "password" } else { "open" })
    }
}

fn text(reader: &mut Reader<'_>, limit: usize) -> Result<String, cbor::Error> {
    let at = reader.position();
    let text = reader.text()?;
    if text.len() > limit {
        return Err(cbor::Error::new(at, Reason::TooLong { limit }));
    }
    Ok(text.to_string())
}

fn list<'b, T>(
    reader: &mut Reader<'b>,
    limit: usize,
    read: impl Fn(&mut Reader<'b>) -> Result<T, cbor::Error>,
) -> Result<Vec<T>, cbor::Error> {
    let at = reader.position();
    let count = reader.array()?;
    if count > limit {
        return Err(cbor::Error::new(at, Reason::TooLong { limit }));
    }
    (0..count).map(|_| read(reader)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Provision {
        Provision {
            server: "https://sextant.example".into(),
            server_anchors: vec![vec![1, 2], vec![3]],
            authorities: Some(vec![4]),
            update_server_key: Some(vec![5]),
            result_key: Some(vec![6]),
            gateway: Some("https://gateway.example".into()),
            networks: vec![
                Network { ssid: "plant".into(), password: Some(Zeroizing::new("hunter2".into())) },
                Network { ssid: "open".into(), password: None },
            ],
        }
    }

    #[test]
    fn what_is_written_is_read_and_passwords_are_not_shown() {
        let least = Provision { server: "https://a.example".into(), ..Provision::default() };
        for provision in [full(), least] {
            let bytes = provision.encode().unwrap();
            assert_eq!(Provision::decode(&bytes).as_ref(), Ok(&provision));
            for end in 0..bytes.len() {
                assert!(Provision::decode(&bytes[..end]).is_err());
            }
        }
        assert!(!format!("{:?}", full()).contains("hunter2"));
    }

    #[test]
    fn what_is_unknown_missing_or_too_long_is_refused() {
        let rows = [
            ("a0", Reason::MissingKey(1)),
            ("a2 01 6161 08 00", Reason::Unknown(8)),
            ("a2 01 6161 07 81a1026161", Reason::MissingKey(1)),
            ("a2 01 6161 07 81a2016161 0300", Reason::Unknown(3)),
            ("a2 01 6161 6162 00", Reason::Rule("key of a provision is no number")),
        ];
        for (hex, reason) in rows {
            assert_eq!(
                Provision::decode(&testkit::hex(hex)).map_err(|error| error.reason),
                Err(reason),
                "{hex}"
            );
        }
        let ssid = |len: usize| Provision {
            networks: vec![Network { ssid: "s".repeat(len), password: None }],
            ..full()
        };
        let read = |provision: &Provision| Provision::decode(&provision.encode().unwrap()).map(|_| ());
        assert_eq!(read(&ssid(MAX_SSID_LEN)), Ok(()));
        let limit = Reason::TooLong { limit: MAX_SSID_LEN };
        assert_eq!(read(&ssid(MAX_SSID_LEN + 1)).map_err(|error| error.reason), Err(limit));
        let networks =
            |count: usize| Provision { networks: vec![full().networks[1].clone(); count], ..full() };
        assert_eq!(read(&networks(MAX_NETWORKS)), Ok(()));
        assert!(read(&networks(MAX_NETWORKS + 1)).is_err());
        let long = Provision { authorities: Some(vec![0; MAX_PROVISION_LEN]), ..full() };
        assert_eq!(long.encode(), Err(TooLong));
    }
}
