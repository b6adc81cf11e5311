//! Our own module on the device's side: evidence for the owner, and what the owner gives in return.

use std::cell::{Cell, RefCell};

use cose::Key;
use crypto::{Digest, HashAlgorithm};
use device_core::Device;
use eat::Nonce;
use fdo::{
    Binding,
    provision::{ACCEPTED, EVIDENCE, MODULE, PROVISION, PROVISIONED, Provision},
    service_info::{Activity, DeviceModule, ModuleFault, Outgoing},
};
use suit::AuthorityList;
use ureq::http::Uri;
use x509::Certificate;

use crate::{FileStorage, gateway::Gateway};

/// The owner's provision is malformed.
const MALFORMED: &str = "provision-malformed";
/// The server's URL is none of HTTPS.
const BAD_SERVER: &str = "provision-bad-server";
/// There is nothing that the server's certificate could descend from: the agent knows no public authorities.
const NO_ANCHORS: &str = "provision-without-anchors";
/// An anchor is no certificate.
const BAD_ANCHOR: &str = "provision-bad-anchor";
/// The authority list is none.
const BAD_AUTHORITIES: &str = "provision-bad-authorities";
/// Nobody could ever change the authority list, or give the signatures it asks for.
const LOCK_OUT: &str = "provision-lock-out";
/// The device has another authority list, which only its own roots change.
const OTHER_AUTHORITIES: &str = "provision-other-authorities";
/// A key is none.
const BAD_KEY: &str = "provision-bad-key";
/// The gateway's URL is none of HTTP, over which devices prove themselves by signatures.
const BAD_GATEWAY: &str = "provision-bad-gateway";

/// What a session of TO2 shares with the module.
#[derive(Default)]
pub(super) struct Exchange {
    /// What both sides have and nobody else.
    pub(super) binding: Cell<Option<Binding>>,
    /// What the owner gave, looked at and not kept yet.
    pub(super) staged: RefCell<Option<Provision>>,
    /// Why it is not kept.
    pub(super) refusal: Cell<Option<&'static str>>,
}

/// What a provision is held against.
pub(super) struct Checks {
    /// Whether anchors of the server are given in another way.
    pub(super) has_anchors: bool,
    /// Digests of lists that are the device's: the one in force and the one it was made with.
    pub(super) authorities: Vec<Digest>,
}

/// The module.
pub(super) struct Provisioning<'d> {
    device: &'d Device<FileStorage>,
    checks: &'d Checks,
    exchange: &'d Exchange,
    has_told: bool,
}

impl<'d> Provisioning<'d> {
    pub(super) fn new(device: &'d Device<FileStorage>, checks: &'d Checks, exchange: &'d Exchange) -> Self {
        Self { device, checks, exchange, has_told: false }
    }

    /// What the device attests with, for this session and no other.
    fn evidence(&self) -> Result<Vec<u8>, ModuleFault> {
        let binding = self.exchange.binding.get().ok_or(ModuleFault::OutOfOrder)?;
        let nonce = Nonce::new(&binding.0).ok_or(ModuleFault::Failed)?;
        self.device.evidence(&nonce).map_err(|error| {
            tracing::error!(?error, "there is no evidence for the owner");
            ModuleFault::Failed
        })
    }
}

impl DeviceModule for Provisioning<'_> {
    fn name(&self) -> &str {
        MODULE
    }

    fn receive(&mut self, message: &str, value: &[u8], out: &mut Outgoing) -> Result<(), ModuleFault> {
        if message != PROVISION {
            return Err(ModuleFault::MessageUnknown);
        }
        if self.exchange.staged.borrow().is_some() || self.exchange.refusal.get().is_some() {
            return Err(ModuleFault::OutOfOrder);
        }
        let checked = Provision::decode(value).map_err(|_| MALFORMED);
        let answer = match checked.and_then(|provision| self.checks.check(&provision).map(|()| provision)) {
            Ok(provision) => {
                self.exchange.staged.replace(Some(provision));
                ACCEPTED
            }
            Err(code) => {
                tracing::warn!(code, "what the owner gives is refused");
                self.exchange.refusal.set(Some(code));
                code
            }
        };
        out.send(MODULE, PROVISIONED, |w| _ = w.text(answer))
    }

    fn poll(&mut self, out: &mut Outgoing) -> Result<Activity, ModuleFault> {
        // All or nothing: once the owner knows that it is nothing, the device does not become the owner's.
        if self.exchange.refusal.get().is_some() && out.is_empty() {
            return Err(ModuleFault::Refused);
        }
        if !self.has_told {
            let evidence = self.evidence()?;
            out.send(MODULE, EVIDENCE, |w| _ = w.bytes(&evidence))?;
            self.has_told = true;
        }
        Ok(Activity::Idle)
    }
}

