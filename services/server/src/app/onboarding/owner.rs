//! TO2: devices that are ours by a voucher prove themselves, attest, and are given what they need.

use cbor::{Order, Reader, Writer};
use cose::Key as CoseKey;
use crypto::{HashAlgorithm, Zeroizing};
use eat::{Evidence, Tier};
use fdo::{
    Binding, CipherSuite, DeviceChain, Failure as Refusal, Guid, HelloDevice, Key, MessageType, OwnerKey,
    SubProtocol, Voucher,
    owner::{OwnerOptions, OwnerSession, Setup},
    service_info::Backend,
};
use serde_json::{Value, json};
use store::{Device, DeviceId, NewDevice, Onboarded, Onboarding, OnboardingState};

use crate::app::{
    App, Failure,
    onboarding::{
        Answered, Opened, Unanswered, ends,
        keys::PrivateKey,
        owner_modules::{Arrivals, Files, OperationalIssuer, OwnModule},
        plan::Plan,
        stored,
    },
    releases::hex,
};

/// A session of TO2, and what the device attested in it.
struct Held {
    session: OwnerSession,
    attested: Option<Attested>,
}

/// What a device's evidence says, that was enough.
struct Attested {
    ueid: Vec<u8>,
    release: Option<Vec<u8>>,
}

/// Why a device gets nothing.
struct NotAttested {
    /// The verifier's own code.
    code: String,
}

impl App {
    /// Answers [`HelloDevice`]: the owner proves itself.
    pub(super) async fn begin_onboarding(&self, body: &[u8]) -> Result<Answered, Unanswered> {
        let hello = HelloDevice::decode(body)?;
        let (_, bytes) = self.owned(&hello.guid).await?;
        let voucher = Voucher::decode(&bytes)?;
        let owner = self.owner_key(voucher.owner().key())?;
        let owned = voucher.claim(&owner.key(), DeviceChain::OfManufacturer)?;
        let options = self.owner_options();
        let (session, message) = OwnerSession::begin(body, &owned, &options, owner, &mut crate::keys::fill)?;
        let held = Held { session, attested: None };
        self.goes_on(SubProtocol::To2, self.fresh_moment(), &held.to_bytes(), message)
    }

    /// Answers a later message. Why it fails is noted with the device.
    pub(super) async fn onboard(
        &self,
        message_type: MessageType,
        body: &[u8],
        opened: &Opened,
    ) -> Result<Answered, Unanswered> {
        let held = Held::from_bytes(&opened.bytes).ok_or(Unanswered::NoSession)?;
        let guid = *held.session.guid();
        // What only who has the device's key can send is worth a note, and so is a bad proof of having it.
        let noted = held.session.is_proven() || message_type == MessageType::ProveDevice;
        let answer = self.answer_device(held, message_type, body, opened).await;
        if let Err(unanswered) = &answer
            && let Some(code) = code_of(unanswered).filter(|_| noted)
        {
            tracing::warn!(%guid, code, "a device is not onboarded");
            self.store.onboarding_failed(stored(&guid), &code, self.now()).await?;
        }
        answer
    }

    async fn answer_device(
        &self,
        mut held: Held,
        message_type: MessageType,
        body: &[u8],
        opened: &Opened,
    ) -> Result<Answered, Unanswered> {
        let fill = &mut crate::keys::fill;
        let guid = *held.session.guid();
        let options = self.owner_options();
        let message = match message_type {
            MessageType::GetOvNextEntry => {
                let (_, bytes) = self.owned(&guid).await?;
                held.session.entry(body, &Voucher::decode(&bytes)?)?
            }
            MessageType::ProveDevice => {
                let (device, bytes) = self.owned(&guid).await?;
                let voucher = Voucher::decode(&bytes)?;
                let owner = self.owner_key(voucher.owner().key())?;
                let setup = if self.template_of(&device)?.keep_credential {
                    Setup::Keep
                } else {
                    let guid = Guid(crate::keys::random());
                    Setup::Replace { guid, rendezvous: self.rendezvous_of_owned()?, owner }
                };
                held.session.set_up(body, &voucher, &setup, owner, fill)?
            }
            MessageType::DeviceServiceInfoReady => {
                let (session, message) = held.session.ready(body, &options, fill)?;
                held.session = session;
                message
            }
            MessageType::DeviceServiceInfo => self.inform(&mut held, body).await?,
            MessageType::Done => return self.finish(&held, body, opened).await,
            found => return Err(Refusal::OutOfOrder { found }.into()),
        };
        self.goes_on(SubProtocol::To2, opened.began, &held.to_bytes(), message)
    }

