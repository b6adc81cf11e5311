//! Packets with the address or the MAC of a device that is not bound to the pair.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

use gateway::{Binding, Event, Listener, Mac, Shared, Side, Violation, ViolationKind, Wanted, watch};
use mud::{Family, Protocol};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};

use crate::frames::datagram;
use crate::lab::{
    Lab, SILENCE, allow, at, await_event, binding, id, ip, mac, program, reach, send_frame, v4, v6,
};

/// Begins a TCP connection from a port of a service.
fn start_from(from: SocketAddr, to: SocketAddr) {
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    bind(&socket, &from).unwrap();
    assert_eq!(connect(&socket, &to), Err(rustix::io::Errno::INPROGRESS));
    std::thread::sleep(SILENCE);
}

#[test]
fn whoever_borrows_a_mac_or_an_address_is_told_by_the_mac_and_who_was_imitated() {
    let Some(lab) = Lab::new(3) else { return };
    lab.gw.enter(|| {
        let (mut enforcer, _events) = lab.open(Wanted::default());
        let outside = gateway::AddressRange::of_prefix(ip("203.0.113.11"), 32);
        let policy = enforcer
            .stage(program(vec![
                reach("203.0.113.10", Protocol::Tcp, 443),
                allow(Side::To, Family::V4, gateway::Peer::Range(outside), Protocol::Tcp, 22),
            ]))
            .unwrap();
        for index in [0, 1] {
            let addresses = vec![v4(index), v6(index)];
            enforcer.admit(Binding { addresses, ..binding(index) }, policy).unwrap();
        }
        let listener = Listener::open().unwrap();
        let shared = Shared::new(enforcer);
        let (stop, (sender, events)) = (AtomicBool::new(false), channel());
        let stranger = Mac([2, 0, 0, 0, 0, 0x99]);
        std::thread::scope(|scope| {
            scope.spawn(|| watch(listener, &shared, &sender, &stop).unwrap());
            let next = || {
                await_event(&events, |event| match event {
                    Event::Violation(violation) => Some(violation.clone()),
                    _ => None,
                })
            };
            let attacker = &lab.devices[2];
            for (what, source_mac, source, kind, imitated) in [
                ("an address from another MAC", mac(1), v4(0), ViolationKind::SpoofedBinding, Some(id(0))),
                ("the same over IPv6", mac(1), v6(0), ViolationKind::SpoofedBinding, Some(id(0))),
                (
                    "an address from a stranger's MAC",
                    stranger,
                    v4(0),
                    ViolationKind::SpoofedBinding,
                    Some(id(0)),
                ),
                (
                    "a MAC with another address",
                    mac(0),
                    ip("10.77.0.99"),
                    ViolationKind::SpoofedBinding,
                    Some(id(0)),
                ),
                (
                    "a MAC with an unknown source",
                    mac(0),
                    ip("2001:db8:77::99"),
                    ViolationKind::SpoofedBinding,
                    Some(id(0)),
                ),
                ("neither", stranger, ip("10.77.0.98"), ViolationKind::UnknownDevice, None),
            ] {
                send_frame(attacker, "eth0", &datagram(source_mac, source));
                let told: Violation = next();
                assert_eq!(
                    (told.kind, told.mac, told.imitated),
                    (kind, Some(source_mac), imitated),
                    "{what}"
                );
                assert_eq!(
                    (told.flow.source, told.flow.destination_port, told.device),
                    (source, 9, None),
                    "{what}"
                );
            }

            // And who starts what only the other end may, is told so.
            lab.wan.tcp((v4(1), 23).into(), SILENCE);
            assert_eq!(next().class(), "no-match");
            lab.wan.enter(|| start_from(at("203.0.113.10", 443), (v4(0), 5555).into()));
            let told = next();
            assert_eq!(
                (told.class(), told.kind, told.device),
                ("wrong-initiator", ViolationKind::ToDevice, Some(id(0)))
            );
            stop.store(true, Ordering::Relaxed);
        });
    });
}
