//! Steps 4 and 7: a new release, and one that must not be run any more.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use api::{Campaign, CampaignState, DeviceProgress, NewCampaign};
use trust::{Access, Code, Posture};

use crate::{
    Error, Service, Target, now_ms,
    story::{
        Script,
        catalog::{self, CLOUD, EVENTS, MEDIA},
        keys::Published,
        lab::Lab,
        observe::{Stream, declared},
        place::{CAMS, LATE, SERVER},
    },
};

/// How long a campaign is watched while nothing may happen: several polls of every device.
const HELD_BACK: Duration = Duration::from_millis(2500);
/// How long a whole campaign may take.
const CAMPAIGN: Duration = Duration::from_secs(180);
/// How long rules may take to follow.
const RULES: Duration = Duration::from_secs(60);
/// A port of the cloud that both releases declare.
const TELEMETRY: u16 = 5683;

/// Step 4.
pub(super) fn update(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    let (old, new) = (lab.cam.clone(), lab.new_cam.clone());
    let cams = lab.group(CAMS);
    let begun = now_ms();

    // A gateway that is halted can stage nothing, so that nothing may be offered.
    lab.gateway.freeze(true)?;
    let held = hold_back(lab, &new);
    lab.gateway.freeze(false)?;
    let (campaign, waits, idle) = held?;
    script.check(
        "while the gateway has not staged the policy, the campaign waits for it and offers nothing",
        waits && idle,
        if waits { Code::PolicyNotStaged.as_str() } else { "it does not say that it waits" },
    );
    script.came_true(
        "the gateway stages the policy before any device runs the release",
        lab.until_staged(&new.digest, RULES),
    )?;

    let names = |lab: &Lab, since: &BTreeMap<usize, u64>| {
        let mut order: Vec<(u64, String)> =
            since.iter().map(|(index, at)| (*at, lab.devices[*index].name.clone())).collect();
        order.sort();
        order.into_iter().map(|(_, name)| name).collect::<Vec<_>>().join(", ")
    };
    // When evidence of the new release first came, by device: noted while it comes, since only the newest results are listed.
    let mut first: BTreeMap<usize, u64> = BTreeMap::new();
    let digest = new.digest.clone();
    let all_came = lab.until("evidence of the new release comes", CAMPAIGN, |lab| {
        for index in &cams {
            let judged = lab.judged(&lab.devices[*index])?;
            let matching = judged.iter().filter(|judged| judged.release.as_ref() == Some(&digest));
            if let Some(at) = matching.map(|judged| judged.received_ms).min() {
                first.entry(*index).and_modify(|known| *known = at.min(*known)).or_insert(at);
            }
        }
        let text = format!("of {} of {} cameras", first.len(), cams.len());
        Ok(if first.len() == cams.len() { Ok(text) } else { Err(text) })
    });
    // What did not come is told by the checks below.
    if let Err(Error::Interrupted) = all_came {
        return Err(Error::Interrupted);
    }
    let affirmed = lab.until_affirmed(&cams, &new.digest, CAMPAIGN);
    script.came_true(
        "every camera of the group attests the new release",
        affirmed.map(|last| format!("{} cameras in {} ms", cams.len(), last.saturating_sub(begun))),
    )?;

    let campaign: Campaign = lab.client.get(&format!("/api/v1/campaigns/{}", campaign.id))?;
    let is_canary = |index: &usize| {
        let ueid = &lab.devices[*index].ueid;
        campaign.devices.iter().any(|device| device.ueid == *ueid && device.wave == 0)
    };
    let canaries_at = first.iter().filter(|(index, _)| is_canary(index)).map(|(_, at)| *at).max();
    let others_at = first.iter().filter(|(index, _)| !is_canary(index)).map(|(_, at)| *at).min();
    script.check(
        "evidence of the new release comes from the canary first, from the rest after it",
        matches!((canaries_at, others_at), (Some(canaries), Some(others)) if canaries < others)
            && first.len() == cams.len(),
        names(lab, &first),
    );

    let media = catalog::addresses(MEDIA);
    let mut early = 0;
    for (index, at) in &first {
        let arrived = lab.arrived(&lab.devices[*index], begun);
        let new_flows = arrived.iter().filter(|arrival| media.contains(&arrival.destination.ip()));
        early += new_flows.filter(|arrival| arrival.at_ms < *at).count();
    }
    script.check(
        "no packet to a host that only the new release declares arrives before its evidence came",
        early == 0 && first.len() == cams.len(),
        format!("{early} arrived early"),
    );
    for index in &cams {
        let name = lab.devices[*index].name.clone();
        let outcome = lab.until_exactly(*index, &new.release, RULES);
        script.came_true(format!("{name} reaches exactly what the new release declares"), outcome)?;
    }
    let events = only_of(&old, EVENTS);
    let open: usize = lab.each_answering(&cams, &events).iter().map(std::collections::BTreeSet::len).sum();
    script.check(
        "flows that only the old release declared are closed",
        open == 0 && !events.is_empty(),
        format!("{} probes, {open} answered", events.len() * cams.len()),
    );
    Ok(())
}

/// Publishes a release and starts its campaign, and watches whether anything happens.
fn hold_back(lab: &mut Lab, release: &Published) -> Result<(Campaign, bool, bool), Error> {
    lab.upload(&release.envelope)?;
    let campaign = start_campaign(lab, release, CAMS, 1)?;
    let path = format!("/api/v1/campaigns/{}", campaign.id);
    let (mut waits, mut idle) = (true, true);
    let end = std::time::Instant::now() + HELD_BACK;
    lab.until("the campaign was watched for a while", HELD_BACK * 2, |lab| {
        let seen: Campaign = lab.client.get(&path)?;
        let reason = seen.waits_for.as_ref().map(|reason| reason.code.as_str());
        waits &= reason == Some(Code::PolicyNotStaged.as_str());
        idle &= seen.devices.iter().all(|device| device.state == DeviceProgress::Waiting);
        Ok(if std::time::Instant::now() > end { Ok(()) } else { Err(String::new()) })
    })?;
    Ok((campaign, waits, idle))
}

