use std::{path::PathBuf, time::Duration};

use clap::Args;
use fdo::{DeviceChain, OwnerAddress, Pins, Target};
use fdo_http::{Cause, Registered};

use super::{Peer, target, unfinished};
use crate::{
    commands::{coswid::chain, up, voucher},
    failure::{Answer, Failure},
    files::Input,
    keys,
    node::{Map, Node},
    printer::{Printer, Verdict},
};

#[derive(Debug, Args)]
pub(crate) struct To0 {
    /// The device's voucher, encoded or in PEM
    #[arg(long, value_name = "FILE")]
    voucher: PathBuf,
    /// Private key of the owner
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// URL by which devices reach the owner
    #[arg(long, value_name = "URL", value_parser = target)]
    owner_url: Target,
    /// The rendezvous server; those that the voucher names unless given
    #[arg(long, value_name = "URL", value_parser = target)]
    rendezvous: Option<Target>,
    /// How long it is to remember
    #[arg(long, value_name = "TIME", value_parser = up::wait, default_value = "7d")]
    wait: Duration,
    #[command(flatten)]
    peer: Peer,
}

pub(super) fn run(command: &To0, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.voucher)?.binary();
    let bytes = voucher::one(&input)?;
    let key = keys::read_owner_key(&command.key)?;
    let decoded = voucher::decode(&input, &bytes)?;
    let guid = decoded.header().guid;
    let owned = match decoded.claim(&key.key(), DeviceChain::OfManufacturer) {
        Ok(owned) => owned,
        Err(error) => return Ok(printer.answer(Verdict::no(error.code(), chain(&error)))),
    };
    let addresses = [OwnerAddress::of(command.owner_url.clone())];
    let wait = u32::try_from(command.wait.as_secs()).unwrap_or(u32::MAX);
    let client = command.peer.client()?;
    let outcomes = match &command.rendezvous {
        None => fdo_http::register_everywhere(&client, &owned, &addresses, wait, &*key),
        Some(target) => {
            match fdo_http::register(&client, target, &Pins::default(), &owned, &addresses, wait, &*key) {
                Ok(seconds) => vec![Registered::Remembered { target: target.clone(), seconds }],
                Err(error) => vec![Registered::Failed(Box::new(error))],
            }
        }
    };
    let facts = Map::new()
        .with("guid", Node::shown(guid))
        .with("owner", Node::shown(&command.owner_url))
        .unless_empty("servers", outcomes.iter().map(fact).collect::<Vec<_>>());
    if outcomes.iter().any(|outcome| matches!(outcome, Registered::Remembered { .. })) {
        return Ok(printer.answer(Verdict::yes("the owner is registered").with(facts)));
    }
    // Who refuses has answered; who was not reached has not.
    let failures = outcomes.iter().filter_map(|outcome| match outcome {
        Registered::Failed(error) => Some(&**error),
        _ => None,
    });
    let refusal = failures.clone().find(|error| matches!(error.cause, Cause::Protocol(_)));
    match refusal.or_else(|| failures.clone().next()) {
        Some(error) => unfinished(error, printer),
        None => Err(Failure::new("the voucher names no rendezvous server that can be asked")
            .help("give one with --rendezvous")),
    }
}

fn fact(outcome: &Registered) -> Map {
    match outcome {
        Registered::Remembered { target, seconds } => {
            Map::new().with("server", Node::shown(target)).with("remembers_seconds", *seconds)
        }
        Registered::Failed(error) => {
            Map::new().with("server", Node::shown(&error.target)).with("failure", error.code())
        }
        Registered::Unusable { directive, reason } => {
            Map::new().with("directive", *directive).with("failure", reason.code())
        }
    }
}
