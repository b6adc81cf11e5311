use alloc::vec::Vec;

use x509::{Certificate, KeyUsage, verify_chain};

use crate::{Distrust, Error, Feature, Header, Key, PublicKey, Voucher};

/// By whose word the device's certificate counts.
#[derive(Clone, Copy, Debug)]
pub enum DeviceChain<'a> {
    /// By the manufacturer's alone, whose header holds the hash of the certificates. Those above the device's own are not
    /// read: what is in the field has chains that no path validation takes.
    OfManufacturer,
    /// It must lead to one of these certificates as well, at this time in seconds since 1970.
    Anchored {
        /// The certificates.
        anchors: &'a [Certificate],
        /// The time.
        now: i64,
    },
}

/// A voucher that is what its manufacturer and all owners but the last signed.
///
/// That says whose word it is, and not whether that counts: whoever relies on it compares the manufacturer's key of the
/// header and the owner's with those it knows.
#[derive(Debug)]
pub struct VerifiedVoucher {
    header: Header,
    owner: PublicKey,
    device_key: crypto::PublicKey,
    entries: usize,
}

/// A voucher by which a device is ours: everything of it holds, and it ends with our key.
///
/// It may lack entries, where it begins with our key: that is what the device was set up with in TO2.
#[derive(Debug)]
pub struct OwnedVoucher<'b> {
    voucher: Voucher<'b>,
    device_key: crypto::PublicKey,
}

impl<'b> Voucher<'b> {
    /// Verifies all but that anybody signed, for the owner with this key.
    pub fn claim(self, owner: &Key, chain: DeviceChain<'_>) -> Result<OwnedVoucher<'b>, Error> {
        self.check_chain()?;
        let device_key = self.device_key(chain)?;
        if self.owner().key() != owner {
            return Err(Distrust::OtherOwner.into());
        }
        Ok(OwnedVoucher { voucher: self, device_key })
    }
}

impl<'b> OwnedVoucher<'b> {
    /// The voucher.
    pub fn voucher(&self) -> &Voucher<'b> {
        &self.voucher
    }

    /// The key that the device signs with.
    pub fn device_key(&self) -> &crypto::PublicKey {
        &self.device_key
    }
}

impl Voucher<'_> {
    /// Verifies hash of the certificates, device's certificate, and each entry: that it follows the one before, is about
    /// this device and is signed by the owner before. Without an entry nobody signed anything, and it is not believed.
    pub fn verify(self, chain: DeviceChain<'_>) -> Result<VerifiedVoucher, Error> {
        self.check_chain()?;
        let device_key = self.device_key(chain)?;
        if self.entries().is_empty() {
            return Err(Distrust::NoEntry.into());
        }
        let (owner, entries) = (self.owner().clone(), self.entries().len());
        Ok(VerifiedVoucher { header: self.into_header(), owner, device_key, entries })
    }

    fn device_key(&self, chain: DeviceChain<'_>) -> Result<crypto::PublicKey, Error> {
        let mut certificates = self.certificates().iter().map(|der| Certificate::decode(der));
        let leaf = certificates.next().ok_or(Feature::NoCertificates)??;
        if leaf.key_usage().is_some_and(|usage| !usage.contains(KeyUsage::DIGITAL_SIGNATURE)) {
            return Err(Distrust::DeviceKeyUsage.into());
        }
        if let DeviceChain::Anchored { anchors, now } = chain {
            // A chain that ends in what cannot be read may still lead to an anchor before that.
            let above: Vec<Certificate> = certificates.filter_map(Result::ok).collect();
            verify_chain(&leaf, &above, anchors, now)?;
        }
        Ok(leaf.public_key()?.clone())
    }
}

impl VerifiedVoucher {
    /// What the manufacturer says of the device.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The owner's key: that of the last entry.
    pub fn owner(&self) -> &PublicKey {
        &self.owner
    }

    /// The key that the device signs with.
    pub fn device_key(&self) -> &crypto::PublicKey {
        &self.device_key
    }

    /// How many entries there are, at least one.
    pub fn entries(&self) -> usize {
        self.entries
    }
}
