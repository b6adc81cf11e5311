use std::{thread, time::Duration};

use fdo::{
    Binding, Credential, DeviceInfo, DeviceSecrets, Pins, SubProtocol, Target,
    device::{Di, Outcome, To1, To2, To2Options},
    service_info::DeviceEngine,
};

use crate::{Candidate, Client, Error, random::Random};

/// How long the device is silent while one of its modules waits for something outside.
const BUSY: Duration = Duration::from_millis(200);

/// DI: becomes a device of the manufacturer at this address. Nothing of it is proven by the protocol, which belongs into a
/// factory.
pub fn make_device(
    client: &Client,
    target: &Target,
    info: DeviceInfo,
    secrets: &dyn DeviceSecrets,
) -> Result<Credential, Error> {
    let mut session = client.open(SubProtocol::Di, target, &Pins::default())?;
    let (mut di, first) = Di::begin(info);
    session.run(first, |found, body| Ok(di.receive(found, body, secrets)?))
}

/// TO1: the redirection that a rendezvous server has for the device.
pub(crate) fn ask(
    client: &Client,
    target: &Target,
    pins: &Pins,
    credential: &Credential,
    secrets: &dyn DeviceSecrets,
) -> Result<Vec<u8>, Error> {
    let mut session = client.open(SubProtocol::To1, target, pins)?;
    let (mut to1, first) = To1::begin(credential, secrets);
    session.run(first, |found, body| Ok(to1.receive(found, body, secrets)?))
}

/// TO2: is taken over by the owner, if it is at this address. The outcome is for the caller to keep in one step; until then
/// nothing has changed. `bound` hears what both sides have and nobody else, once they are known and before anything is said.
pub fn onboard(
    client: &Client,
    candidate: &Candidate,
    credential: &Credential,
    options: To2Options,
    secrets: &dyn DeviceSecrets,
    engine: &mut DeviceEngine<'_>,
    bound: &mut dyn FnMut(&Binding),
) -> Result<Outcome, Error> {
    let mut session = client.open(SubProtocol::To2, &candidate.target, &candidate.pins)?;
    let mut random = Random::default();
    let redirect = candidate.redirect.clone();
    let (mut to2, first) =
        To2::begin(credential, redirect, options, secrets, &mut |bytes| random.fill(bytes));
    random.check().map_err(|cause| session.error(first.message_type, cause))?;
    let mut is_bound = false;
    session.run(first, |found, body| {
        let step = to2.receive(found, body, secrets, engine, &mut |bytes| random.fill(bytes))?;
        random.check()?;
        if let (false, Some(binding)) = (is_bound, to2.binding()) {
            bound(&binding);
            is_bound = true;
        }
        if engine.is_busy() {
            thread::sleep(BUSY);
        }
        Ok(step)
    })
}
