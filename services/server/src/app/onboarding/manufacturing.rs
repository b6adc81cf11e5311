//! DI: devices are made, and their vouchers sold on.

use fdo::{
    AppStart, DeviceInfo, Guid, Key, ManufacturerSession, NewDevice, PublicKey, Refusal, SubProtocol, Voucher,
};
use store::MadeDevice;
use x509::{CertificateBuilder, CertificationRequest, Name, Validity};

use crate::{
    app::{
        App, Failure,
        onboarding::{Answered, Opened, Unanswered, ends, keys::ManufacturerKeys, stored},
        releases::hex,
    },
    keys,
};

/// How long certificates of devices are good, in seconds: as long as the device may live (IEEE 802.1AR, section 8.7).
const CERTIFICATE_SECONDS: i64 = 30 * 365 * 24 * 3600;
/// Who acts when a device is made.
const ACTOR: &str = "manufacturing";

impl App {
    /// Answers [`AppStart`]: the device gets a name and a certificate.
    pub(super) fn make_device(&self, body: &[u8]) -> Result<Answered, Unanswered> {
        let keys = self.manufacturer_keys()?;
        let AppStart::Device(told) = AppStart::decode(body)? else {
            return Err(Refusal::DeviceInfo.into());
        };
        let DeviceInfo { key_type, encoding, serial, info, request } = told;
        let signing = keys.of(key_type).ok_or(Refusal::DeviceInfo)?;
        let request = CertificationRequest::decode(&request).and_then(|request| request.verify());
        let request = request.map_err(|_| Refusal::CertificationRequest)?;
        let now = self.now();
        let subject = subject(&serial).ok_or(Refusal::DeviceInfo)?;
        let validity = Validity {
            not_before: now.seconds(),
            not_after: now.seconds().saturating_add(CERTIFICATE_SECONDS),
        };
        let serial_number = keys::serial_number();
        let certificate = CertificateBuilder::new(subject, request.public_key(), &serial_number, validity)
            .issued_by(&keys.devices.certificate, &keys.devices.signing)
            .map_err(|_| Refusal::CertificationRequest)?;
        let certificates = [certificate.as_der().to_vec(), keys.devices.certificate.as_der().to_vec()];
        let (session, message) = ManufacturerSession::begin(NewDevice {
            guid: Guid(keys::random()),
            info: if info.is_empty() { &serial } else { &info },
            rendezvous: self.rendezvous_of_devices()?,
            manufacturer: PublicKey::new(signing.public(), encoding)?,
            certificates: &certificates,
        })?;
        let kept = kept(&serial, &session.to_bytes());
        self.goes_on(SubProtocol::Di, self.fresh_moment(), &kept, message)
    }

    /// Takes the device's HMAC: its voucher is made, and sold where it is made for somebody.
    pub(super) async fn keep_device(&self, body: &[u8], session: &Opened) -> Result<Answered, Unanswered> {
        let keys = self.manufacturer_keys()?;
        let (serial, session_bytes) = read_kept(&session.bytes).ok_or(Unanswered::NoSession)?;
        let made = ManufacturerSession::from_bytes(session_bytes)?.finish(body)?;
        let voucher = Voucher::decode(&made.voucher)?;
        let (guid, info) = (voucher.header().guid, voucher.header().device_info.clone());
        let sold = match &self.config.onboarding.sell_to {
            // Keys of another type than the device asked for buy nothing.
            Some(buyer) => sell(keys, &voucher, buyer).ok().map(|sold| (sold, thumbprint(buyer))),
            None => None,
        };
        let (voucher, sold_to) = match sold {
            Some((voucher, buyer)) => (voucher, Some(buyer)),
            None => (made.voucher, None),
        };
        let made_at = session.began;
        let device = MadeDevice {
            guid: stored(&guid),
            serial: serial.to_owned(),
            info,
            voucher,
            sold_to,
            made_at,
            changed_at: made_at,
        };
        match self.store.add_made(device, ACTOR).await {
            // The session was used, with another HMAC.
            Err(store::Error::Conflict(_)) => return Err(Unanswered::NoSession),
            kept => kept?,
        }
        Ok(ends(made.message))
    }

