use fdo::{OwnedVoucher, OwnerAddress, OwnerKey, Party, Pins, SubProtocol, Target, Unusable, owner::To0};

use crate::{Client, Error};

/// What came of one rendezvous server, or of a directive that leads to none.
#[derive(Debug)]
pub enum Registered {
    /// The server remembers the owner.
    Remembered {
        /// Which server.
        target: Target,
        /// For how many seconds.
        seconds: u32,
    },
    /// The server does not.
    Failed(Box<Error>),
    /// The directive is of no use.
    Unusable {
        /// Which directive, counted from none.
        directive: usize,
        /// Why.
        reason: Unusable,
    },
}

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

/// TO0 with every rendezvous server that the voucher names: of each directive the servers in turn, until one remembers. Nothing
/// where devices are led to their owner without rendezvous.
pub fn register_everywhere(
    client: &Client,
    voucher: &OwnedVoucher<'_>,
    addresses: &[OwnerAddress],
    wait_seconds: u32,
    owner: &dyn OwnerKey,
) -> Vec<Registered> {
    let mut outcomes = Vec::new();
    let ways = voucher.voucher().header().rendezvous.ways(Party::Owner);
    for way in ways.into_iter().filter(|way| !way.bypass) {
        let targets = match way.targets {
            Ok(targets) => targets,
            Err(reason) => {
                outcomes.push(Registered::Unusable { directive: way.directive, reason });
                continue;
            }
        };
        for target in targets {
            match register(client, &target, &way.pins, voucher, addresses, wait_seconds, owner) {
                Ok(seconds) => {
                    outcomes.push(Registered::Remembered { target, seconds });
                    break;
                }
                Err(error) => outcomes.push(Registered::Failed(Box::new(error))),
            }
        }
    }
    outcomes
}
