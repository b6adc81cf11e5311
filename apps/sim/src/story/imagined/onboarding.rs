//! Step 1, and how devices are taken over: FDO with both sides in this process.

use crypto::{SigningKey, Zeroizing};
use eat::Nonce;
use fdo::{
    AppStart, Binding, Credential, DeviceChain, DeviceInfo, Directive, Failure, Guid, Instruction,
    KeyEncoding, KeyType, ManufacturerSession, Message, MessageType, NewDevice, PublicKey, RendezvousInfo,
    Signer as _, SoftSecrets, Step, Voucher,
    device::{Di, Outcome, To2, To2Options},
    owner::{OwnerOptions, OwnerSession, Setup},
    service_info::{Absent, Backend, DeviceEngine, Program, ProgramId, modules::Devmod},
};
use x509::{CertificateBuilder, Validity};

use super::world::World;
use crate::{
    Error,
    story::{
        Script,
        keys::{new_key, now, random},
    },
};

/// What a device has of its factory, and its owner of the device.
pub(super) struct Sold {
    secrets: SoftSecrets,
    credential: Credential,
    voucher: Vec<u8>,
}

/// Seconds that certificates of the factory are good.
const YEAR: i64 = 365 * 24 * 3600;

/// Step 1.
pub(super) fn make(world: &mut World, script: &mut Script) -> Result<(), Error> {
    let (factory, operator) = (new_key()?, new_key()?);
    for index in 0..world.devices.len() {
        let imagined = &world.devices[index];
        let guid = imagined.ueid.as_bytes().get(1..).and_then(|guid| guid.try_into().ok()).map(Guid);
        let guid = guid.ok_or("no GUID").map_err(Error::object(imagined.name))?;
        let key = SigningKey::from_bytes(imagined.key.algorithm(), &imagined.key.secret_bytes());
        let key = key.map_err(Error::object(imagined.name))?;
        let made = sold(guid, imagined.name, key, &factory, &operator);
        world.sold.push(made.map_err(Error::object(imagined.name))?);
    }
    let verify = |voucher: &[u8]| {
        let verified = Voucher::decode(voucher)?.verify(DeviceChain::OfManufacturer)?;
        Ok::<_, fdo::Error>(*verified.owner().key() == operator.key())
    };
    let held = world.sold.iter().filter(|sold| verify(&sold.voucher) == Ok(true)).count();
    script.check(
        "the factory makes each device and sells it to the operator by a signed voucher",
        held == world.devices.len(),
        format!("{held} vouchers verified"),
    );
    let changed = world.sold.iter().filter(|sold| {
        let mut voucher = sold.voucher.clone();
        if let Some(last) = voucher.last_mut() {
            *last ^= 1;
        }
        verify(&voucher).is_err()
    });
    let changed = changed.count();
    script.check("a changed voucher is refused", changed == held, format!("{changed} refused"));
    world.operator = Some(operator);
    Ok(())
}

/// DI, and the sale.
fn sold(
    guid: Guid,
    name: &str,
    key: SigningKey,
    factory: &SigningKey,
    operator: &SigningKey,
) -> Result<Sold, Failure> {
    let validity = Validity { not_before: now(), not_after: now() + YEAR };
    let subject = format!("CN={name}").parse().map_err(|_| fdo::Refusal::DeviceInfo)?;
    let certificate = CertificateBuilder::new(subject, key.public_key(), &[1], validity).self_signed(&key);
    let certificate = certificate.map_err(|_| fdo::Refusal::CertificationRequest)?;
    let secrets = SoftSecrets { key, hmac_secret: Zeroizing::new(guid.0.to_vec()) };
    let info = DeviceInfo {
        key_type: KeyType::Secp256r1,
        encoding: KeyEncoding::X509,
        serial: name.into(),
        info: name.into(),
        request: Vec::new(),
    };
    let (mut di, first) = Di::begin(info);
    let AppStart::Device(told) = AppStart::decode(&first.body)? else {
        return Err(fdo::Refusal::DeviceInfo.into());
    };
    let owner = Instruction::Dns("owner.example".into());
    let directive = Directive { instructions: vec![Instruction::Bypass, owner] };
    let rendezvous = RendezvousInfo { directives: vec![directive] };
    let (session, answer) = ManufacturerSession::begin(NewDevice {
        guid,
        info: &told.info,
        rendezvous: &rendezvous,
        manufacturer: PublicKey::new(factory.public_key().clone(), told.encoding)?,
        certificates: &[certificate.as_der().to_vec()],
    })?;
    let Step::Send(hmac) = di.receive(answer.message_type, &answer.body, &secrets)? else {
        return Err(Failure::OutOfOrder { found: answer.message_type });
    };
    let made = session.finish(&hmac.body)?;
    let Step::Done(credential) = di.receive(made.message.message_type, &made.message.body, &secrets)? else {
        return Err(Failure::OutOfOrder { found: made.message.message_type });
    };
    let voucher = Voucher::decode(&made.voucher)?.extend(operator.public_key().clone())?.sign(factory)?;
    Ok(Sold { secrets, credential, voucher })
}

