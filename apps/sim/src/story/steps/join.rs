//! Steps 2 and 3: from an unknown device to exactly its release's flows.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use crate::{
    Error, Service, Target, now_ms,
    story::{
        Script, catalog,
        factory::{operational_certificate, read_certificate},
        lab::Lab,
        place::{ADMISSION_PORT, GATEWAY, PLUGS, SERVER},
    },
};

/// A port that a device serves for nobody in particular.
const NEIGHBOUR_PORT: u16 = 8080;
/// How long devices may take from their start to their first affirmed evidence.
const FIRST_ATTESTATION: Duration = Duration::from_secs(90);
/// How long rules may take to follow.
const RULES: Duration = Duration::from_secs(60);

/// Step 2.
pub(super) fn join(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    let all: Vec<usize> = (0..lab.devices.len()).collect();
    let since = now_ms();

    let needed = [tcp(SERVER), tcp(SocketAddr::new(GATEWAY, ADMISSION_PORT))];
    let answered = lab.each_answering(&all, &needed);
    let complete = answered.iter().filter(|answered| answered.len() == needed.len()).count();
    script.check(
        "every device reaches the server and the gateway's admission service",
        complete == all.len(),
        format!("{complete} of {} devices", all.len()),
    );

    let matrix = catalog::matrix();
    let (v4, v6): (Vec<Target>, Vec<Target>) = matrix.iter().partition(|target| target.address.is_ipv4());
    let reached = lab.each_answering(&all, &matrix);
    for (family, targets) in [("IPv4", &v4), ("IPv6", &v6)] {
        let open: BTreeSet<&Target> =
            reached.iter().flatten().filter(|target| targets.contains(target)).collect();
        script.check(
            format!("nothing else answers over {family}"),
            open.is_empty(),
            format!("{} probes, {} answered", targets.len() * all.len(), open.len()),
        );
    }
    let arrived: usize = lab.devices.iter().map(|device| lab.arrived(device, since).len()).sum();
    script.check(
        "no packet of a device arrives at any other host",
        arrived == 0,
        format!("{arrived} arrived"),
    );

    let neighbour = &lab.devices[0];
    let other = &lab.devices[all.len() - 1];
    let listening = Error::io("a service on a device");
    let servers: Vec<_> = neighbour
        .addresses()
        .map(|address| neighbour.space.echo(SocketAddr::new(address, NEIGHBOUR_PORT)))
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(listening)?;
    let targets: Vec<Target> = neighbour
        .addresses()
        .into_iter()
        .flat_map(|address| {
            [Service::Tcp(NEIGHBOUR_PORT), Service::Udp(NEIGHBOUR_PORT), Service::Ping]
                .map(|service| Target { address, service })
        })
        .collect();
    let open = lab.answering(other, &targets);
    drop(servers);
    script.check(
        "devices do not reach each other",
        open.is_empty(),
        format!(
            "{} probes from {} to {}, {} answered",
            targets.len(),
            other.name,
            neighbour.name,
            open.len()
        ),
    );

    let status = lab.client.anonymous().status("/api/v1/devices")?;
    script.check("the server tells strangers nothing", status == 401, format!("status {status}"));
    Ok(())
}

/// Step 3.
pub(super) fn attest(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    for release in [lab.cam.clone(), lab.plug.clone()] {
        lab.upload(&release.envelope)?;
        script.came_true(
            format!(
                "the gateway has the policy of {} {}",
                release.version.model.class(),
                release.version.number
            ),
            lab.until_staged(&release.digest, RULES),
        )?;
    }
    for index in 0..lab.devices.len() {
        lab.start_agent(index)?;
    }
    taken_over(lab, script)?;
    let (mut first, mut attested) = (Vec::new(), 0);
    for index in 0..lab.devices.len() {
        let release = lab.first_release(lab.devices[index].model).digest.clone();
        let received = lab.until_affirmed(&[index], &release, FIRST_ATTESTATION);
        attested += usize::from(received.is_ok());
        first.push(received);
    }
    script.check(
        "for each device a signed result affirms the release it left the factory with",
        attested == lab.devices.len(),
        match first.iter().find_map(|received| received.as_ref().err()) {
            None => format!("{attested} results verified"),
            Some(error) => error.chain(),
        },
    );

    // One device of each product is tried against the whole Internet, and so goes astray for a while; the others are
    // known by what their programs do.
    let plug = lab.group(PLUGS)[0];
    for index in [0, plug] {
        let device = &lab.devices[index];
        let (name, release) = (device.name.clone(), lab.first_release(device.model).release.clone());
        let outcome = lab.until_exactly(index, &release, RULES);
        script.came_true(
            format!("{name} reaches exactly what its release declares, over IPv4 and IPv6"),
            outcome,
        )?;
    }

    let mut astray = Vec::new();
    for (index, received) in first.iter().enumerate() {
        if received.is_err() || !follows_evidence(lab, index)? {
            astray.push(lab.devices[index].name.clone());
        }
    }
    script.check(
        "packets of every program arrive, and none before its device attested",
        astray.is_empty(),
        if astray.is_empty() { format!("{} devices", lab.devices.len()) } else { astray.join(", ") },
    );
    Ok(())
}

/// Each device found its owner by itself and was given what it lives by.
fn taken_over(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    let outcome = lab.until("every device is taken over", FIRST_ATTESTATION, |lab| {
        let mut left = Vec::new();
        for device in &lab.devices {
            let path = format!("/api/v1/onboarding/devices/{}", device.guid());
            let found: api::Onboarding = lab.client.get(&path)?;
            let is_over = found.followed_by.is_some() && found.ueid.as_ref() == Some(&device.ueid);
            if !is_over {
                let why = found.failure.map_or(found.state, |failure| failure.code);
                left.push(format!("{}: {why}", device.name));
            }
        }
        let count = lab.devices.len();
        Ok(if left.is_empty() { Ok(format!("{count} devices")) } else { Err(left.join(", ")) })
    });
    script.came_true("each device found its owner and was taken over, with nobody at its site", outcome)?;
    let keys: api::OnboardingKeys = lab.client.get("/api/v1/onboarding/keys")?;
    let authority = read_certificate(&keys.operational_authority.unwrap_or_default())?;
    let now = (now_ms() / 1000).cast_signed();
    let certified = lab.devices.iter().filter(|device| {
        operational_certificate(&device.data).is_ok_and(|certificate| {
            certificate.subject().to_string() == format!("CN={}", device.ueid)
                && x509::verify_chain(&certificate, &[], std::slice::from_ref(&authority), now).is_ok()
        })
    });
    let certified = certified.count();
    script.check(
        "each has a key with a certificate of its owner's authority, which names it",
        certified == lab.devices.len(),
        format!("{certified} certificates verified"),
    );
    Ok(())
}

/// Whether packets of a device's program arrive, and the first one after its first evidence came.
fn follows_evidence(lab: &mut Lab, index: usize) -> Result<bool, Error> {
    let arrived = lab.until("the program's packets arrive", RULES, |lab| {
        let arrived = lab.arrived(&lab.devices[index], 0);
        Ok(arrived.iter().map(|arrival| arrival.at_ms).min().ok_or_else(|| "none".to_owned()))
    });
    let arrived = match arrived {
        Ok(at) => at,
        Err(Error::TooLate { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    let oldest = lab.judged(&lab.devices[index])?.last().map(|judged| judged.received_ms);
    Ok(oldest.is_some_and(|received| received <= arrived))
}

fn tcp(at: SocketAddr) -> Target {
    Target { address: at.ip(), service: Service::Tcp(at.port()) }
}
