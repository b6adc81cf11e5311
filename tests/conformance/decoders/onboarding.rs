//! Onboarding: ownership vouchers, and every message and record of the protocols.

use fdo::{
    AcceptOwner, AppStart, Credential, DeviceChain, DeviceServiceInfo, DeviceServiceInfoReady, DeviceToken,
    Done, ErrorMessage, Failure, GetNextEntry, Guid, HelloAck, HelloDevice, HelloRv, HelloRvAck, Key,
    ManufacturerSession, NextEntry, Nonce, OwnerServiceInfo, OwnerServiceInfoReady, OwnerSign, ProveHeader,
    PublicKey, RedirectionSession, RegistrationSession, SetCredentials, SetHmac, SetupDevice, Voucher,
    owner::OwnerSession, provision::Provision,
};

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
    if let Ok(extension) = voucher.extend(stranger()) {
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

/// A message of any type, a credential, what a device is given, or a session as a server keeps it. What is not signed is written
/// again as it was understood, and what is signed is signed by nobody here.
pub(super) fn message(bytes: &[u8]) -> bool {
    let readers: [fn(&[u8]) -> bool; 4] = [plain, signed, kept, sessions];
    // All of them, whichever reads it.
    readers.map(|read| read(bytes)).contains(&true)
}

/// Reads, writes and reads again. Values that are equal are written alike.
macro_rules! again {
    ($bytes:expr, $kind:ident) => {
        $kind::decode($bytes).is_ok_and(|read| {
            let written = read.encode();
            let again = $kind::decode(&written).expect("was written by us");
            assert_eq!(again.encode(), written, stringify!($kind));
            true
        })
    };
}

fn plain(bytes: &[u8]) -> bool {
    let next_entry = NextEntry::decode(bytes).is_ok_and(|read| {
        let written = NextEntry::encode(read.index, read.entry.as_bytes());
        let again = NextEntry::decode(&written).expect("was written by us");
        assert_eq!((again.index, again.entry.as_bytes()), (read.index, read.entry.as_bytes()));
        true
    });
    let set_credentials = SetCredentials::decode(bytes).is_ok_and(|read| {
        let written = SetCredentials::encode(&read.header.encode());
        assert_eq!(SetCredentials::decode(&written).expect("was written by us").header, read.header);
        true
    });
    let error = ErrorMessage::decode(bytes).is_ok_and(|read| {
        assert!(!read.to_string().contains(char::is_control), "{read}");
        true
    });
    let read = [
        again!(bytes, AppStart),
        again!(bytes, SetHmac),
        again!(bytes, HelloAck),
        again!(bytes, AcceptOwner),
        again!(bytes, HelloRv),
        again!(bytes, HelloRvAck),
        again!(bytes, HelloDevice),
        again!(bytes, GetNextEntry),
        again!(bytes, DeviceServiceInfoReady),
        again!(bytes, OwnerServiceInfoReady),
        again!(bytes, DeviceServiceInfo),
        again!(bytes, OwnerServiceInfo),
        again!(bytes, Done),
        again!(bytes, ErrorMessage),
    ];
    read.contains(&true) || next_entry || set_credentials || error
}

/// Messages that are signed, and those that carry such.
fn signed(bytes: &[u8]) -> bool {
    let stranger: Key = stranger().into();
    let owner_sign = OwnerSign::decode(bytes).is_ok_and(|_| {
        // The nonce of a session that nobody has.
        let session = RegistrationSession::of(Nonce([0xa5; 16]));
        assert!(session.register(bytes, DeviceChain::Anchored { anchors: &[], now: NOW }).is_err());
        true
    });
    let token = DeviceToken::decode(bytes).is_ok_and(|token| {
        assert!(token.verify(&stranger, &Guid([1; 16]), Nonce([0; 16])).is_err());
        let _parts = (token.setup_nonce(), token.exchange());
        true
    });
    let redirect = fdo::Redirect::decode(bytes).is_ok_and(|redirect| {
        let stranger = PublicKey::new(&stranger, fdo::KeyEncoding::X509).expect("of a type");
        assert!(redirect.verify(&stranger).is_err() && redirect.as_bytes() == bytes);
        redirect.addresses().iter().for_each(|address| _ = address.targets());
        true
    });
    // Whose signature it is stands in them, so that anybody can make one that holds.
    let proof = ProveHeader::decode(bytes).map(|proof| proof.verify()).is_ok();
    let setup = SetupDevice::decode(bytes).map(|setup| setup.verify()).is_ok();
    owner_sign || token || redirect || proof || setup
}

/// What devices keep.
fn kept(bytes: &[u8]) -> bool {
    let credential = Credential::decode(bytes).is_ok_and(|read| {
        assert_eq!(Credential::decode(&read.encode()).expect("was written by us"), read);
        let _options = fdo::device::To2Options::for_credential(&read);
        let _ways = read.rendezvous.ways(fdo::Party::Device);
        true
    });
    let provision = Provision::decode(bytes).is_ok_and(|read| {
        // What others wrote with longer heads is no longer here.
        let written = read.encode().expect("was read");
        assert_eq!(Provision::decode(&written).expect("was written by us"), read);
        true
    });
    credential || provision
}

/// What servers keep between two messages.
fn sessions(bytes: &[u8]) -> bool {
    let owner = OwnerSession::from_bytes(bytes);
    let owner = match owner {
        Ok(session) => {
            assert_eq!(session.to_bytes().as_slice(), bytes, "there is one encoding");
            let _known = (session.is_proven(), session.device_key(), session.binding());
            true
        }
        Err(refused) => {
            assert_eq!(refused, Failure::Fault(fdo::Fault::Session));
            false
        }
    };
    let manufacturer = ManufacturerSession::from_bytes(bytes).is_ok_and(|session| {
        assert_eq!(session.to_bytes(), bytes, "there is one encoding");
        true
    });
    let redirection = RedirectionSession::from_bytes(bytes).is_ok_and(|session| {
        assert_eq!(session.to_bytes(), bytes, "there is one encoding");
        true
    });
    owner || manufacturer || redirection
}