/// Each device is taken over by its owner, with evidence that answers this session.
pub(super) fn take_over(world: &mut World, script: &mut Script) -> Result<(), Error> {
    let operator = world.operator.take().ok_or("no operator").map_err(Error::object("the operator's key"))?;
    let mut taken = 0;
    for index in 0..world.devices.len() {
        let name = world.devices[index].name;
        let sold = &world.sold[index];
        let (outcome, binding) = to2(sold, &operator).map_err(Error::object(name))?;
        let nonce = Nonce::new(&binding.0).ok_or("no nonce").map_err(Error::object(name))?;
        let evidence = world.devices[index].device.evidence(&nonce);
        let evidence = evidence.map_err(|error| format!("{error:?}")).map_err(Error::object(name))?;
        let verdict = world.judge(index, &evidence, &nonce)?;
        let affirmed = verdict.codes.is_empty();
        taken += usize::from(matches!(outcome, Outcome::Replaced(_)) && affirmed);
    }
    script.check(
        "each device is taken over by its owner, after evidence that answers this session",
        taken == world.devices.len(),
        format!("{taken} devices"),
    );
    Ok(())
}

/// TO2, with nothing said beyond what the device is.
fn to2(sold: &Sold, operator: &SigningKey) -> Result<(Outcome, Binding), Failure> {
    let mut broken = false;
    let mut fill = |bytes: &mut [u8]| match getrandom::fill(bytes) {
        Ok(()) => {}
        Err(_) => broken = true,
    };
    let options = To2Options::for_credential(&sold.credential).ok_or(fdo::Refusal::ExchangeSuite)?;
    let devmod = Devmod { os: "linux".into(), ..Devmod::default() };
    let mut engine = DeviceEngine::new(&devmod, Vec::new())?;
    let (mut to2, mut message) = To2::begin(&sold.credential, None, options, &sold.secrets, &mut fill);
    let voucher = Voucher::decode(&sold.voucher)?;
    let owned = Voucher::decode(&sold.voucher)?.claim(&operator.key(), DeviceChain::OfManufacturer)?;
    let permitted = OwnerOptions::default();
    let program = Program::new(ProgramId([0; 16]), Vec::new())?;
    let rendezvous = voucher.header().rendezvous.clone();
    let guid = Guid(random::<16>().map_err(|_| fdo::Fault::Randomness)?);
    let setup = Setup::Replace { guid, rendezvous: &rendezvous, owner: operator };
    let (mut session, mut answer) =
        OwnerSession::begin(&message.body, &owned, &permitted, operator, &mut fill)?;
    let mut binding = None;
    loop {
        let Message { message_type, body } = answer;
        binding = to2.binding().or(binding);
        message = match to2.receive(message_type, &body, &sold.secrets, &mut engine, &mut fill)? {
            Step::Send(message) => message,
            Step::Done(outcome) => {
                let binding = binding.filter(|_| !broken).ok_or(fdo::Fault::Randomness)?;
                return Ok((outcome, binding));
            }
        };
        let body = &message.body;
        answer = match message.message_type {
            MessageType::GetOvNextEntry => session.entry(body, &voucher)?,
            MessageType::ProveDevice => session.set_up(body, &voucher, &setup, operator, &mut fill)?,
            MessageType::DeviceServiceInfoReady => {
                let (next, answer) = session.ready(body, &permitted, &mut fill)?;
                session = next;
                answer
            }
            MessageType::DeviceServiceInfo => {
                let backend = &mut Backend {
                    contents: &Absent,
                    sink: &mut Absent,
                    issuer: &mut Absent,
                    steps: &mut Absent,
                };
                session.service_info(body, &program, backend, &mut fill)?
            }
            MessageType::Done => session.done(body, &voucher, &mut fill)?.message,
            found => return Err(Failure::OutOfOrder { found }),
        };
    }
}
