//! Step 1: from nothing to devices that belong to the operator, by signed vouchers and nobody's list.

use std::time::Duration;

use fdo::{DeviceChain, Voucher};

use crate::{
    Error, now_ms,
    story::{Script, lab::Lab},
};

/// How long the operator may take to tell the rendezvous server of its devices.
const REGISTERED: Duration = Duration::from_secs(60);

/// Step 1.
pub(in crate::story) fn make(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    let factory = lab.open_factory()?;
    let made = lab.make_devices(&factory)?;
    let keys: api::OnboardingKeys = lab.client.get("/api/v1/onboarding/keys")?;
    let buyer = keys.owner.first().cloned().unwrap_or_default();
    let anchors = [factory.authority()?];
    let chain = DeviceChain::Anchored { anchors: &anchors, now: (now_ms() / 1000).cast_signed() };
    let (mut vouchers, mut held) = (Vec::new(), 0);
    for guid in &made {
        let voucher = factory.sell(guid, &buyer)?;
        let verified = Voucher::decode(&voucher).and_then(|voucher| voucher.verify(chain));
        held +=
            usize::from(verified.is_ok_and(|verified| {
                verified.entries() == 1 && verified.header().guid.to_string() == *guid
            }));
        vouchers.push(voucher);
    }
    script.check(
        "the factory makes each device, certifies its key, and sells it by a signed voucher",
        held == made.len(),
        format!("{held} vouchers verified"),
    );

    // One byte of a sale changed, and a device by somebody who is no manufacturer of the operator's.
    let mut forged = vouchers.first().cloned().unwrap_or_default();
    if let Some(last) = forged.last_mut() {
        *last ^= 1;
    }
    let refused = import(lab, "", &forged)?;
    script.check("a voucher that was changed is refused", refused == "voucher-signature", &refused);
    let unsold = factory.client.raw(&format!(
        "/api/v1/onboarding/made/{}/voucher",
        made.first().map(String::as_str).unwrap_or_default()
    ))?;
    let known = vouchers.first() == Some(&unsold);
    script.check("the factory keeps the voucher as it was sold", known, format!("{} bytes", unsold.len()));

    let mut taken = 0;
    for (index, voucher) in vouchers.iter().enumerate() {
        taken += usize::from(import(lab, lab.devices[index].group, voucher)? == "added");
        let device = &lab.devices[index];
        let plan = api::OnboardingPlan { name: Some(device.name.clone()), ..api::OnboardingPlan::default() };
        lab.client.send_json("PUT", &format!("/api/v1/onboarding/devices/{}", device.guid()), &plan)?;
    }
    script.check("the operator takes every voucher", taken == made.len(), format!("{taken} taken"));
    let enrolled: api::Page<api::Device> = lab.client.get("/api/v1/devices")?;
    script.check(
        "no device is enrolled by that: each has to prove itself first",
        enrolled.items.is_empty(),
        format!("{} enrolled", enrolled.items.len()),
    );
    drop(factory);
    let registered = lab.until("the rendezvous server knows the owner of each device", REGISTERED, |lab| {
        let devices: Vec<api::Onboarding> = lab.client.get("/api/v1/onboarding/devices?limit=1000")?;
        let left = devices.iter().filter(|device| device.registration.until.is_none()).count();
        Ok(if left == 0 { Ok(format!("{} devices", devices.len())) } else { Err(format!("{left} left")) })
    });
    script.came_true(
        "the rendezvous server knows the owner of each device; the factory is closed",
        registered,
    )?;
    Ok(())
}

/// What became of a voucher, or why it is refused.
fn import(lab: &Lab, group: &str, voucher: &[u8]) -> Result<String, Error> {
    let path = format!("/api/v1/onboarding/vouchers?group={group}");
    let report: Vec<api::VoucherImport> = lab.client.post(&path, api::VOUCHER, voucher)?;
    let row = report.into_iter().next();
    Ok(row.map_or_else(String::new, |row| row.reason.map_or(row.outcome, |reason| reason.code)))
}
