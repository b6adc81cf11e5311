//! What a gateway tells of itself, and of what devices ask it.

use api::{DnsUse, GatewayReport};
use gateway::control::{Config, Gateway};
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};

use crate::lab::{ANSWER, Lab, at};
use crate::live::{SERVER, config, now, trusting};
use crate::server::{Identity, Server};
use crate::site::{Parts, text, ueid};

fn codes(report: &GatewayReport) -> Vec<(&str, bool)> {
    report.status.iter().map(|status| (status.code.as_str(), status.good)).collect()
}

#[test]
fn what_keeps_devices_apart_is_told() {
    let Some(lab) = Lab::new(2) else { return };
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let identity = Identity::new(SERVER, &config.ca);
    let server = Server::start(&lab.wan, at(SERVER, 8443), &identity);
    let good =
        [("bridge-locked", true), ("hearing", true), ("ports-isolated", true), ("rules-certain", true)];
    let gateway = lab.gw.enter(|| Gateway::start(config.clone()).unwrap());
    server.hears("that all is well", |report| (codes(report) == good).then_some(()));
    lab.gw.enter(|| gateway.stop());

    // Somebody takes the isolation from a port: the second lock holds, and it is told.
    let open = lab.gw.output("bridge", &["link", "set", "dev", "p1", "isolated", "off"]).unwrap();
    assert!(open.status.success());
    let gateway = lab.gw.enter(|| Gateway::start(config.clone()).unwrap());
    let told = server.hears("the open port", |report| {
        report.status.iter().find(|status| status.code == "ports-not-isolated").cloned()
    });
    assert!(!told.good && told.text.contains("p1") && !told.text.contains("p0"), "{told:?}");
    drop(server);
    lab.gw.enter(|| gateway.stop());
}

#[test]
fn what_devices_ask_is_counted_and_told() {
    let Some(lab) = Lab::new(1) else { return };
    let directory = tempfile::tempdir().unwrap();
    // Nobody is there to answer, which is counted as well.
    let config = Config { dns_upstream: vec![at("198.51.100.2", 53)], ..config(directory.path()) };
    let release = Parts { now: now(), ..Parts::of("1.0.0", 1) }.made();
    let (gateway, server, _good) = trusting(&lab, &config, &release);
    for name in ["stray.example.", "other.example."] {
        let mut query = Message::query();
        query.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
        lab.devices[0].enter(|| {
            let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.set_read_timeout(Some(2 * ANSWER)).unwrap();
            socket.send_to(&query.to_vec().unwrap(), at("10.77.0.1", 53)).unwrap();
            socket.recv(&mut [0; 512]).unwrap();
        });
    }
    // Both may be told together or one after the other.
    let mut told = DnsUse::default();
    while told.queries < 2 {
        told.add(&server.hears("the questions", |report| {
            report.dns.iter().find(|used| used.ueid == text(&ueid(1))).cloned()
        }));
    }
    assert_eq!((told.queries, told.outside, told.nxdomain), (2, 2, 0));
    drop(server);
    lab.gw.enter(|| gateway.stop());
}
