//! Devices in memory, a verifier and a network that are functions.

use std::collections::BTreeSet;

use cose::{Purpose, TrustAnchor, TrustAnchors};
use crypto::{Digest, HashAlgorithm, SigningKey};
use device_core::{Component, Credentials, Device, Identity, MemoryStorage, Slot};
use eat::{DebugStatus, Evidence, Nonce, SignedResult, Ueid, VerifierId};
use suit::{ComponentId, Uuid};
use trust::{
    Access, Decision, Inputs, Outcome, OverlayInForce, Policy, Reason, References, Release, ReleaseStanding,
    Releases, SignedOverride, Standing, Subject, Violation, appraise, attestation_result, decide, overlay,
    refuse_evidence,
};

use super::onboarding::Sold;
use crate::{
    Error, Target,
    story::{
        catalog::{self, CAM_1_0, CAM_1_1, Model, PLUG_1_0, PLUG_1_1},
        keys::{COMPONENT, Keys, Published, new_key, now, random},
        place::GATEWAY,
    },
};

/// Everything there is.
pub(super) struct World {
    pub(super) keys: Keys,
    pub(super) verifier: SigningKey,
    pub(super) anchors: TrustAnchors,
    pub(super) policy: Policy,
    pub(super) cam: Published,
    pub(super) plug: Published,
    pub(super) new_cam: Published,
    pub(super) new_plug: Published,
    /// Releases that the operator accepted, and where they stand.
    pub(super) accepted: Vec<(Release, Standing)>,
    pub(super) overrides: Vec<SignedOverride>,
    /// Releases whose stored expected values differ from what was signed.
    pub(super) tampered: Option<Reason>,
    pub(super) devices: Vec<Imagined>,
    /// What their factory and their owner have of them.
    pub(super) sold: Vec<Sold>,
    /// The key to which they are sold.
    pub(super) operator: Option<SigningKey>,
    /// Seconds since 1970; it moves when a step moves it.
    pub(super) now: i64,
}

/// A device in memory.
pub(super) struct Imagined {
    pub(super) name: &'static str,
    pub(super) model: Model,
    pub(super) ueid: Ueid,
    pub(super) device: Device<MemoryStorage>,
    pub(super) key: SigningKey,
    /// The newest result about it, if it ever attested.
    pub(super) result: Option<Vec<u8>>,
    pub(super) violations: Vec<Violation>,
}

/// What evidence came to.
pub(super) struct Verdict {
    pub(super) cwt: Vec<u8>,
    pub(super) codes: Vec<String>,
}

/// Names and products: three cameras that get updates, a forgotten one, two plugs.
const DEVICES: [(&str, Model); 6] = [
    ("cam-1", Model::PorchCam),
    ("cam-2", Model::PorchCam),
    ("cam-3", Model::PorchCam),
    ("cam-late", Model::PorchCam),
    ("plug-1", Model::DeskPlug),
    ("plug-2", Model::DeskPlug),
];
/// The cameras that get updates, the forgotten one, and the plugs.
pub(super) const CAMS: [usize; 3] = [0, 1, 2];
pub(super) const LATE: usize = 3;
pub(super) const PLUGS: [usize; 2] = [4, 5];
/// What applications are made of, where none is started.
const PROGRAM: &[u8] = b"an application of the story";
/// The most bytes of an image.
const CAPACITY: u64 = 64 * 1024;
/// First byte of a UEID of type RAND (RFC 9711, section 4.2.1.1).
const UEID_RAND: u8 = 1;

impl World {
    pub(super) fn new() -> Result<Self, Error> {
        let keys = Keys::generate()?;
        let verifier = new_key()?;
        let anchor = |key: &SigningKey, purpose: Purpose| {
            TrustAnchor::new(key.public_key().clone(), purpose, purpose.name())
        };
        let anchors = TrustAnchors::new(vec![
            anchor(&verifier, Purpose::Result),
            anchor(&keys.network, Purpose::Override),
        ]);
        let [cam, plug, new_cam, new_plug] =
            [CAM_1_0, PLUG_1_0, CAM_1_1, PLUG_1_1].map(|version| keys.publish(version, PROGRAM));
        let mut world = Self {
            verifier,
            anchors,
            policy: Policy::default(),
            cam: cam?,
            plug: plug?,
            new_cam: new_cam?,
            new_plug: new_plug?,
            accepted: Vec::new(),
            overrides: Vec::new(),
            tampered: None,
            devices: Vec::new(),
            sold: Vec::new(),
            operator: None,
            now: now(),
            keys,
        };
        for (name, model) in DEVICES {
            let device = world.make_device(name, model)?;
            world.devices.push(device);
        }
        Ok(world)
    }

