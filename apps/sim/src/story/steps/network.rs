//! Steps 8 and 9: the network operator's last word, and what happens to a program that goes astray.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use mud::{Direction, Family, IpPrefix, Protocol, Remote};
use trust::{Code, Effect, Flow, Override, Scope};

use super::update::start_campaign;
use crate::{
    Error, Service, Target, now_ms,
    story::{
        Script,
        catalog::{self, HUB, Model, TRACKER},
        keys::{now, random},
        lab::Lab,
        observe::{declared, describe_difference},
        place::{Device, PLUGS},
    },
};

/// How long rules may take to follow.
const RULES: Duration = Duration::from_secs(60);
/// How long a campaign may take.
const CAMPAIGN: Duration = Duration::from_secs(180);
/// How long the override lasts, in seconds; and how soon its successor ends, to see it end.
const OVERRIDE_TIME: i64 = 3600;
const SHORT_TIME: i64 = 4;
/// The flow that is overridden.
const OVERRIDDEN_PORT: u16 = 443;

/// Step 8.
pub(super) fn override_flow(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    let plugs = lab.group(PLUGS);
    let first = plugs[0];
    let [v4, v6] = catalog::addresses(HUB)[..] else {
        return Err(Error::object("the hub")("two addresses expected"));
    };
    let denied = Target { address: v4, service: Service::Tcp(OVERRIDDEN_PORT) };
    let twin = Target { address: v6, service: Service::Tcp(OVERRIDDEN_PORT) };
    script.check(
        "before, the flow is open in both families",
        lab.answering(&lab.devices[first], &[denied, twin]).len() == 2,
        format!("{denied}, {twin}"),
    );

    let id = random()?;
    let mut wanted = deny(id, v4, now() + OVERRIDE_TIME)?;
    lab.client.send_bytes("POST", "/api/v1/overrides", api::COSE, &wanted.sign(&lab.keys.network))?;
    let closed = lab.until_answers(&plugs, denied, false);
    script.came_true("the overridden flow closes on every device of the model", closed)?;
    let open = lab.answering(&lab.devices[first], &[twin]);
    script.check("its twin in the other family stays open", open.len() == 1, twin);

    let new = lab.new_plug.clone();
    lab.upload(&new.envelope)?;
    let campaign = start_campaign(lab, &new, PLUGS, 0)?;
    let updated = lab.until_affirmed(&plugs, &new.digest, CAMPAIGN);
    script.came_true(
        "the devices are updated meanwhile",
        updated.map(|_| format!("{} devices", plugs.len())),
    )?;
    lab.until_done(campaign.id, CAMPAIGN)?;
    let mut allowed = declared(&new.release);
    allowed.remove(&denied);
    let exact = lab.until("the new release's flows without the overridden one are open", RULES, |lab| {
        let open = lab.answering(&lab.devices[first], &allowed.iter().copied().collect::<Vec<_>>());
        Ok(if open == allowed { Ok(()) } else { Err(format!("{} of {}", open.len(), allowed.len())) })
    });
    let difference = describe_difference(&allowed, &lab.reached(&lab.devices[first]));
    script.check(
        "after the update the override holds, and the new flows are open",
        exact.is_ok() && difference.is_none(),
        difference.unwrap_or_else(|| format!("{} services answer, {denied} does not", allowed.len())),
    );

    // The same override with an end that can be waited for. It replaces the first, since it begins later.
    wanted.not_before = now();
    wanted.expires = now() + SHORT_TIME;
    lab.client.send_bytes("POST", "/api/v1/overrides", api::COSE, &wanted.sign(&lab.keys.network))?;
    let opened = lab.until_answers(&plugs, denied, true);
    let late = now() - wanted.expires;
    script.came_true(
        "at its end the flow opens again by itself, and not before",
        match opened {
            Ok(_) if late < 0 => Err(Error::object("the override")("the flow opened before the end")),
            Ok(seen) => Ok(format!("{seen}, {late} s after the end")),
            Err(error) => Err(error),
        },
    )?;
    Ok(())
}