    /// Goes on with the device's service information, and judges evidence that came with it.
    async fn inform(&self, held: &mut Held, body: &[u8]) -> Result<fdo::Message, Unanswered> {
        let device = self.expected(held.session.guid()).await?;
        let plan = self.plan(&device).await?;
        let (answer, evidence) = self.speak(held, body, &plan)?;
        if let Some(evidence) = evidence {
            let key = held.session.device_key()?;
            let binding = held.session.binding().ok_or(Unanswered::NoSession)?;
            match self.appraise_device(&evidence, &key, &binding, &plan).await? {
                Ok(attested) => held.attested = Some(attested),
                Err(NotAttested { code }) => return Err(Unanswered::NotAttested(code)),
            }
        }
        Ok(answer)
    }

    /// Answers what the device says, and gives the evidence in it.
    fn speak(
        &self,
        held: &mut Held,
        body: &[u8],
        plan: &Plan,
    ) -> Result<(fdo::Message, Option<Vec<u8>>), Unanswered> {
        let keys = self.onboarding_keys.owner.as_ref().ok_or(Unanswered::NotFound)?;
        let ueid = hex(&held.ueid());
        let folder = self.config.data.join("uploads").join(&ueid);
        let mut own = OwnModule { plan, attested: held.attested.is_some(), evidence: None, refused: None };
        let now = self.now().seconds();
        let mut issuer = OperationalIssuer { authority: &keys.operational, ueid, now };
        let mut backend = Backend {
            contents: &Files(plan),
            sink: &mut Arrivals { plan, folder },
            issuer: &mut issuer,
            steps: &mut own,
        };
        let fill = &mut crate::keys::fill;
        let answer = held.session.service_info(body, &plan.program, &mut backend, fill);
        match own.refused {
            Some(code) => Err(Unanswered::Device(format!("device-refused-{code}"))),
            None => Ok((answer?, own.evidence)),
        }
    }

    /// Judges evidence of a device that is not enrolled yet, by the key of its voucher.
    async fn appraise_device(
        &self,
        bytes: &[u8],
        key: &crypto::PublicKey,
        binding: &Binding,
        plan: &Plan,
    ) -> Result<Result<Attested, NotAttested>, Failure> {
        let not = |code: &str| Ok(Err(NotAttested { code: code.to_owned() }));
        let Ok(evidence) = Evidence::decode(bytes) else { return not("malformed-evidence") };
        let Some(id) = DeviceId::new(evidence.ueid().as_bytes()) else { return not("malformed-evidence") };
        if evidence.nonce().as_bytes() != binding.0 {
            return not("replayed-nonce");
        }
        // A device that says to be another one whose voucher is here would take its place.
        if self.vouched().devices.of(id.as_bytes()).is_some_and(|other| other.key != *key) {
            return not("bad-evidence-signature");
        }
        let enrolled = new_device(&id, key, String::new(), String::new(), String::new());
        let twins = self.store.devices_with_key(&enrolled.thumbprint).await?;
        let twin = twins.into_iter().find(|twin| twin.id != id).map(|twin| twin.name);
        let device = not_yet_enrolled(enrolled, self.now());
        let judged = self.judge_of(bytes, &binding.0, &device, twin.as_deref(), &self.basis()).await?;
        let appraised = &judged.appraised;
        let enough = match plan.template.require {
            api::OnboardingRequirement::Trusted => judged.signed && appraised.tier() == Tier::Affirming,
            api::OnboardingRequirement::Attested | api::OnboardingRequirement::Nothing => judged.signed,
        };
        if !enough {
            let code = appraised.reasons.first().map_or("not-affirmed", |reason| reason.code.as_str());
            return not(code);
        }
        let release = appraised.release.map(|release| release.as_bytes().to_vec());
        Ok(Ok(Attested { ueid: id.as_bytes().to_vec(), release }))
    }