    /// Devices that were made, after one of them.
    pub(crate) async fn made_views(
        &self,
        after: Option<Guid>,
        limit: u32,
    ) -> Result<Vec<api::MadeDevice>, Failure> {
        let after = after.as_ref().map(stored);
        let made = self.store.made_devices(after.as_ref(), limit).await?;
        Ok(made.iter().map(view).collect())
    }

    /// One device that was made.
    pub(crate) async fn made_view(&self, guid: Guid) -> Result<api::MadeDevice, Failure> {
        self.made(guid).await.map(|made| view(&made))
    }

    /// The voucher of a device that was made, as it stands.
    pub(crate) async fn made_voucher(&self, guid: Guid) -> Result<Vec<u8>, Failure> {
        self.made(guid).await.map(|made| made.voucher)
    }

    /// Sells a device that was made and not sold yet.
    pub(crate) async fn sell_made(&self, guid: Guid, buyer: &Key, actor: &str) -> Result<Vec<u8>, Failure> {
        let keys = self.manufacturer_keys()?;
        let made = self.made(guid).await?;
        let stored_wrong = |_| Failure::Fault("a stored voucher cannot be read".to_owned());
        let voucher = Voucher::decode(&made.voucher).map_err(stored_wrong)?;
        let sold = sell(keys, &voucher, buyer).map_err(Failure::Conflict)?;
        let now = self.now();
        self.store.sell(stored(&guid), made.voucher, sold.clone(), thumbprint(buyer), actor, now).await?;
        Ok(sold)
    }

    async fn made(&self, guid: Guid) -> Result<MadeDevice, Failure> {
        self.store.made(&stored(&guid)).await?.ok_or(Failure::NotFound)
    }

    fn manufacturer_keys(&self) -> Result<&ManufacturerKeys, Failure> {
        self.onboarding_keys.manufacturer.as_ref().ok_or(Failure::NotFound)
    }
}

/// The voucher with one more entry, by the manufacturer. Says why not.
fn sell(keys: &ManufacturerKeys, voucher: &Voucher<'_>, buyer: &Key) -> Result<Vec<u8>, String> {
    let signing = keys.private(voucher.owner().key()).ok_or("the device was sold already")?;
    let extended = voucher.extend(buyer.clone()).and_then(|extension| extension.sign(signing.as_signer()));
    extended.map_err(|error| error.to_string())
}

pub(super) fn thumbprint(key: &Key) -> String {
    hex(key.thumbprint().as_bytes())
}

/// A device is named after its serial number.
fn subject(serial: &str) -> Option<Name> {
    let serial: String =
        serial.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.: ".contains(*c)).collect();
    let serial = serial.trim();
    format!("CN={}", if serial.is_empty() { "device" } else { serial }).parse().ok()
}

/// What travels between the two messages: the serial number, behind its length, and the session.
fn kept(serial: &str, session: &[u8]) -> Vec<u8> {
    // A serial number has at most `fdo::MAX_SERIAL_LEN` bytes.
    [&(serial.len() as u16).to_be_bytes(), serial.as_bytes(), session].concat()
}

fn read_kept(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    let (serial, session) = rest.split_at_checked(u16::from_be_bytes(*len).into())?;
    Some((std::str::from_utf8(serial).ok()?, session))
}

fn view(made: &MadeDevice) -> api::MadeDevice {
    let entries = Voucher::decode(&made.voucher).map_or(0, |voucher| voucher.entries().len());
    api::MadeDevice {
        guid: made.guid.to_string(),
        serial: made.serial.clone(),
        device: made.info.clone(),
        entries,
        sold_to: made.sold_to.clone(),
        made_at: crate::app::rfc3339(made.made_at),
        changed_at: crate::app::rfc3339(made.changed_at),
    }
}
