//! Whatever comes, nothing panics, and nothing that was changed is believed.

mod common;

use common::{Manufacturer, es256};
use proptest::prelude::*;
use sextant_fdo::{
    DeviceChain, Directive, Header, Hmac, Instruction, Protocol, RendezvousInfo, Voucher, WifiPassword,
    vouchers_of_file,
};

fn instruction() -> impl Strategy<Value = Instruction> {
    prop_oneof![
        Just(()).prop_map(|()| Instruction::DeviceOnly),
        Just(()).prop_map(|()| Instruction::OwnerOnly),
        Just(()).prop_map(|()| Instruction::Bypass),
        any::<[u8; 4]>().prop_map(|octets| Instruction::IpAddress(octets.into())),
        any::<[u8; 16]>().prop_map(|octets| Instruction::IpAddress(octets.into())),
        any::<u16>().prop_map(Instruction::DevicePort),
        any::<u16>().prop_map(Instruction::OwnerPort),
        "[a-z.é]{0,40}".prop_map(Instruction::Dns),
        any::<bool>().prop_map(Instruction::UserInput),
        ".{0,40}".prop_map(Instruction::WifiSsid),
        ".{0,40}".prop_map(|password| Instruction::WifiPassword(WifiPassword::new(&password))),
        any::<u8>().prop_map(Instruction::Medium),
        Just(Protocol::Tls).prop_map(Instruction::Protocol),
        (7..=u8::MAX).prop_map(|number| Instruction::Protocol(Protocol::Other(number))),
        any::<u32>().prop_map(Instruction::Delay),
        (16..u64::MAX, proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)))
            .prop_map(|(variable, value)| Instruction::Unknown { variable, value }),
    ]
}

/// Without one that occurs twice and may not.
fn directive() -> impl Strategy<Value = Directive> {
    proptest::collection::vec(instruction(), 1..12).prop_map(|mut instructions| {
        let mut seen = std::collections::BTreeSet::new();
        instructions.retain(|one| matches!(one, Instruction::IpAddress(_)) || seen.insert(one.variable()));
        Directive { instructions }
    })
}

proptest! {
    #[test]
    fn bytes_of_anybody_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = vouchers_of_file(&bytes);
        let _ = Voucher::decode(&bytes).map(|voucher| voucher.verify(DeviceChain::OfManufacturer));
    }

    #[test]
    fn several_bytes_changed_are_never_believed(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), 1u8..), 1..6)
    ) {
        let voucher = Manufacturer::plain().sold_to(&[&es256(2), &es256(3)]);
        let mut forged = voucher.clone();
        for (at, change) in changes {
            let at = at.index(forged.len());
            forged[at] ^= change;
        }
        prop_assume!(forged != voucher);
        let verified = Voucher::decode(&forged).and_then(|voucher| voucher.verify(DeviceChain::OfManufacturer));
        prop_assert!(verified.is_err());
    }

    #[test]
    fn header_is_read_as_it_was_written(
        directives in proptest::collection::vec(directive(), 1..6),
        device_info in ".{1,60}",
        guid in any::<[u8; 16]>(),
    ) {
        let maker = Manufacturer::plain();
        let header = Header {
            guid: sextant_fdo::Guid(guid),
            rendezvous: RendezvousInfo { directives },
            device_info,
            ..maker.header(&[b"certificate"])
        };
        let encoded = header.encode();
        let hmac = Hmac::of(maker.hash, b"secret", &encoded);
        let voucher = Voucher::assemble(&encoded, &hmac, &[b"certificate"]).expect("well-formed");
        let voucher = Voucher::decode(&voucher).expect("well-formed");
        prop_assert_eq!(voucher.header(), &header);
        prop_assert_eq!(voucher.header_bytes(), encoded);
    }
}