/// An override that closes one flow for all desk plugs.
fn deny(id: [u8; 16], remote: IpAddr, expires: i64) -> Result<Override, Error> {
    Ok(Override {
        id,
        scope: Scope::Model(Model::DeskPlug.mud_url().to_owned()),
        effect: Effect::Deny(Flow {
            direction: Direction::FromDevice,
            family: Family::of(remote),
            protocol: Protocol::Tcp,
            remote: Remote::Prefix(IpPrefix::host(remote)),
            ports: Some((OVERRIDDEN_PORT, OVERRIDDEN_PORT)),
        }),
        author: "the network operator".to_owned(),
        reason: "the hub's interface is being replaced".to_owned(),
        not_before: now() - 1,
        expires,
    })
}

/// The port that the astray program sends from, so that its packets can be told apart.
const SOURCE_PORT: u16 = 45_454;
/// A port of the neighbour that it tries.
const NEIGHBOUR_PORT: u16 = 8080;
/// Ports that it scans, of a host that it may reach on others.
const SCANNED: std::ops::Range<u16> = 20..40;
/// How soon dropped packets have to be reported, in milliseconds.
const REPORTED_MS: u64 = 2000;

/// Step 9.
pub(super) fn violate(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    let astray = lab.devices.len() - 1;
    let neighbour = 0;
    // What was dropped while it was tried out and updated counts for a while.
    let calm =
        lab.until_decided(astray, "nothing dropped counts any more", RULES, |decision| !decision.violating);
    script.came_true("before, it is not violating", calm)?;
    let known: BTreeSet<(String, u16)> = targets_of(&lab.detail(&lab.devices[astray])?);

    let served: Vec<_> = lab.devices[neighbour]
        .addresses()
        .into_iter()
        .map(|address| lab.devices[neighbour].space.echo(SocketAddr::new(address, NEIGHBOUR_PORT)))
        .collect::<Result<_, _>>()
        .map_err(Error::io("a service on a device"))?;
    let since = now_ms();
    let tracker = SocketAddr::new(catalog::addresses(TRACKER)[0], 443);
    send_from(&lab.devices[astray], tracker)?;
    let sent_at = now_ms();
    let mut tried: Vec<Target> = Vec::new();
    for address in catalog::addresses(TRACKER) {
        tried.extend(
            [Service::Tcp(443), Service::Udp(443), Service::Ping].map(|service| Target { address, service }),
        );
    }
    for address in lab.devices[neighbour].addresses() {
        tried.extend(
            [Service::Tcp(NEIGHBOUR_PORT), Service::Udp(NEIGHBOUR_PORT), Service::Ping]
                .map(|service| Target { address, service }),
        );
    }
    let hub = catalog::addresses(HUB)[0];
    tried.extend(SCANNED.map(|port| Target { address: hub, service: Service::Tcp(port) }));

    // The report is waited for first: probing takes a while, and the report has two seconds.
    let source = lab.devices[astray].v4.to_string();
    let reported = lab.until("the forbidden packet is reported", Duration::from_secs(10), |lab| {
        let detail = lab.detail(&lab.devices[astray])?;
        let found = detail.network.violations.iter().find(|(_, seen)| {
            seen.src == source
                && seen.dst == tracker.ip().to_string()
                && seen.protocol == "udp"
                && (seen.sport, seen.dport) == (SOURCE_PORT, tracker.port())
        });
        Ok(match found {
            Some((gateway, _)) => Ok((now_ms().saturating_sub(sent_at), gateway.clone())),
            None => Err(format!("{} violations", detail.network.violations.len())),
        })
    });
    let five_tuple = format!("udp {source}:{SOURCE_PORT} to {tracker}");
    match reported {
        Ok((took, gateway)) => script.check(
            format!("a packet to a forbidden host is reported with its 5-tuple within {REPORTED_MS} ms"),
            took < REPORTED_MS,
            format!("{five_tuple}: by {gateway} after {took} ms"),
        ),
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        Err(error) => script.check(
            format!("a packet to a forbidden host is reported with its 5-tuple within {REPORTED_MS} ms"),
            false,
            format!("{five_tuple}: {}", error.chain()),
        ),
    }

    let open = lab.answering(&lab.devices[astray], &tried);
    drop(served);
    script.check(
        "a forbidden host, a neighbour and a scan of ports: nothing answers",
        open.is_empty(),
        format!("{} probes, {} answered", tried.len(), open.len()),
    );
    let permitted = declared(&lab.new_plug.release);
    let stray = lab
        .arrived(&lab.devices[astray], since)
        .into_iter()
        .filter(|arrival| !is_declared(arrival, &permitted));
    let stray = stray.count();
    script.check("and none of it arrives", stray == 0, format!("{stray} undeclared packets arrived"));

    let neighbours: BTreeSet<String> =
        lab.devices[neighbour].addresses().iter().map(ToString::to_string).collect();
    let seen = lab.until("neighbour and scan are reported", Duration::from_secs(10), |lab| {
        let targets: BTreeSet<_> =
            targets_of(&lab.detail(&lab.devices[astray])?).difference(&known).cloned().collect();
        let near = targets.iter().filter(|(address, _)| neighbours.contains(address)).count();
        let scanned = targets
            .iter()
            .filter(|(address, port)| *address == hub.to_string() && SCANNED.contains(port))
            .count();
        let text = format!("{near} targets at the neighbour, {scanned} of {} scanned ports", SCANNED.len());
        Ok(if near > 0 && scanned > 1 { Ok(text) } else { Err(text) })
    });
    script.came_true("tries at the neighbour and the scan are reported", seen)?;
    let violating = |decision: &trust::Decision| {
        decision.violating && decision.reasons.iter().any(|reason| reason.code == Code::ForbiddenFlow)
    };
    let decided = lab.until_decided(astray, "the device is violating", RULES, violating);
    script.came_true(
        "its posture gains `violating`, and the signed objects give this decision again",
        decided,
    )?;
    Ok(())
}

