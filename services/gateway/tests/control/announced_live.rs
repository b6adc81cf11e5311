//! Devices without an agent behind a whole gateway, with a web server that has their files. Needs root; says so and passes
//! over.

use std::net::{IpAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use api::{Base64Url, GatewayState, ModelState, MudCheck, NetworkAccess, NetworkModel};
use gateway::Mac;
use gateway::control::{Gateway, Journal};
use trust::Scope;

use crate::frames::{URL, grant, request};
use crate::lab::{ANSWER, Lab, SILENCE, at, marks, send_frame, v4};
use crate::live::{Process, SERVER, config, now};
use crate::maker::{MAKER_CA, OTHER_CA, announces, approval, authority, digest, file, signed_by, url, uses};
use crate::server::{Identity, Server};
use crate::site::{OPERATOR, answer, key, text};
use crate::web::{Page, Web};

pub(crate) const HOST: &str = "203.0.113.12";
pub(crate) const PORT: u16 = 9443;
pub(crate) const ONE: (&str, u16) = ("203.0.113.10", 443);
pub(crate) const TWO: (&str, u16) = ("203.0.113.11", 443);

pub(crate) fn plug() -> String {
    format!("https://{HOST}:{PORT}/plug.json")
}

fn mac(index: usize) -> Mac {
    crate::lab::mac(index)
}

/// Settings that believe the maker, and give devices what their files permit.
pub(crate) fn settings(folder: &Path) {
    for seed in [MAKER_CA, OTHER_CA] {
        std::fs::write(folder.join(format!("{seed}.der")), authority(seed, now()).as_der()).unwrap();
    }
    let text = format!(
        "tls-ca = \"web.pem\"\n[announced]\nmode = \"hold\"\nanchors = [\"{MAKER_CA}.der\", \"{OTHER_CA}.der\"]\n\
         accept = [\"dhcpv4\", \"dhcpv6\", \"lldp\"]\nweak-access = \"as-file\"\naddresses = \"allow\"\n"
    );
    std::fs::write(folder.join("sources.toml"), text).unwrap();
}

/// What a model is told as, once it has what it takes.
pub(crate) fn hears(
    server: &Server,
    what: &str,
    at: &str,
    pick: impl Fn(&NetworkModel) -> bool,
) -> NetworkModel {
    server.hears(what, |report| {
        report.models.iter().flatten().find(|model| model.url == at && pick(model)).cloned()
    })
}

pub(crate) fn has(model: &NetworkModel, file: &str) -> bool {
    model.in_force.as_ref().is_some_and(|in_force| in_force.digest == text(digest(file).as_bytes()))
}

pub(crate) fn holds_for(model: &NetworkModel, code: &str) -> bool {
    let offered = model.offered.iter().flat_map(|offered| &offered.reasons);
    model.state == ModelState::Waiting && offered.into_iter().any(|reason| reason.code == code)
}

#[test]
fn a_device_that_announces_its_url_gets_what_its_file_permits_and_the_operator_lets_it_have() {
    let Some(lab) = Lab::new(2) else { return };
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    settings(folder);
    let listener = lab.wan.enter(|| TcpListener::bind(at(HOST, PORT))).unwrap();
    let web = Web::start(listener, &[HOST], &folder.join("web.pem"));
    let _services: Vec<_> =
        [ONE, TWO].iter().map(|(host, port)| lab.wan.echo(at(host, *port)).unwrap()).collect();
    let signed = |file: &str, authority| signed_by(file, authority, "CN=Maker", now());
    let first = file(&plug(), "2026-03-01T10:00:00Z", &[ONE]);
    web.publish("/plug.json", &first, &signed(&first, MAKER_CA));

    let config = config(folder);
    let identity = Identity::new(SERVER, &config.ca);
    let gateway = lab.gw.enter(|| Gateway::start(config.clone()).unwrap());
    let server = Server::start(&lab.wan, at(SERVER, 8443), &identity);
    let say = |overrides: &[trust::Override], check: bool| {
        let checks = check.then(|| MudCheck { url: plug(), at_ms: now() * 1000 });
        let overrides = overrides.iter().map(|one| Base64Url(one.sign(&key(OPERATOR)))).collect();
        server.say(GatewayState { overrides, checks: checks.into_iter().collect(), ..answer(&[], vec![]) });
    };
    let reaches = |(host, port): (&str, u16), patience| lab.devices[0].tcp(at(host, port), patience);
    let only_one = || reaches(ONE, ANSWER) && !reaches(TWO, SILENCE);
    let only_two = || reaches(TWO, ANSWER) && !reaches(ONE, SILENCE);

    // Where it is, nobody knows: nothing is open. It announces its URL, and its file comes.
    assert!(!reaches(ONE, SILENCE));
    let controller = gateway.controller();
    controller.heard(&announces(mac(0), &plug()), now());
    controller.heard(&uses(mac(0), v4(0), now() + 3600), now());
    let told = server.hears("the device and its file", |report| {
        let mut devices = report.unattested.iter().flatten();
        let mine = |device: &&api::NetworkDevice| device.mac == mac(0).to_string();
        devices.find(mine).filter(|device| device.access == NetworkAccess::File)?;
        report.models.iter().flatten().find(|model| has(model, &first)).cloned()
    });
    assert_eq!((told.state, told.devices), (ModelState::InForce, 1));
    assert!(only_one());
    // A device that announced nothing has nothing.
    controller.heard(&uses(mac(1), v4(1), now() + 3600), now());
    assert!(!lab.devices[1].tcp(at(ONE.0, ONE.1), SILENCE));

    // A wider file waits; the old one stays; the operator lets it in.
    let wider = file(&plug(), "2026-04-01T10:00:00Z", &[ONE, TWO]);
    web.publish("/plug.json", &wider, &signed(&wider, MAKER_CA));
    say(&[], true);
    hears(&server, "the wider file", &plug(), |model| has(model, &first) && holds_for(model, "mud-wider"));
    assert!(only_one());
    let start = now();
    let times =
        |order: trust::Override| trust::Override { not_before: start, expires: start + 3600, ..order };
    let approved = times(approval(1, Scope::Site, &plug(), &wider));
    say(std::slice::from_ref(&approved), false);
    hears(&server, "the approved file", &plug(), |model| has(model, &wider));
    assert!(reaches(ONE, ANSWER) && reaches(TWO, ANSWER));

    // A narrower one by the same signer comes by itself, and an open flow that it does not permit is cut.
    let mut open = lab.devices[0].connect(at(ONE.0, ONE.1), ANSWER).unwrap();
    let narrow = file(&plug(), "2026-05-01T10:00:00Z", &[TWO]);
    web.publish("/plug.json", &narrow, &signed(&narrow, MAKER_CA));
    say(std::slice::from_ref(&approved), true);
    hears(&server, "the narrower file", &plug(), |model| has(model, &narrow));
    assert!(only_two());
    let mut echo = [0; 4];
    open.set_read_timeout(Some(SILENCE)).unwrap();
    std::io::Write::write_all(&mut open, b"ping").unwrap();
    assert!(std::io::Read::read_exact(&mut open, &mut echo).is_err(), "the open flow is cut");

    // One under another authority waits although it permits less. A dead server changes nothing.
    let rogue = file(&plug(), "2026-06-01T10:00:00Z", &[]);
    web.publish("/plug.json", &rogue, &signed(&rogue, OTHER_CA));
    say(std::slice::from_ref(&approved), true);
    let holds = |model: &NetworkModel| has(model, &narrow) && holds_for(model, "mud-signer-changed");
    hears(&server, "the other authority", &plug(), holds);
    assert!(only_two());
    web.die();
    say(std::slice::from_ref(&approved), true);
    hears(&server, "the fault", &plug(), |model| {
        has(model, &narrow) && model.fault.as_ref().is_some_and(|fault| fault.code == "mud-fetch-connect")
    });
    assert!(only_two());

    // The end of the process changes nothing either, and the next one knows all of it without any server.
    drop(server);
    lab.gw.enter(|| gateway.stop());
    assert!(only_two());
    let gateway = lab.gw.enter(|| Gateway::start(config).unwrap());
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
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    settings(folder);
    let listener = lab.wan.enter(|| TcpListener::bind(at(HOST, PORT))).unwrap();
    let web = Web::start(listener, &[HOST], &folder.join("web.pem"));
    // Somebody who must not be spoken with, on the gateway itself.
    let inside = lab.gw.enter(|| TcpListener::bind(at("10.77.0.1", 9000))).unwrap();
    inside.set_nonblocking(true).unwrap();
    web.put("/away.json", Page::to(302, "https://10.77.0.1:9000/x"));
    web.put("/loop.json", Page::to(302, "/loop.json"));
    web.put("/moved.json", Page::to(301, "https://203.0.113.13/x"));
    let config = config(folder);
    let identity = Identity::new(SERVER, &config.ca);
    let gateway = lab.gw.enter(|| Gateway::start(config).unwrap());
    let server = Server::start(&lab.wan, at(SERVER, 8443), &identity);
    server.say(answer(&[], vec![]));
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
        gateway.controller().heard(&announces(mac, url), now());
        gateway.controller().heard(&uses(mac, [10, 77, 0, 100 + index].into(), now() + 3600), now());
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
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    settings(folder);
    let listener = lab.wan.enter(|| TcpListener::bind(at(HOST, PORT))).unwrap();
    let _web = Web::start(listener, &[HOST], &folder.join("web.pem"));
    let config = config(folder);
    let identity = Identity::new(SERVER, &config.ca);
    let gateway = lab.gw.enter(|| Gateway::start(config).unwrap());
    let server = Server::start(&lab.wan, at(SERVER, 8443), &identity);
    server.say(answer(&[], vec![]));
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
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    settings(folder);
    let listener = lab.wan.enter(|| TcpListener::bind(at(HOST, PORT))).unwrap();
    let web = Web::start(listener, &[HOST], &folder.join("web.pem"));
    let _service = lab.wan.echo(at(ONE.0, ONE.1)).unwrap();
    let version = |number: usize| file(&plug(), &format!("2026-03-{:02}T10:00:00Z", number + 1), &[ONE]);
    let publish = |number: usize| {
        let file = version(number);
        web.publish("/plug.json", &file, &signed_by(&file, MAKER_CA, "CN=Maker", now()));
    };
    publish(0);
    let config = config(folder);
    let identity = Identity::new(SERVER, &config.ca);
    let checked = || GatewayState {
        checks: vec![MudCheck { url: plug(), at_ms: now() * 1000 }],
        ..answer(&[], vec![])
    };
    // A device is heard and gets its file.
    let gateway = lab.gw.enter(|| Gateway::start(config.clone()).unwrap());
    let server = Server::start(&lab.wan, at(SERVER, 8443), &identity);
    server.say(answer(&[], vec![]));
    gateway.controller().heard(&announces(mac(0), &plug()), now());
    gateway.controller().heard(&uses(mac(0), v4(0), now() + 3600), now());
    hears(&server, "the first file", &plug(), |model| has(model, &version(0)));
    drop(server);
    lab.gw.enter(|| gateway.stop());
    let mut heard = 0;
    for round in 0..KILLS {
        let process = Process::start(&lab.gw, folder);
        let server = Server::start(&lab.wan, at(SERVER, 8443), &identity);
        let next = heard + 1;
        publish(next);
        server.say(checked());
        // In the middle of it, or right after it was told.
        if round % 2 == 0 {
            hears(&server, "the next file", &plug(), |model| has(model, &version(next)));
            heard = next;
            publish(next + 1);
            server.say(checked());
        }
        drop(process);
        drop(server);
        let (_journal, saved) = Journal::open(&config.data).unwrap();
        let [model] = saved.models.as_slice() else { panic!("{:?}", saved.models.len()) };
        let base = model.base.as_ref().unwrap().file.0.clone();
        let number = (heard..=next + 1).find(|number| version(*number).into_bytes() == base);
        heard = number.unwrap_or_else(|| panic!("round {round}: none of them"));
        // The next process enforces it without any server.
        assert!(lab.devices[0].tcp(at(ONE.0, ONE.1), ANSWER), "round {round}");
        let gateway = lab.gw.enter(|| Gateway::start(config.clone()).unwrap());
        assert!(marks(&lab.gw).iter().all(|(_, _, mark)| *mark >= 16), "round {round}");
        assert!(lab.devices[0].tcp(at(ONE.0, ONE.1), ANSWER), "round {round}");
        lab.gw.enter(|| gateway.stop());
    }
}

const KILLS: usize = 4;
