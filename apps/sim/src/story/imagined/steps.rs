//! Steps 2 to 9, over the packet oracle.

use std::collections::BTreeSet;

use mud::{ConnState, Direction, Family, IpPrefix, Protocol, Remote, Resolved, Verdict, oracle};
use trust::{Access, Code, Effect, Flow, Override, Posture, Scope, SignedOverride, Standing, Violation};

use super::onboarding::take_over;
use super::world::{CAMS, LATE, PLUGS, World};
use crate::{
    Error, Service, Target,
    story::{
        Script,
        catalog::{self, EVENTS, HUB, MEDIA, Model, TRACKER, first_packet},
        keys::random,
        observe::{declared, describe_difference},
    },
};

/// Step 2.
pub(super) fn join(world: &mut World, script: &mut Script) -> Result<(), Error> {
    let all = 0..world.devices.len();
    let mut open = 0;
    for index in all.clone() {
        open += world.reached(index)?.len();
        let decision = world.decide(index)?;
        let codes: Vec<Code> = decision.reasons.iter().map(|reason| reason.code).collect();
        script.check(
            format!("{} is unknown, and may attest and update", world.devices[index].name),
            decision.access == Access::UpdateOnly && codes == [Code::NeverAttested],
            decision.posture.as_str(),
        );
    }
    let tried = catalog::matrix().len() * all.len();
    script.check(
        "no first packet to any other host passes",
        open == 0,
        format!("{tried} packets, {open} pass"),
    );
    Ok(())
}

/// Step 3.
pub(super) fn attest(world: &mut World, script: &mut Script) -> Result<(), Error> {
    let (cam, plug) = (world.cam.clone(), world.plug.clone());
    for release in [&cam, &plug] {
        world.accept(release)?;
    }
    take_over(world, script)?;
    for index in 0..world.devices.len() {
        world.attest(index)?;
        let release = if world.devices[index].model == Model::PorchCam { &cam } else { &plug };
        check_exact(world, script, index, &declared(&release.release))?;
    }
    Ok(())
}

/// Step 4.
pub(super) fn update(world: &mut World, script: &mut Script) -> Result<(), Error> {
    let new = world.new_cam.clone();
    let media = catalog::addresses(MEDIA);
    world.accept(&new)?;
    for index in CAMS {
        let device = &mut world.devices[index];
        device.install(&new.envelope).map_err(Error::object(device.name))?;
        let before = world.reached(index)?;
        script.check(
            format!(
                "{} runs the new release, and its new flows are closed until it attests",
                world.devices[index].name
            ),
            !before.iter().any(|target| media.contains(&target.address)),
            format!("{} services pass", before.len()),
        );
        world.attest(index)?;
        let device = &mut world.devices[index];
        device.commit().map_err(Error::object(device.name))?;
        check_exact(world, script, index, &declared(&new.release))?;
        // The rest goes on when the canary attested.
        if world.decide(index)?.posture != Posture::Trusted {
            break;
        }
    }
    let events = catalog::addresses(EVENTS);
    let still: BTreeSet<Target> = CAMS
        .iter()
        .map(|index| world.reached(*index))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .filter(|target| events.contains(&target.address))
        .collect();
    script.check(
        "flows that only the old release declared are closed",
        still.is_empty(),
        format!("{} pass", still.len()),
    );
    Ok(())
}

/// Step 5.
pub(super) fn tamper(world: &mut World, script: &mut Script) -> Result<(), Error> {
    for index in CAMS {
        let image = world.devices[index].image();
        let middle = image.len() / 2;
        if let Some(byte) = image.get_mut(middle) {
            *byte ^= 1;
        }
        let verdict = world.attest(index)?;
        let decision = world.decide(index)?;
        script.check(
            format!(
                "{} is found out by its next evidence, and reaches update only",
                world.devices[index].name
            ),
            verdict.codes == [Code::DigestMismatch.as_str()]
                && decision.posture == Posture::Untrusted
                && decision.access == Access::UpdateOnly
                && world.reached(index)?.is_empty(),
            format!("{} ({})", decision.posture.as_str(), verdict.codes.join(", ")),
        );
    }
    Ok(())
}

/// Step 6.
pub(super) fn repair(world: &mut World, script: &mut Script) -> Result<(), Error> {
    let release = world.new_cam.clone();
    let signed = release.release.expected().first().map(|expected| expected.digest);
    for index in CAMS {
        let device = &mut world.devices[index];
        device.install(&release.envelope).map_err(Error::object(device.name))?;
        let whole = Some(device.digest()) == signed;
        let name = device.name;
        world.attest(index)?;
        let device = &mut world.devices[index];
        device.commit().map_err(Error::object(device.name))?;
        script.check(
            format!("{name} runs the signed image again"),
            whole,
            if whole { "same digest" } else { "another digest" },
        );
        check_exact(world, script, index, &declared(&release.release))?;
    }
    Ok(())
}

