//! The client load: our own device's side, one thread for each device at work.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use fdo::{
    CipherSuite, ExchangeSuite,
    device::{Outcome, To2Options},
    service_info::{DeviceEngine, modules::Devmod},
};
use fdo_http::{Client, Finding, find_owner};

use super::stock::Waiting;

/// What some devices took.
pub(crate) struct Took {
    /// For all of them.
    pub(crate) wall: Duration,
    /// For TO1 and TO2 of each.
    pub(crate) each: Vec<Duration>,
}

/// Onboards devices, so many at once: TO1 and TO2 with P-256 and AES-128-GCM, and no service information beyond `devmod`.
pub(crate) fn onboard(devices: &[Waiting], threads: usize) -> Result<Took> {
    let (next, each, began) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Instant::now());
    thread::scope(|scope| {
        let toil = || -> Result<()> {
            while let Some(device) = devices.get(next.fetch_add(1, Ordering::Relaxed)) {
                let began = Instant::now();
                onboard_one(device)?;
                each.lock().unwrap_or_else(PoisonError::into_inner).push(began.elapsed());
            }
            Ok(())
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(toil)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!("a thread failed"))?)
    })?;
    Ok(Took { wall: began.elapsed(), each: each.into_inner().unwrap_or_else(PoisonError::into_inner) })
}

fn onboard_one(device: &Waiting) -> Result<()> {
    let client = Client::default();
    let Waiting { secrets, credential, .. } = device;
    let candidate = match find_owner(&client, credential, secrets).next().context("nobody to ask")? {
        Finding::Candidate(candidate) => candidate,
        other => bail!("TO1: {other:?}"),
    };
    let options = To2Options {
        exchange: ExchangeSuite::Ecdh256,
        cipher: CipherSuite::A128Gcm,
        ..To2Options::for_credential(credential).context("no exchange")?
    };
    let devmod = Devmod {
        os: "linux".into(),
        arch: "x86-64".into(),
        version: "1".into(),
        device: "bench".into(),
        separator: ";".into(),
        binaries: "elf".into(),
        ..Devmod::default()
    };
    let mut engine = DeviceEngine::new(&devmod, Vec::new()).map_err(|fault| anyhow!("{fault}"))?;
    let outcome =
        fdo_http::onboard(&client, &candidate, credential, options, secrets, &mut engine, &mut |_| {})?;
    match outcome {
        Outcome::Replaced(_) => Ok(()),
        Outcome::Reused => bail!("its credential was not replaced"),
    }
}
