//! A real FreeRADIUS: as the access server that takes changes, and as the server that access servers ask.

use std::time::Duration;

use gateway::Mac;
use gateway::radius::{
    Answer, Attribute, DynamicAuthorization, ErrorCause, Filter, FilterRule, Prefix, RadiusError, Secret,
    Session, Way, attributes, authorize_entry,
};
use testkit::FreeRadius;

const DEVICE: Mac = Mac([0x02, 0, 0x5e, 0, 0, 1]);
/// A device that has no session.
const STRANGER: Mac = Mac([0x02, 0, 0x5e, 0, 0, 0x99]);

/// With entries of its `authorize` file.
fn start(authorize: &str) -> Option<FreeRadius> {
    let stranger = Attribute::calling_station(STRANGER);
    FreeRadius::start(None, authorize, std::str::from_utf8(stranger.value()).unwrap())
}

fn client(server: &FreeRadius) -> DynamicAuthorization {
    DynamicAuthorization {
        address: server.dynamic,
        secret: Secret::new(FreeRadius::SECRET.as_bytes()).unwrap(),
        patience: Duration::from_secs(2),
    }
}

/// The rules in what a program of FreeRADIUS prints, which joins the parts and parts the rules itself.
fn rules_in(printed: &str) -> Vec<String> {
    let rules = printed.lines().map(str::trim).filter_map(|line| line.strip_prefix("NAS-Filter-Rule = \""));
    rules.filter_map(|rule| rule.strip_suffix('"')).map(str::to_owned).collect()
}

fn session(mac: Mac) -> Session {
    Session { mac, names: vec![Attribute::new(attributes::USER_NAME, b"camera").unwrap()] }
}

/// Long enough for several attributes.
fn filter() -> Filter {
    let mut filter = Filter::blocked();
    let permits = (1..=20_u8).map(|host| FilterRule {
        protocol: Some(6),
        remote: Some(Prefix { address: [203, 0, 113, host].into(), length: 32 }),
        remote_ports: mud::Ports::one(443),
        ..FilterRule::all(true, Way::In)
    });
    filter.rules.splice(0..0, permits);
    filter
}

fn texts(filter: &Filter) -> Vec<String> {
    filter.rules.iter().map(FilterRule::to_string).collect()
}

#[test]
fn sessions_get_other_rules_and_end() {
    let Some(server) = start("") else { return };
    let (client, filter) = (client(&server), filter());
    assert_eq!(client.change(&session(DEVICE), &filter).unwrap(), Answer::Done);
    let read = server.read();
    for expected in
        ["Packet-Type = CoA-Request", "Calling-Station-Id = \"02-00-5E-00-00-01\"", "User-Name = \"camera\""]
    {
        assert!(read.contains(expected), "{expected} in\n{read}");
    }
    assert_eq!(rules_in(&read), texts(&filter));

    assert_eq!(client.change_to(&session(DEVICE), "quarantine").unwrap(), Answer::Done);
    assert!(server.read().contains("Filter-Id = \"quarantine\""));
    assert_eq!(client.disconnect(&session(DEVICE)).unwrap(), Answer::Done);
    assert!(server.read().contains("Packet-Type = Disconnect-Request"));
}

#[test]
fn a_refusal_says_why() {
    let Some(server) = start("") else { return };
    let refused = Answer::Refused(Some(ErrorCause(503)));
    assert_eq!(client(&server).change(&session(STRANGER), &Filter::blocked()).unwrap(), refused);
    assert_eq!(client(&server).disconnect(&session(STRANGER)).unwrap(), refused);
    assert_eq!(ErrorCause(503).to_string(), "session not found (503)");
}

#[test]
fn with_another_secret_nobody_answers() {
    let Some(server) = start("") else { return };
    let client = DynamicAuthorization {
        secret: Secret::new(b"another secret of this test").unwrap(),
        patience: Duration::from_millis(100),
        ..client(&server)
    };
    assert!(matches!(client.disconnect(&session(DEVICE)), Err(RadiusError::NoAnswer)));
    assert_eq!(server.read(), "");
}

#[test]
fn a_server_that_access_servers_ask_answers_with_the_rules() {
    let filter = filter();
    let entry = authorize_entry(DEVICE, &filter).unwrap();
    let Some(server) = start(&format!("{entry}\nDEFAULT Auth-Type := Accept\n")) else { return };
    let answer = server.ask("02-00-5E-00-00-01");
    assert!(answer.contains("Access-Accept"), "{answer}\n{}", server.log());
    assert_eq!(rules_in(&answer), texts(&filter));
    assert!(!server.ask("02-00-5E-00-00-02").contains("NAS-Filter-Rule"), "the rules of another device");
}