/// Sends one datagram from a device, from a port that is known, and tries to connect too.
fn send_from(device: &Device, to: SocketAddr) -> Result<(), Error> {
    let sent = device.space.enter(|| {
        let socket = UdpSocket::bind((device.v4, SOURCE_PORT))?;
        socket.send_to(b"beacon", to)?;
        // A connection is tried as any program would; it is not expected to come about.
        let _refused = TcpStream::connect_timeout(&to, Duration::from_millis(1));
        std::io::Result::Ok(())
    });
    sent.map_err(Error::io("a datagram from a device"))
}

fn targets_of(detail: &api::DeviceDetail) -> BTreeSet<(String, u16)> {
    detail.network.violations.iter().map(|(_, seen)| (seen.dst.clone(), seen.dport)).collect()
}

fn is_declared(arrival: &crate::Arrival, permitted: &BTreeSet<Target>) -> bool {
    let port = arrival.destination.port();
    let service = if arrival.protocol == "tcp" { Service::Tcp(port) } else { Service::Udp(port) };
    permitted.contains(&Target { address: arrival.destination.ip(), service })
}

impl Lab {
    /// Waits until a service answers every one of these devices, or none.
    fn until_answers(&mut self, devices: &[usize], target: Target, wanted: bool) -> Result<String, Error> {
        self.until("a flow opens or closes", RULES, |lab| {
            let open = lab.each_answering(devices, &[target]).iter().filter(|open| !open.is_empty()).count();
            let text = format!("{target} answers {open} of {} devices", devices.len());
            Ok(if open == if wanted { devices.len() } else { 0 } { Ok(text) } else { Err(text) })
        })
    }
}
