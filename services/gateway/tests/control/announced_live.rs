//! Devices without an agent behind a whole gateway, with a web server that has their files. Needs root; says so and passes
//! over.

use std::net::{IpAddr, TcpListener};
use std::time::{Duration, Instant};

use api::{ModelState, NetworkAccess, NetworkModel};
use gateway::Mac;
use gateway::control::{Gateway, Journal};
use trust::Scope;

use crate::frames::{URL, grant, request};
use crate::house::{HOST, House, ONE, PORT, TWO, arrives, has, hears, holds_for, plug, says};
use crate::lab::{ANSWER, Lab, SILENCE, at, mac, marks, send_frame, v4};
use crate::live::{Process, SERVER, now};
use crate::maker::{MAKER_CA, OTHER_CA, approval, file, url, uses};
use crate::server::Server;
use crate::web::Page;

#[test]
fn a_device_that_announces_its_url_gets_what_its_file_permits_and_the_operator_lets_it_have() {
    let Some(lab) = Lab::new(2) else { return };
    let house = House::new(&lab);
    let (gateway, server) = house.open(&lab);
    let _services: Vec<_> =
        [ONE, TWO].iter().map(|(host, port)| lab.wan.echo(at(host, *port)).unwrap()).collect();
    let first = file(&plug(), "2026-03-01T10:00:00Z", &[ONE]);
    house.publish(&first, MAKER_CA);

    let reaches = |(host, port): (&str, u16), patience| lab.devices[0].tcp(at(host, port), patience);
    let only_one = || reaches(ONE, ANSWER) && !reaches(TWO, SILENCE);
    let only_two = || reaches(TWO, ANSWER) && !reaches(ONE, SILENCE);

    // Where it is, nobody knows: nothing is open. It announces its URL, and its file comes.
    assert!(!reaches(ONE, SILENCE));
    arrives(&gateway, mac(0), v4(0), &plug());
    let told = server.hears("the device and its file", |report| {
        let mut devices = report.unattested.iter().flatten();
        let mine = |device: &&api::NetworkDevice| device.mac == mac(0).to_string();
        devices.find(mine).filter(|device| device.access == NetworkAccess::File)?;
        report.models.iter().flatten().find(|model| has(model, &first)).cloned()
    });
    assert_eq!((told.state, told.devices), (ModelState::InForce, 1));
    assert!(only_one());
    // A device that announced nothing has nothing.
    gateway.controller().heard(&uses(mac(1), v4(1), now() + 3600), now());
    assert!(!lab.devices[1].tcp(at(ONE.0, ONE.1), SILENCE));

    // A wider file waits; the old one stays; the operator lets it in.
    let wider = file(&plug(), "2026-04-01T10:00:00Z", &[ONE, TWO]);
    house.publish(&wider, MAKER_CA);
    says(&server, &[], true);
    hears(&server, "the wider file", &plug(), |model| has(model, &first) && holds_for(model, "mud-wider"));
    assert!(only_one());
    let start = now();
    let times =
        |order: trust::Override| trust::Override { not_before: start, expires: start + 3600, ..order };
    let approved = times(approval(1, Scope::Site, &plug(), &wider));
    says(&server, std::slice::from_ref(&approved), false);
    hears(&server, "the approved file", &plug(), |model| has(model, &wider));
    assert!(reaches(ONE, ANSWER) && reaches(TWO, ANSWER));

    // A narrower one by the same signer comes by itself, and an open flow that it does not permit is cut.
    let mut open = lab.devices[0].connect(at(ONE.0, ONE.1), ANSWER).unwrap();
    let narrow = file(&plug(), "2026-05-01T10:00:00Z", &[TWO]);
    house.publish(&narrow, MAKER_CA);
    says(&server, std::slice::from_ref(&approved), true);
    hears(&server, "the narrower file", &plug(), |model| has(model, &narrow));
    assert!(only_two());
    let mut echo = [0; 4];
    open.set_read_timeout(Some(SILENCE)).unwrap();
    std::io::Write::write_all(&mut open, b"ping").unwrap();
    assert!(std::io::Read::read_exact(&mut open, &mut echo).is_err(), "the open flow is cut");

    // One under another authority waits although it permits less. A dead server changes nothing.
    let rogue = file(&plug(), "2026-06-01T10:00:00Z", &[]);
    house.publish(&rogue, OTHER_CA);
    says(&server, std::slice::from_ref(&approved), true);
    let holds = |model: &NetworkModel| has(model, &narrow) && holds_for(model, "mud-signer-changed");
    hears(&server, "the other authority", &plug(), holds);
    assert!(only_two());
    house.web.die();
    says(&server, std::slice::from_ref(&approved), true);
    hears(&server, "the fault", &plug(), |model| {
        has(model, &narrow) && model.fault.as_ref().is_some_and(|fault| fault.code == "mud-fetch-connect")
    });
    assert!(only_two());

    // The end of the process changes nothing either, and the next one knows all of it without any server.
    drop(server);
    lab.gw.enter(|| gateway.stop());
    assert!(only_two());
    let gateway = lab.gw.enter(|| Gateway::start(house.config.clone()).unwrap());
    assert!(only_two());
    // The device leaves.
    let controller = gateway.controller();
    let news = gateway::News::Releases(v4(0));
    controller.heard(&gateway::Heard { mac: mac(0), news }, now());
    assert!(!reaches(TWO, SILENCE));
    lab.gw.enter(|| gateway.stop());
}

