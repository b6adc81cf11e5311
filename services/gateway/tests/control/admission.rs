//! Who is let in, and from where.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use gateway::Mac;
use gateway::control::{Admission, Anchors, Answer, Attested, Door, Nonces, State};
use trust::{Code, Reason};

use crate::site::{
    Finding, LIFETIME, Made, NOW, STRANGER, address, admission, anchors, answer, id, is_wide, listed, mac,
    of_device, ueid,
};

/// A door to a state without a kernel behind it.
struct Site(Mutex<State>);

impl Door for Site {
    fn admit(&self, shown: Attested, mac: Mac, address: IpAddr, now: i64) -> Result<(), Reason> {
        self.0.lock().unwrap().admit(shown, mac, address, now)
    }

    fn anchors(&self) -> Anchors {
        self.0.lock().unwrap().anchors().clone()
    }
}

/// The neighbour table: every address of the LAN has the MAC of its last octet.
fn neighbour(address: IpAddr) -> Option<Mac> {
    match address {
        IpAddr::V4(v4) if v4.octets()[..3] == [10, 77, 0] => Some(mac(v4.octets()[3])),
        IpAddr::V6(v6) => Some(mac(v6.octets()[15])),
        IpAddr::V4(_) => None,
    }
}

struct Lobby {
    site: Arc<Site>,
    admission: Admission,
    release: Made,
}

impl Lobby {
    fn new() -> Self {
        let release = Made::of("1.0.0", 1);
        let mut state = State::new(anchors());
        state.take_in(&answer(&[&release], vec![listed(1, None), listed(2, None)]), NOW);
        let site = Arc::new(Site(Mutex::new(state)));
        let admission = Admission::new(Arc::clone(&site) as Arc<dyn Door>, [7; 32], neighbour);
        Self { site, admission, release }
    }

    fn nonce(&self, source: IpAddr) -> [u8; Nonces::LENGTH] {
        match self.admission.ask(source, NOW, [1; 8]) {
            Answer::Nonce(nonce) => nonce,
            other => panic!("{other:?}"),
        }
    }

    /// A device presents a result from an address.
    fn come(&self, index: u8, result: &[u8], source: IpAddr, now: i64) -> Option<Code> {
        let Answer::Nonce(nonce) = self.admission.ask(source, now, now.to_be_bytes()) else {
            panic!("a nonce")
        };
        refusal(self.admission.present(
            source,
            &admission(of_device(index), &nonce, &ueid(index), result),
            now,
        ))
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.site.0.lock().unwrap())
    }
}

fn refusal(answer: Answer) -> Option<Code> {
    match answer {
        Answer::Admitted => None,
        Answer::Refused(reason) => Some(reason.code),
        Answer::Nonce(_) => panic!("not an answer to a message"),
    }
}