    /// The device has everything: it is enrolled and its voucher replaced, and only then told so.
    async fn finish(&self, held: &Held, body: &[u8], opened: &Opened) -> Result<Answered, Unanswered> {
        let guid = *held.session.guid();
        let (device, bytes) = self.owned(&guid).await?;
        let finished = held.session.done(body, &Voucher::decode(&bytes)?, &mut crate::keys::fill)?;
        let replacement = match finished.voucher {
            Some(bytes) => {
                let guid = Voucher::decode(&bytes)?.header().guid;
                Some((stored(&guid), bytes))
            }
            None => None,
        };
        let ueid = held.ueid();
        let id = DeviceId::new(&ueid).ok_or(Unanswered::NoSession)?;
        let model: String = device.info.chars().filter(|c| !c.is_control()).take(MAX_MODEL).collect();
        let name = match device.name.as_str() {
            "" => format!("{model}-{}", hex(&ueid[ueid.len().saturating_sub(8)..])),
            name => name.to_owned(),
        };
        let plan = self.plan(&device).await?;
        let detail = self.told(held, &plan)?;
        let end = Onboarded {
            guid: stored(&guid),
            session_at: opened.began,
            replacement,
            device: new_device(&id, &held.session.device_key()?, name, model, device.group.clone()),
            register_at: None,
            detail,
            at: self.now(),
        };
        match self.store.onboarded(end).await {
            Ok(()) => {}
            Err(store::Error::Conflict(what)) => {
                tracing::warn!(%guid, what, "a device is not enrolled");
                return Err(Unanswered::Device("enrolment-conflict".to_owned()));
            }
            Err(error) => return Err(error.into()),
        }
        self.nudge.notify_one();
        Ok(ends(finished.message))
    }

    /// What the timeline says of a device that was onboarded.
    fn told(&self, held: &Held, plan: &Plan) -> Result<Value, Unanswered> {
        let engine = held.session.engine(&plan.program)?;
        let devmod = engine.devmod();
        let outcomes: Vec<Value> = (plan.program.steps().iter().zip(engine.outcomes()))
            .map(|(step, outcome)| json!({ "module": step.action.module(), "outcome": format!("{outcome:?}") }))
            .collect();
        Ok(json!({
            "device": hex(&held.ueid()),
            "attested": held.attested.is_some(),
            "release": held.attested.as_ref().and_then(|attested| attested.release.as_deref()).map(hex),
            "os": devmod.os, "arch": devmod.arch, "version": devmod.version, "model": devmod.device,
            "steps": outcomes,
        }))
    }