/// Makes a campaign for a group and starts it.
pub(in crate::story) fn start_campaign(
    lab: &Lab,
    release: &Published,
    group: &str,
    canary: u32,
) -> Result<Campaign, Error> {
    let new =
        NewCampaign { release: release.digest.clone(), group: Some(group.to_owned()), model: None, canary };
    let campaign: Campaign = lab.client.post_json("/api/v1/campaigns", &new)?;
    lab.client.send_json("POST", &format!("/api/v1/campaigns/{}/start", campaign.id), &())?;
    Ok(campaign)
}

/// Step 7.
pub(super) fn revoke(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    let old = lab.cam.clone();
    let [late] = lab.group(LATE)[..] else {
        return Err(Error::object("the lab")("one camera was forgotten in the attic"));
    };
    let cams = lab.group(CAMS);
    let plug = lab.devices.len() - 1;
    script.came_true(
        "one camera still attests release 1.0",
        lab.until_affirmed(&[late], &old.digest, RULES).map(|_| lab.devices[late].name.clone()),
    )?;
    let cloud = catalog::addresses(CLOUD)[0];
    let stream = Stream::start(&lab.devices[late].space, SocketAddr::new(cloud, TELEMETRY))?;
    let since = now_ms();
    lab.until("the stream arrives", RULES, |lab| {
        let count = lab.arrived(&lab.devices[late], since).len();
        Ok(if count > 10 { Ok(()) } else { Err(format!("{count} arrived")) })
    })?;

    let revoked_at = now_ms();
    let reason = api::Revoke { reason: "a flaw in its event channel".to_owned() };
    lab.client.send_json("POST", &format!("/api/v1/releases/{}/revoke", old.digest), &reason)?;
    let silent = lab.until_silent(late, revoked_at, RULES);
    script.came_true(
        "its open flow is cut",
        silent.map(|last| format!("last packet {} ms after the revocation", last.saturating_sub(revoked_at))),
    )?;
    drop(stream);
    let outdated = |decision: &trust::Decision| {
        let revoked = decision.reasons.iter().any(|reason| reason.code == Code::ReleaseRevoked);
        decision.posture == Posture::Outdated && decision.access == Access::UpdateOnly && revoked
    };
    let decided = lab.until_decided(late, "the forgotten camera is outdated", RULES, outdated);
    script.came_true("it is outdated, and the signed objects give this decision again", decided)?;
    script.check(
        "its newest result still affirms that it runs release 1.0, unaltered",
        lab.affirms(&lab.devices[late], &old.digest)?.is_ok(),
        lab.judged(&lab.devices[late])?.first().map_or_else(String::new, ToString::to_string),
    );
    let reached = lab.reached(&lab.devices[late]);
    let server = Target { address: SERVER.ip(), service: Service::Tcp(SERVER.port()) };
    let update = lab.answering(&lab.devices[late], &[server]);
    script.check(
        "it reaches update and nothing else",
        reached.is_empty() && update.len() == 1,
        format!(
            "{} services answer, the server {}",
            reached.len(),
            if update.is_empty() { "does not" } else { "does" }
        ),
    );
    let untouched = [(cams[0], &lab.new_cam), (plug, &lab.plug)].into_iter().all(|(index, release)| {
        let wanted: Vec<Target> = declared(&release.release).into_iter().collect();
        lab.answering(&lab.devices[index], &wanted).len() == wanted.len()
    });
    script.check("devices on other releases keep their flows", untouched, format!("{untouched}"));
    Ok(())
}

/// What a release declares of one host.
fn only_of(release: &Published, host: &str) -> Vec<Target> {
    let addresses = catalog::addresses(host);
    declared(&release.release).into_iter().filter(|target| addresses.contains(&target.address)).collect()
}

impl Lab {
    /// Waits until every gateway says that it has the policy of a release.
    pub(crate) fn until_staged(&mut self, digest: &str, within: Duration) -> Result<String, Error> {
        let digest = digest.to_owned();
        self.until("the policy is staged", within, move |lab| {
            let gateways: Vec<api::Gateway> = lab.client.get("/api/v1/gateways")?;
            let staged = gateways.iter().all(|gateway| gateway.staged.contains(&digest));
            let names: Vec<&str> = gateways.iter().map(|gateway| gateway.name.as_str()).collect();
            let refused =
                || gateways.iter().flat_map(|gateway| &gateway.refused).map(|refused| format!("{refused:?}"));
            Ok(if staged && !gateways.is_empty() {
                Ok(names.join(", "))
            } else {
                Err(format!("refused: [{}]", refused().collect::<Vec<_>>().join("; ")))
            })
        })
    }

    /// Waits until a campaign is over.
    pub(crate) fn until_done(&mut self, campaign: i64, within: Duration) -> Result<String, Error> {
        self.until("the campaign is done", within, |lab| {
            let seen: Campaign = lab.client.get(&format!("/api/v1/campaigns/{campaign}"))?;
            let states: Vec<&str> = seen.devices.iter().map(|device| device.state.as_str()).collect();
            let text = format!("{}: {}", seen.state.as_str(), states.join(", "));
            Ok(if seen.state == CampaignState::Done { Ok(text) } else { Err(text) })
        })
    }
}
