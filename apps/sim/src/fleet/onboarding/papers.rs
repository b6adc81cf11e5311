//! What people do so that devices can be onboarded: they sell them, import their vouchers, and wait for the server to
//! register.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use fdo::Guid;

use super::{phase::Tally, session::Refused};
use crate::{Error, client::Client, fleet::operator::Operator};

/// Vouchers in one file.
const BATCH: usize = 200;
/// Devices on one page.
const PAGE: u64 = 1000;
/// How often the server is asked whom it has registered.
const LOOK: Duration = Duration::from_millis(250);
/// How long nothing may change until no more is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// The operator's key for devices on P-256, in PEM.
pub(super) fn owner_key(operator: &Operator) -> Result<String, Error> {
    let keys: api::OnboardingKeys = operator.client().get("/api/v1/onboarding/keys")?;
    let of_p256 = |pem: &String| {
        let blocks = x509::pem::decode(pem).unwrap_or_default();
        blocks.first().is_some_and(|block| {
            crypto::PublicKey::from_spki_der(&block.der)
                .is_ok_and(|key| key.algorithm() == crypto::SignatureAlgorithm::Es256)
        })
    };
    let key = keys.owner.into_iter().find(of_p256);
    key.ok_or("it has none for devices on P-256").map_err(Error::object("the owner's key"))
}

/// Sells a device. Gives its voucher.
pub(super) fn sell(
    manufacturer: &Client,
    guid: &Guid,
    buyer: &str,
) -> Result<Result<Vec<u8>, Refused>, Error> {
    let path = format!("/api/v1/onboarding/made/{guid}/sell");
    match manufacturer.bytes_for("POST", &path, "application/x-pem-file", buyer.as_bytes()) {
        Ok(voucher) => Ok(Ok(voucher)),
        Err(Error::Refused { problem, .. }) => Ok(Err(Refused(problem.code))),
        Err(error) => Err(error),
    }
}

/// Imports vouchers, file by file.
pub(super) fn import(
    operator: &Operator,
    group: &str,
    vouchers: &[Vec<u8>],
    tally: &Tally,
    hear: &mut dyn FnMut(u64),
) -> Result<(), Error> {
    let path = format!("/api/v1/onboarding/vouchers?group={group}");
    let mut imported = 0;
    for batch in vouchers.chunks(BATCH) {
        let blocks = batch.iter().map(|voucher| x509::pem::encode(fdo::PEM_LABEL, voucher));
        let (file, began) = (blocks.collect::<String>(), Instant::now());
        let report: Vec<api::VoucherImport> = operator.client().post(&path, api::VOUCHER, file.as_bytes())?;
        let added = report.iter().filter(|row| row.outcome == "added").count() as u64;
        tally.did(added, began.elapsed());
        for row in report.iter().filter(|row| row.outcome != "added") {
            tally.failed(row.reason.as_ref().map_or(&row.outcome, |reason| &reason.code));
        }
        imported += added;
        hear(imported);
    }
    Ok(())
}

/// Waits until the devices of a group are registered with their rendezvous servers, or nothing comes of it any more.
pub(super) fn await_registration(
    operator: &Operator,
    group: &str,
    devices: u64,
    tally: &Tally,
    stop: &AtomicBool,
    hear: &mut dyn FnMut(u64),
) -> Result<(), Error> {
    let (mut counted, mut changed) = (0, Instant::now());
    loop {
        let waiting = waiting(operator, group)?;
        let registered = devices.saturating_sub(waiting.len() as u64);
        if registered > counted {
            tally.counted(registered - counted);
            (counted, changed) = (registered, Instant::now());
            hear(registered);
        }
        if waiting.is_empty() || changed.elapsed() > PATIENCE {
            for device in waiting {
                tally.failed(device.registration.failure.as_deref().unwrap_or("not-registered"));
            }
            return Ok(());
        }
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        thread::sleep(LOOK);
    }
}

/// Devices of a group that are to be registered and are not.
fn waiting(operator: &Operator, group: &str) -> Result<Vec<api::Onboarding>, Error> {
    let (mut waiting, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/onboarding/devices?state=waiting&limit={PAGE}{after}");
        let page: Vec<api::Onboarding> = operator.client().get(&path)?;
        let is_last = (page.len() as u64) < PAGE;
        if let Some(last) = page.last() {
            after = format!("&after={}", last.guid);
        }
        waiting.extend(page.into_iter().filter(|device| {
            // One that needs no registration is never due.
            device.group == group && device.registration.until.is_none() && device.registration.due.is_some()
        }));
        if is_last {
            return Ok(waiting);
        }
    }
}