#[test]
fn a_device_is_admitted_by_its_result_its_key_and_a_fresh_nonce() {
    type Row = (&'static str, Box<dyn Fn(&Lobby) -> Vec<u8>>, Option<Code>);
    let result = |lobby: &Lobby| Finding::good(1, &lobby.release).signed();
    let finding = |change: fn(Finding) -> Finding| {
        move |lobby: &Lobby| {
            let result = change(Finding::good(1, &lobby.release)).signed();
            admission(of_device(1), &lobby.nonce(address(1)), &ueid(1), &result)
        }
    };
    let rows: Vec<Row> = vec![
        ("as it should be", Box::new(finding(|good| good)), None),
        ("contraindicated", Box::new(finding(|_| Finding::bad(1))), None),
        (
            "by another verifier",
            Box::new(finding(|f| Finding { verifier: STRANGER, ..f })),
            Some(Code::ResultSigner),
        ),
        ("past its end", Box::new(finding(|f| f.at(NOW - LIFETIME))), Some(Code::EvidenceOverdue)),
        ("for no key", Box::new(finding(|f| Finding { key: None, ..f })), Some(Code::ResultBinding)),
        (
            "with the key of another",
            Box::new(finding(|f| Finding { key: Some(of_device(2)), ..f })),
            Some(Code::ResultBinding),
        ),
        (
            "a result that was overheard",
            Box::new(move |lobby| {
                admission(of_device(2), &lobby.nonce(address(1)), &ueid(1), &result(lobby))
            }),
            Some(Code::ResultBinding),
        ),
        (
            "under the name of another",
            Box::new(move |lobby| {
                admission(of_device(1), &lobby.nonce(address(1)), &ueid(2), &result(lobby))
            }),
            Some(Code::ResultBinding),
        ),
        (
            "with a nonce of its own",
            Box::new(move |lobby| admission(of_device(1), &[7; 32], &ueid(1), &result(lobby))),
            Some(Code::ReplayedNonce),
        ),
        (
            "with a nonce for another address",
            Box::new(move |lobby| {
                admission(of_device(1), &lobby.nonce(address(2)), &ueid(1), &result(lobby))
            }),
            Some(Code::ReplayedNonce),
        ),
        ("nothing", Box::new(|_| Vec::new()), Some(Code::MalformedObject)),
        ("a result alone", Box::new(move |lobby| result(lobby)), Some(Code::MalformedObject)),
    ];
    for (name, message, refused) in rows {
        let lobby = Lobby::new();
        let answer = lobby.admission.present(address(1), &message(&lobby), NOW);
        assert_eq!(refusal(answer), refused, "{name}");
        let bound = lobby.with(|state| state.holder(address(1)).cloned());
        assert_eq!(bound, refused.is_none().then(|| id(1)), "{name}");
    }
}

#[test]
fn a_message_is_good_once() {
    let lobby = Lobby::new();
    let result = Finding::good(1, &lobby.release).signed();
    let message = admission(of_device(1), &lobby.nonce(address(1)), &ueid(1), &result);
    assert_eq!(refusal(lobby.admission.present(address(1), &message, NOW)), None);
    assert_eq!(refusal(lobby.admission.present(address(1), &message, NOW)), Some(Code::ReplayedNonce));
}

#[test]
fn admission_opens_what_the_decision_gives_and_no_more() {
    let lobby = Lobby::new();
    assert_eq!(lobby.come(1, &Finding::good(1, &lobby.release).signed(), address(1), NOW), None);
    assert!(lobby.with(|state| is_wide(&state.assess(&id(1), NOW))));
    assert_eq!(lobby.come(2, &Finding::bad(2).signed(), address(2), NOW), None);
    assert!(!lobby.with(|state| is_wide(&state.assess(&id(2), NOW))));

    // The server knew something newer than what the device shows.
    let bad = Finding::bad(1).at(NOW + 1).signed();
    lobby.with(|state| state.take_in(&answer(&[&lobby.release], vec![listed(1, Some(&bad))]), NOW + 1));
    assert_eq!(lobby.come(1, &Finding::good(1, &lobby.release).signed(), address(1), NOW + 1), None);
    assert!(!lobby.with(|state| is_wide(&state.assess(&id(1), NOW + 1))));
}

#[test]
fn the_first_key_of_a_device_is_the_only_one() {
    let lobby = Lobby::new();
    // Before anybody was admitted, results for another key may have come; they do not count.
    let cloned = Finding { key: Some(of_device(2)), ..Finding::good(1, &lobby.release) }.at(NOW + 5);
    lobby.with(|state| {
        state.take_in(&answer(&[&lobby.release], vec![listed(1, Some(&cloned.signed()))]), NOW + 5);
    });
    assert_eq!(lobby.come(1, &Finding::bad(1).signed(), address(1), NOW), None);
    assert!(!lobby.with(|state| is_wide(&state.assess(&id(1), NOW + 5))));

    let nonce = lobby.nonce(address(3));
    let message = admission(of_device(2), &nonce, &ueid(1), &cloned.signed());
    assert_eq!(refusal(lobby.admission.present(address(3), &message, NOW + 5)), Some(Code::ResultBinding));
    assert_eq!(lobby.with(|state| state.holder(address(3)).cloned()), None);
}

#[test]
fn a_device_has_the_addresses_from_which_it_spoke() {
    let lobby = Lobby::new();
    let result = Finding::good(1, &lobby.release).signed();
    let second: IpAddr = "2001:db8:77::1".parse().unwrap();
    assert_eq!(lobby.come(1, &result, address(1), NOW), None);
    assert_eq!(lobby.come(1, &result, second, NOW), None);
    lobby.with(|state| assert_eq!(state.place(&id(1)).unwrap(), (mac(1), vec![address(1), second])));

    // From another interface nothing of this holds any more.
    assert_eq!(lobby.come(1, &result, address(4), NOW), None);
    lobby.with(|state| {
        assert_eq!(state.place(&id(1)).unwrap(), (mac(4), vec![address(4)]));
        assert_eq!(state.holder(second), None);
    });
    assert_eq!(
        lobby.come(1, &result, "192.0.2.1".parse().unwrap(), NOW),
        Some(Code::ResultBinding),
        "not on the link"
    );

    for index in 0..=State::MAX_ADDRESSES {
        let address: IpAddr = format!("2001:db8:77::{index:x}:4").parse().unwrap();
        assert_eq!(lobby.come(1, &result, address, NOW), None);
    }
    lobby.with(|state| {
        assert_eq!(state.place(&id(1)).unwrap().1.len(), State::MAX_ADDRESSES);
        assert_eq!(state.holder(address(4)), None, "the oldest made room");
    });
}

#[test]
fn an_address_belongs_to_its_device_while_its_result_lasts() {
    let lobby = Lobby::new();
    let result = Finding::good(1, &lobby.release).signed();
    assert_eq!(lobby.come(1, &result, address(1), NOW), None);
    let last = NOW + LIFETIME - 1;
    let other = |now| Finding::good(2, &lobby.release).at(now).signed();
    assert_eq!(lobby.come(2, &other(last), address(1), last), Some(Code::ResultBinding));
    assert_eq!(lobby.come(2, &other(last + 1), address(1), last + 1), None);
    lobby.with(|state| {
        assert_eq!(state.holder(address(1)), Some(&id(2)));
        assert_eq!(state.place(&id(1)), None);
    });
}
