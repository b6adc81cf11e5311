//! Ownership vouchers (FDO): which devices are the operator's, and with which keys they attest.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

use crypto::PublicKey;
use fdo::{DeviceChain, Guid, Key, VerifiedVoucher, Voucher};

use crate::{Code, Reason};

/// Whose vouchers count.
#[derive(Clone, Debug, Default)]
pub struct VoucherAnchors {
    /// Who makes devices. A voucher is as good as the word of its manufacturer: anybody can make one that is sound.
    pub manufacturers: Vec<Key>,
    /// The keys to which devices of the operator's are sold.
    pub owners: Vec<Key>,
}

/// A device whose voucher was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VouchedDevice {
    /// Its identifier in FDO, and with a type in front its UEID.
    pub guid: Guid,
    /// The key that it signs with.
    pub key: PublicKey,
    /// What it is, as its manufacturer says.
    pub device_info: String,
    /// Who made it.
    pub manufacturer: Key,
    /// To whom it was sold.
    pub owner: Key,
    /// How many times it was sold.
    pub entries: usize,
}

/// Every device whose voucher was accepted.
#[derive(Clone, Debug, Default)]
pub struct Vouchers(BTreeMap<Guid, VouchedDevice>);

/// Verifies a voucher, and accepts it where a trusted manufacturer made the device and sold it, over whomever, to the operator.
///
/// The device's certificates count by the manufacturer's word, whose header holds their hash.
pub fn admit_voucher(bytes: &[u8], anchors: &VoucherAnchors) -> Result<VouchedDevice, Reason> {
    let verified = Voucher::decode(bytes).and_then(|voucher| voucher.verify(DeviceChain::OfManufacturer));
    let verified: VerifiedVoucher = verified.map_err(refused)?;
    let one_of = |keys: &[Key], key: &Key| keys.iter().find(|known| *known == key).cloned();
    let header = verified.header();
    let owner = one_of(&anchors.owners, verified.owner().key()).ok_or(Code::VoucherNotOurs)?;
    let manufacturer = one_of(&anchors.manufacturers, header.manufacturer.key());
    let manufacturer = manufacturer.ok_or(Code::VoucherUnknownManufacturer)?;
    Ok(VouchedDevice {
        guid: header.guid,
        key: verified.device_key().clone(),
        device_info: header.device_info.clone(),
        manufacturer,
        owner,
        entries: verified.entries(),
    })
}

fn refused(error: fdo::Error) -> Reason {
    let code = Code::from_text(error.code()).unwrap_or(Code::MalformedVoucher);
    let cause = core::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
    Reason::new(code).with("error", cause)
}

impl Vouchers {
    /// Accepts a device; gives the one of the same GUID that it takes the place of.
    pub fn add(&mut self, device: VouchedDevice) -> Option<VouchedDevice> {
        self.0.insert(device.guid, device)
    }

    /// Forgets a device; says whether it was known.
    pub fn remove(&mut self, guid: &Guid) -> bool {
        self.0.remove(guid).is_some()
    }

    /// A device by its GUID.
    pub fn device(&self, guid: &Guid) -> Option<&VouchedDevice> {
        self.0.get(guid)
    }

    /// The device with a UEID.
    pub fn of(&self, ueid: &[u8]) -> Option<&VouchedDevice> {
        let (_, guid) = ueid.split_first()?;
        let device = self.0.get(&Guid(guid.try_into().ok()?))?;
        (device.guid.ueid() == ueid).then_some(device)
    }
}