    /// A device as it leaves the factory: with its key, an authority list, and the first release.
    fn make_device(&self, name: &'static str, model: Model) -> Result<Imagined, Error> {
        let id = [[UEID_RAND].as_slice(), &random::<16>()?].concat();
        let ueid = Ueid::new(&id).ok_or("no UEID").map_err(Error::object(name))?;
        let vendor = Uuid::vendor(model.vendor());
        let component = ComponentId::new(&[COMPONENT]).expect("one short segment is a component id");
        let identity = Identity {
            ueid: ueid.clone(),
            vendor,
            class: Uuid::class(&vendor, model.class().as_bytes()),
            debug: DebugStatus::Disabled,
            components: vec![Component { id: component, capacity: CAPACITY }],
            layout: device_core::Layout::InTurn,
        };
        let key = new_key()?;
        let copy =
            SigningKey::from_bytes(key.algorithm(), &key.secret_bytes()).map_err(Error::object(name))?;
        let credentials =
            Credentials { identity, authorities: self.keys.authorities()?, key: Box::new(copy) };
        let device = Device::power_up(MemoryStorage::new(), credentials, &random::<16>()?);
        let device = device.map_err(|error| format!("{error:?}")).map_err(Error::object(name))?;
        let mut imagined = Imagined { name, model, ueid, device, key, result: None, violations: Vec::new() };
        let first = if model == Model::PorchCam { &self.cam } else { &self.plug };
        imagined.install(&first.envelope).map_err(Error::object(name))?;
        imagined.commit().map_err(Error::object(name))?;
        Ok(imagined)
    }

    /// The operator accepts a release; it supersedes nothing at once.
    pub(super) fn accept(&mut self, release: &Published) -> Result<(), Error> {
        let accepted = Release::accept(&release.envelope, &self.keys.anchors()?, self.now)
            .map_err(Error::object("a release of the story"))?;
        self.accepted.push((accepted, Standing::Current));
        Ok(())
    }

    /// A device attests, and its result counts from now on.
    pub(super) fn attest(&mut self, index: usize) -> Result<Verdict, Error> {
        let nonce = self.nonce()?;
        let imagined = &self.devices[index];
        let evidence = imagined.device.evidence(&nonce);
        let evidence =
            evidence.map_err(|error| format!("{error:?}")).map_err(Error::object(imagined.name))?;
        let verdict = self.judge(index, &evidence, &nonce)?;
        self.devices[index].result = Some(verdict.cwt.clone());
        Ok(verdict)
    }

    /// What the verifier makes of evidence in answer to a nonce.
    pub(super) fn judge(&self, index: usize, evidence: &[u8], nonce: &Nonce) -> Result<Verdict, Error> {
        let imagined = &self.devices[index];
        let decoded = Evidence::decode(evidence).map_err(Error::object("evidence"))?;
        let fresh = decoded.nonce() == nonce;
        let verified = decoded.verify(imagined.key.public_key(), nonce);
        // A release whose stored values are not what was signed gives no reference values.
        let counting = self.accepted.iter().filter(|_| self.tampered.is_none());
        let releases = Releases::of(counting.map(|(release, _)| release.clone()));
        let tampered = self.tampered.as_ref();
        let references = References { releases: &releases, without: &[], denied: &[], tampered };
        let appraised = match &verified {
            Ok(evidence) => appraise(evidence, &references, &self.policy),
            Err(_) if !fresh => refuse_evidence(trust::Code::ReplayedNonce.into()),
            Err(_) => refuse_evidence(trust::Code::BadEvidenceSignature.into()),
        };
        let key = verified.is_ok().then(|| imagined.key.public_key().clone());
        let subject = Subject { ueid: imagined.ueid.clone(), key, nonce: Some(nonce.clone()) };
        let verifier =
            VerifierId { developer: "sextant".to_owned(), build: env!("CARGO_PKG_VERSION").to_owned() };
        let result = attestation_result(&appraised, &subject, &self.policy, verifier, self.now);
        let kid = cose::thumbprint(self.verifier.public_key(), HashAlgorithm::Sha256);
        let cwt = result.sign_cwt(&self.verifier, kid.as_bytes()).map_err(Error::object("a result"))?;
        let codes = appraised.reasons.iter().map(|reason| reason.code.as_str().to_owned()).collect();
        Ok(Verdict { cwt, codes })
    }