#[test]
fn no_url_leads_the_gateway_inside() {
    let Some(lab) = Lab::new(1) else { return };
    let house = House::new(&lab);
    let (gateway, server) = house.open(&lab);
    // Somebody who must not be spoken with, on the gateway itself.
    let inside = lab.gw.enter(|| TcpListener::bind(at("10.77.0.1", 9000))).unwrap();
    inside.set_nonblocking(true).unwrap();
    house.web.put("/away.json", Page::to(302, "https://10.77.0.1:9000/x"));
    house.web.put("/loop.json", Page::to(302, "/loop.json"));
    house.web.put("/moved.json", Page::to(301, "https://203.0.113.13/x"));
    let on_web = |path: &str| format!("https://{HOST}:{PORT}{path}");
    let rows = [
        ("https://10.77.0.1:9000/x".to_owned(), "mud-fetch-internal"),
        ("https://127.0.0.1:9000/x".to_owned(), "mud-fetch-internal"),
        ("https://[::1]:9000/x".to_owned(), "mud-fetch-internal"),
        ("https://169.254.169.254/latest".to_owned(), "mud-fetch-internal"),
        ("https://[fe80::1]/x".to_owned(), "mud-fetch-internal"),
        ("https://localhost:9000/x".to_owned(), "mud-fetch-internal"),
        (on_web("/away.json"), "mud-fetch-internal"),
        (on_web("/loop.json"), "mud-fetch-redirects"),
        (on_web("/moved.json"), "mud-fetch-moved"),
        (on_web("/absent.json"), "mud-fetch-absent"),
    ];
    for (index, (url, _)) in (1_u8..).zip(&rows) {
        let mac = Mac([2, 0, 0, 0, 9, index]);
        arrives(&gateway, mac, [10, 77, 0, 100 + index].into(), url);
    }
    let end = Instant::now() + Duration::from_secs(30);
    let mut found = Vec::new();
    while found.len() < rows.len() {
        assert!(Instant::now() < end, "only {found:?}");
        let some: Vec<(String, String)> = server.hears("a fault", |report| {
            let models = report.models.iter().flatten();
            let faults = models.filter_map(|model| Some((model.url.clone(), model.fault.clone()?.code)));
            let faults: Vec<_> = faults.collect();
            (!faults.is_empty()).then_some(faults)
        });
        found = some;
    }
    for (at, code) in rows {
        assert!(found.contains(&(url(&at).to_string(), code.to_owned())), "{at} {code}: {found:?}");
    }
    assert!(inside.accept().is_err(), "nobody came");
    drop(server);
    lab.gw.enter(|| gateway.stop());
}

#[test]
fn a_url_in_a_lease_of_dhcp_is_heard_pinned_and_asked_for() {
    let Some(lab) = Lab::new(1) else { return };
    let house = House::new(&lab);
    let (gateway, server) = house.open(&lab);
    // The address that the lab gave it is what its lease says.
    let IpAddr::V4(own) = v4(0) else { panic!("IPv4") };
    send_frame(&lab.devices[0], "eth0", &request(mac(0), true));
    send_frame(&lab.gw, "lan0", &grant(mac(0), own.octets(), 3600));
    let at = std::str::from_utf8(URL).unwrap();
    let told = server.hears("the device", |report| {
        let mut devices = report.unattested.iter().flatten();
        devices.find(|device| device.url.as_deref() == Some(at) && !device.addresses.is_empty()).cloned()
    });
    assert_eq!(
        (told.mac, told.addresses, told.by.as_deref()),
        (mac(0).to_string(), vec![v4(0).to_string()], Some("dhcpv4"))
    );
    assert_eq!((told.access, told.strength.as_str()), (NetworkAccess::Minimum, "weak"));
    drop(server);
    lab.gw.enter(|| gateway.stop());
}

#[test]
fn killed_while_files_change_a_gateway_goes_on_with_one_that_was_in_force() {
    let Some(lab) = Lab::new(1) else { return };
    let house = House::new(&lab);
    let (gateway, server) = house.open(&lab);
    let _service = lab.wan.echo(at(ONE.0, ONE.1)).unwrap();
    let version = |number: usize| file(&plug(), &format!("2026-03-{:02}T10:00:00Z", number + 1), &[ONE]);
    let publish = |number: usize| house.publish(&version(number), MAKER_CA);
    publish(0);
    // A device is heard and gets its file.
    arrives(&gateway, mac(0), v4(0), &plug());
    hears(&server, "the first file", &plug(), |model| has(model, &version(0)));
    drop(server);
    lab.gw.enter(|| gateway.stop());
    let mut heard = 0;
    for round in 0..KILLS {
        let process = Process::start(&lab.gw, house.folder());
        let server = Server::start(&lab.wan, at(SERVER, 8443), &house.identity);
        let next = heard + 1;
        publish(next);
        says(&server, &[], true);
        // In the middle of it, or right after it was told.
        if round % 2 == 0 {
            hears(&server, "the next file", &plug(), |model| has(model, &version(next)));
            heard = next;
            publish(next + 1);
            says(&server, &[], true);
        }
        drop(process);
        drop(server);
        let (_journal, saved) = Journal::open(&house.config.data).unwrap();
        let [model] = saved.models.as_slice() else { panic!("{:?}", saved.models.len()) };
        let base = model.base.as_ref().unwrap().file.0.clone();
        let number = (heard..=next + 1).find(|number| version(*number).into_bytes() == base);
        heard = number.unwrap_or_else(|| panic!("round {round}: none of them"));
        // The next process enforces it without any server.
        assert!(lab.devices[0].tcp(at(ONE.0, ONE.1), ANSWER), "round {round}");
        let gateway = lab.gw.enter(|| Gateway::start(house.config.clone()).unwrap());
        assert!(marks(&lab.gw).iter().all(|(_, _, mark)| *mark >= 16), "round {round}");
        assert!(lab.devices[0].tcp(at(ONE.0, ONE.1), ANSWER), "round {round}");
        lab.gw.enter(|| gateway.stop());
    }
}

const KILLS: usize = 4;
