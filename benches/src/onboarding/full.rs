//! The whole way of a device, and what it costs the server: the fleet of `sextant sim --onboard`.

use std::sync::{Arc, atomic::AtomicBool};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sim::fleet::{Fleet, Phase, Plan, Share, World, WorldPlan};

use super::process::sextant;
use crate::{
    Effort,
    report::{Row, Section},
    sample::rate,
};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let devices: u32 = effort.of(50, 2_000);
    let plan = Plan {
        devices,
        seed: 1,
        attest: Duration::from_secs(60),
        poll: Duration::from_secs(60),
        life: Duration::from_secs(1),
        ramp: Duration::ZERO,
        connections: CONNECTIONS,
        changed: Share::Devices(0),
        change_after: Duration::ZERO,
        vanishing: Share::Devices(0),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let world = World::start(
        WorldPlan {
            sextant: sextant()?,
            data: None,
            seed: 1,
            models: vec![("maker.example".into(), "sensor".into())],
            image: 100_000,
            poll: plan.poll,
            attest: plan.attest,
            onboard: true,
        },
        &stop,
    )?;
    let models = world.models()?;
    let fleet = Fleet::onboard_in(&world, &plan, &models, &stop, &mut |_| {})?;
    let onboarded = fleet.onboarded().context("nobody was onboarded")?;
    ensure!(onboarded.devices == u64::from(devices), "not all were onboarded: {:?}", onboarded.phases);
    let phase = |name: &str| {
        onboarded.phases.iter().find(|phase| phase.name == name).with_context(|| format!("no phase {name}"))
    };
    let (make, sell, import, register) =
        (phase("make")?, phase("sell")?, phase("import")?, phase("register")?);
    let (find, onboard) = (phase("find")?, phase("onboard")?);
    let cpu = |phase: &Phase| phase.server_cpu_s.context("no processor time");
    let each = |seconds: f64| seconds / f64::from(devices);
    // The last two of each pair go on at the same time and have the same processor time.
    let (taking, registering) = (each(cpu(onboard)?), each(cpu(register)?));
    let whole = each(cpu(make)? + cpu(sell)?) + registering + taking;
    let milliseconds = |seconds: f64| format!("{:.2} ms", seconds * 1000.0);
    let rows = vec![
        Row {
            what: format!(
                "TO1 and TO2 of {devices} devices with evidence appraised, a certificate and what it needs"
            ),
            figure: format!("{} of the server's processor a device", milliseconds(taking)),
            beside: format!(
                "{}; TO1 p50 {:.1} ms, p99 {:.1} ms; TO2 p50 {:.1} ms, p99 {:.1} ms, with the fleet on the same cores",
                rate(onboard.per_s),
                find.latency.p50_ms,
                find.latency.p99_ms,
                onboard.latency.p50_ms,
                onboard.latency.p99_ms
            ),
            budget: Some(("≤ 5 ms", taking <= 0.005)),
        },
        Row {
            what: format!("DI to TO2 of {devices} devices, sale, import and TO0 with itself in it"),
            figure: format!("{} of the server's processor a device", milliseconds(whole)),
            beside: format!(
                "DI {}, sale {}, import and both sides of TO0 {}; rates: DI {}, sale {}, import {}, TO0 {}",
                milliseconds(each(cpu(make)?)),
                milliseconds(each(cpu(sell)?)),
                milliseconds(registering),
                rate(make.per_s),
                rate(sell.per_s),
                rate(import.per_s),
                rate(register.per_s)
            ),
            budget: None,
        },
    ];
    Ok(Section::new("Onboarding, from the factory on", METHOD, rows))
}

/// Devices at work at once.
const CONNECTIONS: usize = 16;

const METHOD: &str = "The fleet of `sextant sim --onboard`, sixteen devices at once, against a server in a process of its own, \
    `sextant up` in all roles: its store on this machine's disk, TLS 1.3, a connection for each protocol as devices have it, its \
    own rendezvous server. Processor time is what the kernel says of the server's process, all its threads, in and outside the \
    kernel, in hundredths of a second over the whole step. Each device attests within TO2 and is held against the published \
    release, gets an operational certificate, and is enrolled; every step is in the store before it is answered.";