/// Step 7.
pub(super) fn revoke(world: &mut World, script: &mut Script) -> Result<(), Error> {
    let old = world.cam.release.manifest_digest();
    world.attest(LATE)?;
    for (release, standing) in &mut world.accepted {
        if release.manifest_digest() == old {
            *standing = Standing::Revoked { why: "a flaw in its event channel".to_owned() };
        }
    }
    let decision = world.decide(LATE)?;
    script.check(
        "the forgotten camera is outdated, and reaches update only",
        decision.posture == Posture::Outdated
            && decision.access == Access::UpdateOnly
            && decision.reasons.iter().any(|reason| reason.code == Code::ReleaseRevoked)
            && world.reached(LATE)?.is_empty(),
        decision.posture.as_str(),
    );
    let [cam, plug] = [CAMS[0], PLUGS[0]].map(|index| world.reached(index).map(|reached| reached.len()));
    let (cam, plug) = (cam?, plug?);
    script.check(
        "devices on other releases keep their flows",
        cam > 0 && plug > 0,
        format!("{cam} and {plug} services pass"),
    );
    Ok(())
}

/// The flow that is overridden.
const OVERRIDDEN_PORT: u16 = 443;
/// How long the override lasts, in seconds.
const OVERRIDE_TIME: i64 = 120;

/// Step 8.
pub(super) fn override_flow(world: &mut World, script: &mut Script) -> Result<(), Error> {
    let hub = catalog::addresses(HUB)[0];
    let denied = Target { address: hub, service: Service::Tcp(OVERRIDDEN_PORT) };
    let content = Override {
        id: random()?,
        scope: Scope::Model(Model::DeskPlug.mud_url().to_owned()),
        effect: Effect::Deny(Flow {
            direction: Direction::FromDevice,
            family: Family::of(hub),
            protocol: Protocol::Tcp,
            remote: Remote::Prefix(IpPrefix::host(hub)),
            ports: Some((OVERRIDDEN_PORT, OVERRIDDEN_PORT)),
        }),
        author: "the network operator".to_owned(),
        reason: "the hub's interface is being replaced".to_owned(),
        not_before: world.now,
        expires: world.now + OVERRIDE_TIME,
    };
    let signed = SignedOverride::verify(&content.sign(&world.keys.network), &world.anchors);
    world.overrides.push(signed.map_err(Error::object("an override"))?);
    let mut allowed = declared(&world.plug.release);
    allowed.remove(&denied);
    check_exact(world, script, PLUGS[0], &allowed)?;

    let new = world.new_plug.clone();
    world.accept(&new)?;
    for index in PLUGS {
        let device = &mut world.devices[index];
        device.install(&new.envelope).map_err(Error::object(device.name))?;
        world.attest(index)?;
        let device = &mut world.devices[index];
        device.commit().map_err(Error::object(device.name))?;
    }
    let mut allowed = declared(&new.release);
    allowed.remove(&denied);
    check_exact(world, script, PLUGS[0], &allowed)?;

    world.now += OVERRIDE_TIME;
    check_exact(world, script, PLUGS[0], &declared(&new.release))
}

/// Step 9.
pub(super) fn violate(world: &mut World, script: &mut Script) -> Result<(), Error> {
    let astray = PLUGS[1];
    world.attest(astray)?;
    let neighbour = std::net::IpAddr::from([10, 77, 0, 11]);
    let mut tried: Vec<Target> = catalog::addresses(TRACKER)
        .into_iter()
        .map(|address| Target { address, service: Service::Tcp(443) })
        .collect();
    tried.push(Target { address: neighbour, service: Service::Tcp(8080) });
    tried.extend(
        (20..40).map(|port| Target { address: catalog::addresses(HUB)[0], service: Service::Tcp(port) }),
    );
    let release = world.new_plug.release.clone();
    let policy = release.network_needs().map(|needs| needs.policy.clone()).unwrap_or_default();
    let mut names = Resolved::default();
    names.insert(Remote::Name(HUB.to_owned()), catalog::addresses(HUB).into_iter().map(IpPrefix::host));
    let passing = tried.iter().filter(|target| {
        oracle(&policy, &names, &first_packet(target), ConnState::New).verdict == Verdict::Accept
    });
    let passing = passing.count();
    script.check(
        "a forbidden host, a neighbour and a scan of ports: no packet passes",
        passing == 0,
        format!("{} packets, {passing} pass", tried.len()),
    );
    script.check("before, it is not violating", !world.decide(astray)?.violating, "no dropped packets");
    let now = world.now;
    world.devices[astray].violations.push(Violation {
        at: now,
        count: tried.len() as u64,
        target: tried[0].to_string(),
    });
    let decision = world.decide(astray)?;
    script.check(
        "with its packets dropped, it is violating",
        decision.violating && decision.reasons.iter().any(|reason| reason.code == Code::ForbiddenFlow),
        decision.reasons.first().map_or_else(String::new, ToString::to_string),
    );
    Ok(())
}

/// A device reaches exactly these services.
fn check_exact(
    world: &World,
    script: &mut Script,
    index: usize,
    wanted: &BTreeSet<Target>,
) -> Result<(), Error> {
    let reached = world.reached(index)?;
    let difference = describe_difference(wanted, &reached);
    script.check(
        format!("{} reaches exactly what is open to it", world.devices[index].name),
        difference.is_none() && !reached.is_empty(),
        difference
            .unwrap_or_else(|| format!("{} of {} services pass", reached.len(), catalog::matrix().len())),
    );
    Ok(())
}
