//! What people do with devices to onboard.

use crypto::RsaPublicKey;
use fdo::{Guid, Key, Voucher, vouchers_of_file};
use store::{NewOnboarding, Onboarding, OnboardingState, Timestamp};
use x509::pem;

use crate::app::{
    App, Failure, onboarding::keys::PrivateKey, onboarding::manufacturing::thumbprint, onboarding::stored,
    reasons, rfc3339,
};

/// Longest name, group or template in bytes.
const MAX_TEXT: usize = 128;

impl App {
    /// Takes every voucher of a file, and says of each what became of it.
    pub(crate) async fn import_vouchers(
        &self,
        file: &[u8],
        group: &str,
        actor: &str,
    ) -> Result<Vec<api::VoucherImport>, Failure> {
        check_text("group", group)?;
        let vouchers = vouchers_of_file(file).map_err(|error| Failure::Malformed(error.to_string()))?;
        let mut report = Vec::with_capacity(vouchers.len());
        for (number, bytes) in (1..).zip(vouchers) {
            let guid = Voucher::decode(&bytes).ok().map(|voucher| voucher.header().guid.to_string());
            let (outcome, reason) = match self.add_voucher_to(bytes.to_vec(), group, actor).await {
                Ok(_) => ("added", None),
                Err(Failure::Conflict(_)) => ("known", None),
                Err(Failure::Refused(reason)) => ("refused", Some(reasons::to_api(&reason))),
                Err(failure) => return Err(failure),
            };
            report.push(api::VoucherImport { number, outcome: outcome.to_owned(), guid, reason });
        }
        Ok(report)
    }

    /// Expects the device of a voucher that was taken, where its owner's key is ours to onboard with.
    pub(crate) async fn expect_device(&self, voucher: &[u8], group: &str) -> Result<(), Failure> {
        match self.to_be_expected(voucher, group) {
            Some(new) => Ok(self.store.expect_devices(vec![new], self.now()).await?),
            None => Ok(()),
        }
    }

    /// Expects the devices of vouchers that came before there was onboarding, or when the server ended in between.
    pub(crate) async fn expect_devices_again(&self, vouchers: &[Vec<u8>]) -> Result<(), store::Error> {
        let list: Vec<NewOnboarding> =
            vouchers.iter().filter_map(|voucher| self.to_be_expected(voucher, "")).collect();
        self.store.expect_devices(list, self.now()).await
    }

    fn to_be_expected(&self, voucher: &[u8], group: &str) -> Option<NewOnboarding> {
        let voucher = Voucher::decode(voucher).ok()?;
        self.onboarding_keys.owner.as_ref()?.private(voucher.owner().key())?;
        let header = voucher.header();
        Some(NewOnboarding {
            guid: stored(&header.guid),
            info: header.device_info.clone(),
            name: String::new(),
            group: group.to_owned(),
            template: String::new(),
            register_at: Some(self.now()),
        })
    }

    /// Devices in a state, or all, after one of them.
    pub(crate) async fn onboarding_views(
        &self,
        state: Option<&str>,
        after: Option<Guid>,
        limit: u32,
    ) -> Result<Vec<api::Onboarding>, Failure> {
        let state = match state {
            None => None,
            Some(word) => Some(
                OnboardingState::from_text(word)
                    .ok_or_else(|| Failure::Malformed(format!("no state is called `{word}`")))?,
            ),
        };
        let after = after.as_ref().map(stored);
        let devices = self.store.onboardings(state, after.as_ref(), limit).await?;
        Ok(devices.iter().map(view).collect())
    }

    /// One device, with what happened to it.
    pub(crate) async fn onboarding_view(&self, guid: Guid) -> Result<api::Onboarding, Failure> {
        let guid = stored(&guid);
        let device = self.store.onboarding(&guid).await?.ok_or(Failure::NotFound)?;
        let events = self.store.onboarding_events(&guid).await?.into_iter();
        let timeline = events
            .map(|event| api::OnboardingEvent {
                at: rfc3339(event.at),
                event: event.event,
                detail: event.detail,
            })
            .collect();
        Ok(api::Onboarding { timeline, ..view(&device) })
    }

    /// Sets what is to become of a device.
    pub(crate) async fn plan_onboarding(
        &self,
        guid: Guid,
        plan: api::OnboardingPlan,
        actor: &str,
    ) -> Result<(), Failure> {
        let api::OnboardingPlan { name, group, template } = plan;
        for (what, text) in [("name", &name), ("group", &group), ("template", &template)] {
            check_text(what, text.as_deref().unwrap_or_default())?;
        }
        if let Some(template) = template.as_ref().filter(|template| !template.is_empty())
            && !self.onboarding_templates().contains_key(template)
        {
            return Err(Failure::Conflict(format!("there is no template `{template}`")));
        }
        let now = self.now();
        Ok(self.store.plan_onboarding(stored(&guid), [name, group, template], actor, now).await?)
    }

