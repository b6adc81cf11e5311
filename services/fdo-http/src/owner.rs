use fdo::{OwnedVoucher, OwnerAddress, OwnerKey, Pins, SubProtocol, Target, owner::To0};

use crate::{Client, Error};

/// TO0: tells a rendezvous server where the owner of a device is. The answer is for how many seconds it remembers that.
pub fn register(
    client: &Client,
    target: &Target,
    pins: &Pins,
    voucher: &OwnedVoucher<'_>,
    addresses: &[OwnerAddress],
    wait_seconds: u32,
    owner: &dyn OwnerKey,
) -> Result<u32, Error> {
    let mut session = client.open(SubProtocol::To0, target, pins)?;
    let (mut to0, first) = To0::begin(voucher, addresses, wait_seconds);
    session.run(first, |found, body| Ok(to0.receive(found, body, owner)?))
}