impl Checks {
    /// Whether the device can live with it, or why not.
    fn check(&self, provision: &Provision) -> Result<(), &'static str> {
        let Provision { server, server_anchors, authorities, update_server_key, result_key, gateway, .. } =
            provision;
        let uri = server.parse::<Uri>().map_err(|_| BAD_SERVER)?;
        let is_plain = uri.query().is_none() && !server.contains(['@', '#']);
        if !server.starts_with("https://") || uri.host().is_none_or(str::is_empty) || !is_plain {
            return Err(BAD_SERVER);
        }
        if server_anchors.is_empty() && !self.has_anchors {
            return Err(NO_ANCHORS);
        }
        if server_anchors.iter().any(|der| Certificate::decode(der).is_err()) {
            return Err(BAD_ANCHOR);
        }
        if let Some(bytes) = authorities {
            let list = AuthorityList::decode(bytes).map_err(|_| BAD_AUTHORITIES)?;
            if list.lock_out().is_some() {
                return Err(LOCK_OUT);
            }
            let digest = list.digest(HashAlgorithm::Sha256);
            if !self.authorities.is_empty() && !self.authorities.contains(&digest) {
                return Err(OTHER_AUTHORITIES);
            }
        }
        for key in [update_server_key, result_key].into_iter().flatten() {
            let key = Key::decode(key).map_err(|_| BAD_KEY)?;
            if key.secret().is_some() {
                return Err(BAD_KEY);
            }
        }
        if let Some(url) = gateway
            && (url == "none" || Gateway::new(std::slice::from_ref(url)).is_err())
        {
            return Err(BAD_GATEWAY);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crypto::{SignatureAlgorithm, SigningKey};
    use suit::{Authority, Role};
    use x509::{CertificateBuilder, Validity};

    use super::*;

    fn key(number: u8) -> SigningKey {
        SigningKey::from_bytes(SignatureAlgorithm::Es256, &[number; 32]).unwrap()
    }

    fn anchor() -> Vec<u8> {
        let validity = Validity { not_before: 0, not_after: 4_000_000_000 };
        let key = key(1);
        let builder = CertificateBuilder::new("CN=CA".parse().unwrap(), key.public_key(), &[1], validity);
        builder.authority(None).self_signed(&key).unwrap().as_der().to_vec()
    }

    fn list(roots: &[u8]) -> AuthorityList {
        let entry = |number, role| Authority::new(key(number).public_key().clone(), &[number], "party", role);
        let mut entries = vec![entry(1, Role::Author)];
        entries.extend(roots.iter().map(|root| entry(*root, Role::Root)));
        AuthorityList::with_default_policy(entries).unwrap()
    }

    fn good() -> Provision {
        Provision {
            server: "https://server.example:8443".into(),
            server_anchors: vec![anchor()],
            authorities: Some(list(&[2]).to_bytes()),
            update_server_key: Some(Key::from_public(key(3).public_key()).encode()),
            result_key: Some(Key::from_public(key(4).public_key()).encode()),
            gateway: Some("http://gateway.example:8480".into()),
            networks: Vec::new(),
        }
    }

    #[test]
    fn a_device_takes_only_what_it_can_live_with() {
        let none = Checks { has_anchors: false, authorities: Vec::new() };
        let digest = |list: &AuthorityList| list.digest(HashAlgorithm::Sha256);
        let has = |list: &AuthorityList| Checks { has_anchors: false, authorities: vec![digest(list)] };
        let other = has(&list(&[9]));
        let with = |change: &dyn Fn(&mut Provision)| {
            let mut provision = good();
            change(&mut provision);
            provision
        };
        let server = |url: &str| with(&|provision| provision.server = url.into());
        let gateway = |url: &str| with(&|provision| provision.gateway = Some(url.into()));
        let secret = Key::from_secret(key(3)).encode_secret().unwrap().to_vec();
        let rows = [
            (good(), &none, Ok(())),
            (good(), &has(&list(&[2])), Ok(())),
            (with(&|provision| provision.authorities = None), &other, Ok(())),
            (with(&|provision| provision.gateway = None), &none, Ok(())),
            (good(), &other, Err(OTHER_AUTHORITIES)),
            (server("http://server.example"), &none, Err(BAD_SERVER)),
            (server("https://"), &none, Err(BAD_SERVER)),
            (server("https://user@server.example"), &none, Err(BAD_SERVER)),
            (server("https://server.example?x=1"), &none, Err(BAD_SERVER)),
            (server("https://server example"), &none, Err(BAD_SERVER)),
            (with(&|provision| provision.server_anchors.clear()), &none, Err(NO_ANCHORS)),
            (with(&|provision| provision.server_anchors.push(vec![0x30, 0])), &none, Err(BAD_ANCHOR)),
            (with(&|provision| provision.authorities = Some(vec![0x80])), &none, Err(BAD_AUTHORITIES)),
            (with(&|provision| provision.authorities = Some(list(&[]).to_bytes())), &none, Err(LOCK_OUT)),
            (with(&|provision| provision.update_server_key = Some(vec![0xa0])), &none, Err(BAD_KEY)),
            (with(&|provision| provision.result_key = Some(vec![0])), &none, Err(BAD_KEY)),
            (with(&|provision| provision.result_key = Some(secret.clone())), &none, Err(BAD_KEY)),
            (gateway("https://gateway.example"), &none, Err(BAD_GATEWAY)),
            (gateway("none"), &none, Err(BAD_GATEWAY)),
        ];
        for (provision, checks, expected) in rows {
            assert_eq!(checks.check(&provision), expected, "{provision:?}");
        }
        let anchored = Checks { has_anchors: true, authorities: Vec::new() };
        assert_eq!(anchored.check(&with(&|provision| provision.server_anchors.clear())), Ok(()));
    }
}