    /// Tries a device again.
    pub(crate) async fn retry_onboarding(&self, guid: Guid, actor: &str) -> Result<(), Failure> {
        self.store.retry_onboarding(stored(&guid), true, actor, self.now()).await?;
        self.registration_nudge.notify_one();
        Ok(())
    }

    /// Sells a device: its voucher with the next owner, who onboards it from then on.
    pub(crate) async fn sell_owned(&self, guid: Guid, buyer: &Key, actor: &str) -> Result<Vec<u8>, Failure> {
        let device = self.store.onboarding(&stored(&guid)).await?.ok_or(Failure::NotFound)?;
        if !matches!(device.state, OnboardingState::Waiting | OnboardingState::Onboarded) {
            let state = device.state.as_str();
            return Err(Failure::Conflict(format!("the device is {state}, which is not to be sold")));
        }
        let bytes = match device.voucher {
            Some(voucher) => voucher,
            None => self.voucher(guid).await?.bytes,
        };
        let conflict = |error: fdo::Error| Failure::Conflict(error.to_string());
        let voucher = Voucher::decode(&bytes).map_err(conflict)?;
        let keys = self.onboarding_keys.owner.as_ref().ok_or(Failure::NotFound)?;
        let signing = keys.private(voucher.owner().key()).ok_or(Failure::NotFound)?;
        let sold = voucher.extend(buyer.clone()).and_then(|extension| extension.sign(signing.as_signer()));
        let sold = sold.map_err(conflict)?;
        self.store.onboarding_sold(stored(&guid), thumbprint(buyer), actor, self.now()).await?;
        Ok(sold)
    }

    /// Public keys of the roles.
    pub(crate) fn onboarding_keys_view(&self) -> api::OnboardingKeys {
        let public = |keys: &[PrivateKey]| {
            keys.iter().map(|key| pem::encode("PUBLIC KEY", &key.public_der())).collect()
        };
        let certificate =
            |authority: &crate::keys::Authority| pem::encode("CERTIFICATE", authority.certificate.as_der());
        let (manufacturer, owner) = (&self.onboarding_keys.manufacturer, &self.onboarding_keys.owner);
        api::OnboardingKeys {
            owner: owner.as_ref().map(|keys| public(&keys.signing)).unwrap_or_default(),
            manufacturer: manufacturer.as_ref().map(|keys| public(&keys.signing)).unwrap_or_default(),
            device_authority: manufacturer.as_ref().map(|keys| certificate(&keys.devices)),
            operational_authority: owner.as_ref().map(|keys| certificate(&keys.operational)),
        }
    }
}

/// A public key of a buyer, in PEM or as COSE_Key.
pub(crate) fn buyer(bytes: &[u8]) -> Result<Key, Failure> {
    let key = if pem::is_pem(bytes) {
        let blocks = std::str::from_utf8(bytes).ok().and_then(|text| pem::decode(text).ok());
        let block = blocks.as_ref().and_then(|blocks| blocks.first());
        block.and_then(|block| match RsaPublicKey::from_spki_der(&block.der) {
            Ok(key) => Some(Key::from(key)),
            Err(_) => crypto::PublicKey::from_spki_der(&block.der).ok().map(Key::from),
        })
    } else {
        let key = cose::Key::decode(bytes).ok();
        // A private key does not belong into what travels.
        key.filter(|key| key.secret().is_none()).map(|key| Key::from(key.public().clone()))
    };
    key.ok_or_else(|| Failure::Malformed("not a public key in PEM or COSE_Key".to_owned()))
}

fn check_text(what: &str, text: &str) -> Result<(), Failure> {
    if text.len() > MAX_TEXT || text.chars().any(char::is_control) {
        let what = format!("{what} is longer than {MAX_TEXT} bytes or holds control characters");
        return Err(Failure::Malformed(what));
    }
    Ok(())
}

/// A device as the API shows it, without what happened to it.
pub(super) fn view(device: &Onboarding) -> api::Onboarding {
    let time = |at: Option<Timestamp>| at.map(rfc3339);
    let failure = device.failure.as_ref().map(|failure| api::OnboardingFailure {
        code: failure.code.clone(),
        at: rfc3339(failure.at),
        times: failure.times,
    });
    api::Onboarding {
        guid: device.guid.to_string(),
        state: device.state.as_str().to_owned(),
        device: device.info.clone(),
        name: device.name.clone(),
        group: device.group.clone(),
        template: device.template.clone(),
        ueid: device.device.as_ref().map(ToString::to_string),
        follows: device.follows.map(|guid| guid.to_string()),
        followed_by: device.followed_by.map(|guid| guid.to_string()),
        failure,
        registration: api::OnboardingRegistration {
            due: time(device.registration.due),
            until: time(device.registration.until),
            failure: device.registration.failure.clone(),
            tries: device.registration.tries,
        },
        changed_at: rfc3339(device.changed_at),
        timeline: Vec::new(),
    }
}