    /// A device ended a session by itself.
    pub(super) async fn device_gave_up(
        &self,
        opened: &Opened,
        error: &fdo::ErrorMessage,
    ) -> Result<(), Failure> {
        let Some(held) = Held::from_bytes(&opened.bytes).filter(|held| held.session.is_proven()) else {
            return Ok(());
        };
        let code = format!("device-gave-up-{}", error.code);
        match self.store.onboarding_failed(stored(held.session.guid()), &code, self.now()).await {
            Ok(()) | Err(store::Error::Absent(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A device that is ours to onboard.
    async fn expected(&self, guid: &Guid) -> Result<Onboarding, Unanswered> {
        let device = self.store.onboarding(&stored(guid)).await?.ok_or(Unanswered::NotFound)?;
        match device.state {
            OnboardingState::Sold | OnboardingState::Retired => Err(Unanswered::NotFound),
            OnboardingState::Waiting | OnboardingState::Onboarded | OnboardingState::Replaced => Ok(device),
        }
    }

    /// The same, and its voucher.
    async fn owned(&self, guid: &Guid) -> Result<(Onboarding, Vec<u8>), Unanswered> {
        let device = self.expected(guid).await?;
        let voucher = self.voucher_to_onboard(&device).await.ok_or(Unanswered::NotFound)?;
        Ok((device, voucher))
    }

    fn owner_options(&self) -> OwnerOptions {
        let mut options = OwnerOptions::default();
        if self.config.onboarding.all_ciphers {
            options.ciphers = CipherSuite::ALL.to_vec();
        }
        options
    }

    /// The voucher that a device is onboarded with: the one that was begun here, or the one that came.
    pub(crate) async fn voucher_to_onboard(&self, device: &Onboarding) -> Option<Vec<u8>> {
        match &device.voucher {
            Some(voucher) => Some(voucher.clone()),
            None => self.voucher(Guid(device.guid.0)).await.ok().map(|record| record.bytes),
        }
    }

    /// Our private key of a public one.
    pub(crate) fn private_owner_key(&self, key: &Key) -> Option<&(dyn OwnerKey + Sync)> {
        self.onboarding_keys.owner.as_ref()?.private(key).map(PrivateKey::as_owner)
    }

    /// The same. A voucher that ends with another key is not ours to onboard with.
    fn owner_key(&self, key: &Key) -> Result<&(dyn OwnerKey + Sync), Unanswered> {
        self.private_owner_key(key).ok_or(Unanswered::NotFound)
    }
}

/// Characters of the longest model that is made of what a voucher says.
const MAX_MODEL: usize = 64;

/// Why a session failed, as it is noted.
fn code_of(unanswered: &Unanswered) -> Option<String> {
    match unanswered {
        Unanswered::Refused(refusal) => Some(refusal.code().to_owned()),
        Unanswered::NotAttested(code) | Unanswered::Device(code) => Some(code.clone()),
        // Of these the device is no cause.
        Unanswered::NotFound | Unanswered::NoSession | Unanswered::TooMany | Unanswered::Failed(_) => None,
    }
}

fn new_device(
    id: &DeviceId,
    key: &crypto::PublicKey,
    name: String,
    model: String,
    group: String,
) -> NewDevice {
    let key = CoseKey::from_public(key);
    let thumbprint = key.thumbprint(HashAlgorithm::Sha256).as_bytes().to_vec();
    NewDevice { id: id.clone(), name, model, group, key: key.encode(), thumbprint }
}

/// The device as the verifier will know it.
fn not_yet_enrolled(new: NewDevice, now: store::Timestamp) -> Device {
    Device {
        id: new.id,
        name: new.name,
        model: new.model,
        group: new.group,
        key: new.key,
        thumbprint: new.thumbprint,
        enrolled_at: now,
        retired_at: None,
        hold: None,
        result: None,
        decision: None,
        posture: String::new(),
        access: String::new(),
        violating: false,
        reasons: String::new(),
        release: None,
        attested_at: None,
        due: None,
    }
}

impl Held {
    /// The device: what it attested to be, or else what its name in FDO makes it.
    fn ueid(&self) -> Vec<u8> {
        match &self.attested {
            Some(attested) => attested.ueid.clone(),
            None => self.session.guid().ueid().to_vec(),
        }
    }

    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Writer::encode(|w| {
            w.array(2).bytes(&self.session.to_bytes());
            match &self.attested {
                None => _ = w.null(),
                Some(Attested { ueid, release }) => {
                    w.array(2).bytes(ueid);
                    match release {
                        None => _ = w.null(),
                        Some(release) => _ = w.bytes(release),
                    }
                }
            }
        }))
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::with_order(bytes, Order::Unique);
        reader.array_of(2).ok()?;
        let session = OwnerSession::from_bytes(reader.bytes().ok()?).ok()?;
        let attested = if reader.is_null().ok()? {
            None
        } else {
            reader.array_of(2).ok()?;
            let ueid = reader.bytes().ok()?.to_vec();
            let release = if reader.is_null().ok()? { None } else { Some(reader.bytes().ok()?.to_vec()) };
            Some(Attested { ueid, release })
        };
        reader.end().ok()?;
        Some(Self { session, attested })
    }
}