    /// A nonce that nobody used.
    pub(super) fn nonce(&self) -> Result<Nonce, Error> {
        Nonce::new(&random::<32>()?).ok_or("no nonce").map_err(Error::object("a challenge"))
    }

    /// What the network decides about a device from its newest signed result.
    pub(super) fn decide(&self, index: usize) -> Result<Decision, Error> {
        let imagined = &self.devices[index];
        let outcome = match &imagined.result {
            Some(cwt) => {
                let signed = SignedResult::decode_cwt(cwt).map_err(Error::object("a result"))?;
                let issued = signed.unverified().issued_at;
                let verified =
                    signed.verify(&self.anchors, issued, None).map_err(Error::object("a result"))?;
                Some(Outcome::of(&verified))
            }
            None => None,
        };
        let standings: Vec<ReleaseStanding> = self
            .accepted
            .iter()
            .map(|(release, standing)| ReleaseStanding::of(release, standing.clone(), false))
            .collect();
        let overlays: Vec<OverlayInForce> = self.overrides.iter().map(SignedOverride::overlay).collect();
        Ok(decide(&Inputs {
            device: imagined.ueid.as_bytes(),
            outcome: outcome.as_ref(),
            releases: &standings,
            overlays: &overlays,
            violations: &imagined.violations,
            hold: None,
            spared: false,
            policy: &self.policy,
            now: self.now,
        }))
    }

    /// What a device reaches of the Internet: nothing, or what its release declares under the overrides in force.
    pub(super) fn reached(&self, index: usize) -> Result<BTreeSet<Target>, Error> {
        let decision = self.decide(index)?;
        let (Access::Release, Some(digest)) = (decision.access, decision.release) else {
            return Ok(BTreeSet::new());
        };
        let release = self.accepted.iter().find(|(release, _)| release.manifest_digest() == digest);
        let Some(needs) = release.and_then(|(release, _)| release.network_needs()) else {
            return Ok(BTreeSet::new());
        };
        let imagined = &self.devices[index];
        let applies = |signed: &&SignedOverride| {
            signed.content().applies(imagined.ueid.as_bytes(), Some(&needs.url), self.now)
        };
        let overrides = self.overrides.iter().filter(applies).map(SignedOverride::content);
        let policy = overlay(&needs.policy, overrides);
        Ok(catalog::permitted(&policy, GATEWAY).into_iter().collect())
    }
}

impl Imagined {
    /// Installs a release and boots it; the reason code if the device refuses it.
    pub(super) fn install(&mut self, envelope: &[u8]) -> Result<(), String> {
        self.device.install(envelope, None, None).map_err(|error| match error {
            device_core::InstallError::Refused(fault) => fault.code().to_owned(),
            error => format!("{error:?}"),
        })?;
        self.device.boot(None).map(drop).map_err(|error| format!("{error:?}"))
    }

    /// Commits what runs on trial.
    pub(super) fn commit(&mut self) -> Result<(), String> {
        self.device.commit().map_err(|error| format!("{error:?}"))
    }

    /// The image that runs, to look at or to tamper with.
    pub(super) fn image(&mut self) -> &mut Vec<u8> {
        let slot = self.device.running().map_or(Slot::A, |running| running.slot);
        self.device.storage_mut().area_mut(device_core::Area::Image(slot, 0))
    }

    /// SHA-256 of the image that runs.
    pub(super) fn digest(&mut self) -> Digest {
        Digest::of(HashAlgorithm::Sha256, self.image())
    }
}
