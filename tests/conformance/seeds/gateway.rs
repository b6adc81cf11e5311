//! What gateways hear and are answered.

use gateway::Mac;
use gateway::radius::{Attribute, Code, Packet, Secret};

const MAC: &str = "02 00 00 00 00 0b";
const URL: &[u8] = b"https://maker.example/cam.json";

/// Frames of every sort that is read.
pub(super) fn frames() -> Vec<Vec<u8>> {
    let frame = |ethertype: &str, payload: &[u8]| {
        [&testkit::hex(&format!("ff ff ff ff ff ff {MAC} {ethertype}"))[..], payload].concat()
    };
    let datagram = |ports: &str, content: &[u8]| {
        let length = (8 + content.len() as u16).to_be_bytes();
        [&testkit::hex(ports)[..], &length, &[0, 0], content].concat()
    };
    let over_v4 = |datagram: &[u8]| {
        let length = (20 + datagram.len() as u16).to_be_bytes();
        let rest = testkit::hex("00 01 00 00 40 11 00 00 00 00 00 00 ff ff ff ff");
        frame("08 00", &[&[0x45, 0][..], &length, &rest, datagram].concat())
    };
    let over_v6 = |next: u8, source: &str, content: &[u8]| {
        let length = (content.len() as u16).to_be_bytes();
        let addresses = testkit::hex(&format!("{source} ff 02 {} 01", "00 ".repeat(13)));
        frame("86 dd", &[&[0x60, 0, 0, 0][..], &length, &[next, 255], &addresses, content].concat())
    };
    let own = format!("20 01 0d b8 {} 0b", "00 ".repeat(11));
    let dhcp4 = |operation: u8, options: &[u8]| {
        let mut message = vec![0; 240];
        message[..8].copy_from_slice(&[operation, 1, 6, 0, 1, 2, 3, 4]);
        message[16..20].copy_from_slice(&[10, 0, 0, 2]);
        message[28..34].copy_from_slice(&testkit::hex(MAC));
        message[236..].copy_from_slice(&[99, 130, 83, 99]);
        [&message[..], options, &[255]].concat()
    };
    let dhcp6 = |kind: u8, options: &[u8]| {
        [&[kind, 1, 2, 3, 0, 1, 0, 10, 0, 3, 0, 1][..], &testkit::hex(MAC), options].concat()
    };
    let association =
        [&testkit::hex("00 03 00 28")[..], &[0; 12], &testkit::hex("00 05 00 18"), &testkit::hex(&own)]
            .concat();
    let association = [&association[..], &testkit::hex("00 00 0e 10 00 00 0e 10")].concat();
    let mud4 = [&[53, 1, 3, 161, URL.len() as u8], URL].concat();
    let mud6 = [&[0, 112, 0, URL.len() as u8], URL].concat();
    let lldp = testkit::hex(&format!("02 07 04 {MAC} 04 05 05 65 74 68 30 06 02 00 78"));
    let lldp = [&lldp[..], &[0xfe, 4 + URL.len() as u8, 0, 0, 0x5e, 1], URL, &[0, 0]].concat();
    let none = "00 ".repeat(16);
    vec![
        over_v4(&datagram("00 44 00 43", &dhcp4(1, &mud4))),
        over_v4(&datagram("00 43 00 44", &dhcp4(2, &[53, 1, 5, 51, 4, 0, 0, 14, 16]))),
        over_v6(17, &own, &datagram("02 22 02 23", &dhcp6(1, &mud6))),
        over_v6(17, &own, &datagram("02 23 02 22", &dhcp6(7, &association))),
        frame("88 cc", &lldp),
        frame(
            "08 06",
            &testkit::hex(&format!(
                "00 01 08 00 06 04 00 01 {MAC} 0a 00 00 02 {} 0a 00 00 01",
                "00 ".repeat(6)
            )),
        ),
        over_v6(58, &none, &testkit::hex(&format!("87 00 00 00 00 00 00 00 {own}"))),
        over_v6(58, &own, &testkit::hex(&format!("88 00 00 00 60 00 00 00 {own} 02 01 {MAC}"))),
    ]
}

/// Datagrams of the kernel's log, of packets and of each group.
pub(super) fn logs(packets: &[&str]) -> Vec<Vec<u8>> {
    let attribute = |kind: u16, value: &[u8]| {
        let length = (4 + value.len() as u16).to_ne_bytes();
        let mut bytes = [&length[..], &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let log = |(group, packet): (u16, &&str)| {
        let hardware = testkit::hex(&format!("00 06 00 00 {MAC} 00 00"));
        let attributes = [
            attribute(2, &17u32.to_be_bytes()),
            attribute(8, &hardware),
            attribute(9, &testkit::hex(packet)),
        ]
        .concat();
        let length = (20 + attributes.len() as u32).to_ne_bytes();
        let kind = 0x0400u16.to_ne_bytes();
        [&length[..], &kind, &[0; 10], &[2, 0], &group.to_be_bytes(), &attributes].concat()
    };
    (10..=13).zip(packets.iter().cycle()).map(log).collect()
}

/// An answer with an alias and two addresses.
pub(super) fn answer() -> Vec<u8> {
    testkit::hex(
        "00 07 81 80 00 01 00 03 00 00 00 00 03 61 70 69 07 65 78 61 6d 70 6c 65 00 00 01 00 01
         c0 0c 00 05 00 01 00 00 00 3c 00 06 03 63 64 6e c0 10
         c0 29 00 01 00 01 00 00 00 3c 00 04 c0 00 02 01
         c0 29 00 01 00 01 00 00 00 3c 00 04 c0 00 02 02",
    )
}

/// Packets of every code.
pub(super) fn packets() -> Vec<Vec<u8>> {
    let secret = Secret::new(b"a secret of enough octets").expect("long enough");
    let attributes =
        || vec![Attribute::calling_station(Mac([2, 0, 0, 0, 0, 11])), Attribute::event_timestamp(7)];
    [Code::DisconnectRequest, Code::DisconnectNak, Code::CoaRequest, Code::CoaAck]
        .map(|code| {
            Packet { code, identifier: 7, attributes: attributes() }.encode_request(&secret).expect("short")
        })
        .to_vec()
}
