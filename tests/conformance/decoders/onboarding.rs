//! Onboarding: ownership vouchers.

use fdo::{DeviceChain, Voucher};

use super::stranger;
use crate::fixture::NOW;

/// A voucher: what nobody vouches for is not believed, and what was read of the header is what is written.
pub(super) fn voucher(bytes: &[u8]) -> bool {
    let _of_text = fdo::vouchers_of_file(bytes).map(|vouchers| vouchers.len());
    let Ok(voucher) = Voucher::decode(bytes) else { return false };
    assert!(voucher.check_hmac(b"of another device").is_err());
    let again = Voucher::assemble(&voucher.header().encode(), voucher.hmac(), voucher.certificates());
    let again = again.expect("was read");
    let again = Voucher::decode(&again).expect("was written by us");
    assert_eq!(again.header(), voucher.header());
    if let Ok(extension) = voucher.extend(&stranger()) {
        // Nobody here is the owner.
        assert!(extension.assemble(&[1; 64]).is_err());
    }
    let entries = voucher.entries().len();
    let anchored = Voucher::decode(bytes).expect("read before");
    assert!(anchored.verify(DeviceChain::Anchored { anchors: &[], now: NOW }).is_err());
    if let Ok(verified) = voucher.verify(DeviceChain::OfManufacturer) {
        assert!(verified.entries() == entries && entries > 0);
    }
    true
}
