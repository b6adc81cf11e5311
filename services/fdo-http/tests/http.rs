//! All protocols over HTTP against the other side on loopback, which misbehaves at every message in every way.

mod common;

use std::time::{Duration, Instant};

use common::{
    ENCODING, Party, directive, es256, http,
    http::Misbehaviour::{self, *},
    next_owner, owner,
};
use crypto::{Digest, HashAlgorithm, Zeroizing};
use fdo::{
    Binding, Credential, DeviceChain, DeviceInfo, Failure, Guid, Instruction, KeyType, Pins, Protocol,
    Refusal, RendezvousInfo, Signer as _, SoftSecrets, Target, Unusable, Voucher,
    device::{Outcome, To2Options},
    service_info::{DeviceEngine, modules::Devmod},
};
use sextant_fdo_http::{
    Candidate, Cause, Client, Error, Finding, Limits, Registered, TlsPolicy, find_owner, make_device,
    onboard, register, register_everywhere,
};
use x509::CertificationRequestBuilder;

struct Device {
    secrets: SoftSecrets,
    credential: Credential,
}

fn secrets() -> SoftSecrets {
    SoftSecrets { key: es256(60), hmac_secret: Zeroizing::new(b"secret of the device".to_vec()) }
}

fn info(secrets: &SoftSecrets) -> DeviceInfo {
    let request = CertificationRequestBuilder::new("CN=1".parse().unwrap(), secrets.key.public_key());
    DeviceInfo {
        key_type: KeyType::Secp256r1,
        encoding: ENCODING,
        serial: "1".into(),
        info: "camera".into(),
        request: request.sign(&secrets.key).unwrap().as_der().to_vec(),
    }
}

fn made(client: &Client, party: &Party) -> Result<Device, Error> {
    let secrets = secrets();
    let credential = make_device(client, &party.target, info(&secrets), &secrets)?;
    Ok(Device { secrets, credential })
}

/// The owner tells the party's rendezvous server that it is at the party's owner server.
fn registered(client: &Client, party: &Party, device: &Device) -> Result<u32, Error> {
    let voucher = party.voucher(&device.credential.guid);
    let owner = owner();
    let owned = Voucher::decode(&voucher).unwrap().claim(&owner.key(), DeviceChain::OfManufacturer).unwrap();
    let addresses = [party.address()];
    register(client, &party.target, &Pins::default(), &owned, &addresses, 3600, &owner)
}

fn candidates(client: &Client, device: &Device) -> Vec<Finding> {
    find_owner(client, &device.credential, &device.secrets).collect()
}

fn first_candidate(client: &Client, device: &Device) -> Result<Candidate, Error> {
    match find_owner(client, &device.credential, &device.secrets).next() {
        Some(Finding::Candidate(candidate)) => Ok(candidate),
        Some(Finding::Failed(error)) => Err(*error),
        other => panic!("{other:?}"),
    }
}

/// How it ended, and what the session had.
fn taken_over(
    client: &Client,
    device: &Device,
    candidate: &Candidate,
) -> Result<(Outcome, Option<Binding>), Error> {
    let options = To2Options { reuse: true, ..To2Options::for_credential(&device.credential).unwrap() };
    let devmod = Devmod { os: "linux".into(), ..Devmod::default() };
    let mut engine = DeviceEngine::new(&devmod, Vec::new()).unwrap();
    let Device { secrets, credential } = device;
    let mut binding = None;
    let mut bound = |found: &Binding| assert!(binding.replace(*found).is_none(), "once");
    let outcome = onboard(client, candidate, credential, options, secrets, &mut engine, &mut bound)?;
    Ok((outcome, binding))
}

/// Limits that a test has the patience for.
fn hasty() -> Client {
    let limits = Limits {
        connect: Duration::from_millis(500),
        stall: Duration::from_millis(500),
        exchange: Duration::from_secs(1),
        session: Duration::from_secs(20),
    };
    Client { tls: TlsPolicy::AnyCertificate, limits }
}

#[test]
fn a_device_is_made_found_and_taken_over_over_http_and_https() {
    for party in [Party::start(), Party::with_tls()] {
        let client = Client::default();
        let device = made(&client, &party).unwrap();
        assert_eq!(registered(&client, &party, &device).unwrap(), 600);
        let next = RendezvousInfo { directives: vec![directive(&party.target, &[])] };
        party.state().becomes = Some((Guid([7; 16]), next));
        let candidate = first_candidate(&client, &device).unwrap();
        assert_eq!(candidate.target.to_string(), party.target.to_string());
        let (outcome, binding) = taken_over(&client, &device, &candidate).unwrap();
        let Outcome::Replaced(credential) = outcome else { panic!("it has another credential") };
        assert_eq!(credential.guid, Guid([7; 16]));
        assert!(binding.is_some());
        let state = party.state();
        let expected = [10, 12, 20, 22, 30, 32, 60, 62, 64, 66, 68, 70];
        assert_eq!((state.received.as_slice(), state.errors.len()), (&expected[..], 0));
        // The voucher that the owner has now is of what the device became.
        let voucher = state.finished[0].as_ref().unwrap();
        let voucher = Voucher::decode(voucher).unwrap();
        assert_eq!((voucher.header().guid, voucher.owner().key()), (credential.guid, &next_owner().key()));
    }
}

#[test]
fn an_owner_may_leave_the_credential_as_it_is() {
    let (party, client) = (Party::start(), Client::default());
    let device = made(&client, &party).unwrap();
    registered(&client, &party, &device).unwrap();
    let candidate = first_candidate(&client, &device).unwrap();
    assert_eq!(taken_over(&client, &device, &candidate).unwrap().0, Outcome::Reused);
}

/// The requests of one protocol, each of which is led through with the party.
type Request = fn(&Client, &Party, &Device) -> Result<(), Error>;

fn requests() -> [(&'static [u8], Request); 4] {
    let di: Request = |client, party, _| made(client, party).map(|_| ());
    let to0: Request = |client, party, device| registered(client, party, device).map(|_| ());
    let to1: Request = |client, _, device| first_candidate(client, device).map(|_| ());
    let to2: Request = |client, party, device| {
        let (target, pins) = (party.target.clone(), Pins::default());
        taken_over(client, device, &Candidate { target, redirect: None, pins }).map(|_| ())
    };
    [(&[10, 12], di), (&[20, 22], to0), (&[30, 32], to1), (&[60, 62, 64, 66, 68, 70], to2)]
}

#[test]
fn whatever_goes_wrong_at_any_message_ends_it_with_its_reason_and_the_next_attempt_succeeds() {
    let (party, client) = (Party::start(), hasty());
    let device = made(&client, &party).unwrap();
    registered(&client, &party, &device).unwrap();
    // What is wrong, its code, and whether the other side was told.
    let rows: [(Misbehaviour, &str, bool); 14] = [
        (Garbage, "", true),
        (Longest, "", true),
        (TooLong, "answer-too-long", true),
        (Endless, "answer-too-long", true),
        (WrongType, "message-out-of-order", true),
        (NoType, "answer-without-type", true),
        (OddType, "answer-without-type", true),
        (Drop, "connection-lost", false),
        (Cut, "connection-lost", false),
        (NotHttp, "answer-malformed", false),
        (Redirect, "http-status", false),
        (Error(500, true), "peer-gave-up", false),
        (Error(404, false), "peer-gave-up", false),
        (Status(502), "http-status", false),
    ];
    let mut tried = 0;
    for (messages, request) in requests() {
        for number in messages {
            for (wrong, code, told) in rows {
                let what = format!("{wrong:?} at {number}");
                party.state().wrong = Some((*number, wrong, 1));
                party.state().errors.clear();
                let error = request(&client, &party, &device).expect_err(&what);
                assert_eq!((error.message.number(), &error.target), (*number, &party.target), "{what}");
                assert_eq!(error.protocol, error.message.protocol().unwrap(), "{what}");
                let expected = if code.is_empty() { error.code() } else { code };
                assert_eq!(error.code(), expected, "{what}: {error:?}");
                if code.is_empty() {
                    let known = ["malformed-message", "unauthentic-message", "unsupported-message"];
                    assert!(known.contains(&error.code()), "{what}: {error:?}");
                }
                let state = party.state();
                // Who never got a token, or not with this answer, has nobody to tell.
                let has_token = !messages.starts_with(&[*number]) || !matches!(wrong, Endless);
                if told && has_token {
                    assert_eq!(state.errors.len(), 1, "{what}");
                    assert!(
                        !state.errors[0].text.contains(' '),
                        "a code and no more: {}",
                        state.errors[0].text
                    );
                }
                if !told {
                    assert_eq!(state.errors.len(), 0, "{what}");
                }
                drop(state);
                request(&client, &party, &device).unwrap_or_else(|error| panic!("after {what}: {error:?}"));
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 12 * rows.len());
}

#[test]
fn a_server_that_takes_too_long_is_left_at_any_message() {
    let (party, client) = (Party::start(), hasty());
    let device = made(&client, &party).unwrap();
    registered(&client, &party, &device).unwrap();
    for (messages, request) in requests() {
        let number = messages.last().unwrap();
        for wrong in [Silent, Trickle] {
            party.state().wrong = Some((*number, wrong, 1));
            let error = request(&client, &party, &device).expect_err("too slow");
            assert_eq!((error.code(), error.message.number()), ("server-too-slow", *number), "{wrong:?}");
        }
    }
    // However it goes on, a session has an end.
    let limits = Limits { session: Duration::ZERO, ..hasty().limits };
    let error = made(&Client { limits, ..hasty() }, &party).err().unwrap();
    assert_eq!(error.code(), "server-too-slow");
    let before = Instant::now();
    let mute = Candidate { target: http::mute(), redirect: None, pins: Pins::default() };
    let error = taken_over(&client, &device, &mute).err().unwrap();
    assert_eq!(error.code(), "server-too-slow", "{error:?}");
    assert!(
        before.elapsed() < Duration::from_secs(30),
        "it was left for the limit and not for another reason"
    );
}

fn sha256(certificate: &[u8]) -> Digest {
    Digest::of(HashAlgorithm::Sha256, certificate)
}

#[test]
fn certificates_are_those_that_are_pinned_or_anchored() {
    let party = Party::with_tls();
    let (leaf, authority) = (sha256(&party.certificate), sha256(&party.authority));
    let other = sha256(b"another");
    let any = Client::default();
    let anchored = |der: &[u8]| Client { tls: TlsPolicy::Anchors(vec![der.to_vec()]), ..Client::default() };
    let pins = |server, authority| Pins { server, authority };
    let device = made(&any, &party).unwrap();
    let no_pins = Pins::default();
    let rows = [
        (&any, no_pins.clone(), None),
        (&any, pins(Some(leaf), None), None),
        (&any, pins(None, Some(authority)), None),
        (&any, pins(Some(leaf), Some(authority)), None),
        (&any, pins(Some(other), None), Some("certificate-not-pinned")),
        (&any, pins(None, Some(other)), Some("certificate-not-pinned")),
        // Its own certificate is not its authority's.
        (&any, pins(None, Some(leaf)), Some("certificate-not-pinned")),
        (&any, pins(Some(leaf), Some(other)), Some("certificate-not-pinned")),
        (&any, pins(Some(other), Some(authority)), Some("certificate-not-pinned")),
        (&anchored(&party.authority), no_pins.clone(), None),
        (&anchored(&party.authority), pins(Some(leaf), None), None),
        (&anchored(&party.authority), pins(Some(other), None), Some("certificate-not-pinned")),
        (&anchored(&Party::with_tls().authority), no_pins, Some("tls-failed")),
        (&anchored(&Party::with_tls().authority), pins(Some(leaf), None), Some("tls-failed")),
    ];
    for (client, pins, expected) in rows {
        let candidate = Candidate { target: party.target.clone(), redirect: None, pins };
        let code = taken_over(client, &device, &candidate).err().map(|error| error.code());
        assert_eq!(code, expected, "{:?} {:?}", client.tls, candidate.pins);
    }
}

#[test]
fn pins_and_anchors_are_never_passed_over_for_want_of_tls() {
    let party = Party::start();
    let device = made(&Client::default(), &party).unwrap();
    let pins = Pins { server: Some(sha256(b"certificate")), authority: None };
    let candidate = |pins| Candidate { target: party.target.clone(), redirect: None, pins };
    let received = party.state().received.len();
    let anchored = Client { tls: TlsPolicy::Anchors(Vec::new()), ..Client::default() };
    let rows = [(Client::default(), candidate(pins)), (anchored, candidate(Pins::default()))];
    for (client, candidate) in rows {
        let error = taken_over(&client, &device, &candidate).err().unwrap();
        assert_eq!(error.code(), "tls-needed");
    }
    assert_eq!(party.state().received.len(), received, "nothing was sent");
}

fn finding(finding: &Finding) -> String {
    match finding {
        Finding::Candidate(candidate) => {
            format!(
                "{} {}",
                candidate.target,
                if candidate.redirect.is_some() { "redirected" } else { "told" }
            )
        }
        Finding::Failed(error) => format!("{} {}", error.target, error.code()),
        Finding::Unusable { directive, reason } => format!("{directive} {}", reason.code()),
        Finding::Wait { directive, seconds } => format!("{directive} wait {seconds}"),
    }
}

#[test]
fn the_search_goes_through_all_directives_and_says_what_came_of_each() {
    let (party, other, client) = (Party::start(), Party::start(), Client::default());
    let gone = http::nowhere();
    let delayed = |target: &Target, more: &[Instruction], seconds| {
        let mut directive = directive(target, more);
        directive.instructions.retain(|instruction| !matches!(instruction, Instruction::Delay(_)));
        directive.instructions.push(Instruction::Delay(seconds));
        directive
    };
    let mut coap = directive(&gone, &[]);
    coap.instructions.retain(|instruction| !matches!(instruction, Instruction::Protocol(_)));
    coap.instructions.push(Instruction::Protocol(Protocol::CoapUdp));
    let directives = vec![
        directive(&gone, &[Instruction::OwnerOnly]),
        delayed(&gone, &[], 5),
        coap,
        delayed(&other.target, &[], 6),
        delayed(&gone, &[Instruction::Bypass], 7),
        delayed(&party.target, &[], 8),
    ];
    party.state().rendezvous = RendezvousInfo { directives };
    let device = made(&client, &party).unwrap();
    registered(&client, &party, &device).unwrap();
    let found: Vec<String> = candidates(&client, &device).iter().map(finding).collect();
    let expected = [
        format!("{gone} server-unreachable"),
        "1 wait 5".into(),
        "2 rendezvous-protocol-unsupported".into(),
        format!("{} peer-gave-up", other.target),
        "3 wait 6".into(),
        format!("{gone} told"),
        "4 wait 7".into(),
        format!("{} redirected", party.target),
        "5 wait 8".into(),
    ];
    assert_eq!(found, expected);
    // Nobody is asked before it is needed.
    let before = party.state().received.len();
    let mut search = find_owner(&client, &device.credential, &device.secrets);
    while !matches!(search.next(), Some(Finding::Candidate(_))) {}
    assert_eq!(party.state().received.len(), before);
}

#[test]
fn an_owner_registers_by_every_directive_of_the_voucher_and_says_what_came_of_each() {
    let (party, client) = (Party::start(), Client::default());
    let gone = http::nowhere();
    let mut coap = directive(&gone, &[]);
    coap.instructions.retain(|instruction| !matches!(instruction, Instruction::Protocol(_)));
    coap.instructions.push(Instruction::Protocol(Protocol::CoapUdp));
    let directives = vec![
        directive(&gone, &[Instruction::DeviceOnly]),
        directive(&gone, &[]),
        coap,
        directive(&gone, &[Instruction::Bypass]),
        directive(&party.target, &[]),
    ];
    party.state().rendezvous = RendezvousInfo { directives };
    let device = made(&client, &party).unwrap();
    let (guid, owner) = (device.credential.guid, owner());
    let voucher = party.voucher(&guid);
    let owned = Voucher::decode(&voucher).unwrap().claim(&owner.key(), DeviceChain::OfManufacturer).unwrap();
    let outcomes = register_everywhere(&client, &owned, &[party.address()], 3600, &owner);
    let told: Vec<String> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Registered::Remembered { target, seconds } => format!("{target} {seconds}"),
            Registered::Failed(error) => format!("{} {}", error.target, error.code()),
            Registered::Unusable { directive, reason } => format!("{directive} {}", reason.code()),
        })
        .collect();
    let expected = [
        format!("{gone} server-unreachable"),
        "2 rendezvous-protocol-unsupported".into(),
        // No longer than the server likes.
        format!("{} 600", party.target),
    ];
    assert_eq!(told, expected);
    assert_eq!(party.state().registrations[&guid].wait_seconds, 3600);
}

#[test]
fn a_rendezvous_server_that_lies_costs_time_only() {
    let (party, liar, client) = (Party::start(), Party::start(), Client::default());
    let directives = vec![directive(&liar.target, &[]), directive(&party.target, &[])];
    party.state().rendezvous = RendezvousInfo { directives };
    let device = made(&client, &party).unwrap();
    registered(&client, &party, &device).unwrap();
    // The liar knows the device and points to somebody else, who has the voucher and not the owner's key.
    let stranger = Party::start();
    let guid = device.credential.guid;
    let voucher = party.voucher(&guid);
    let attacker = es256(9);
    stranger.state().vouchers.insert(guid, voucher.clone());
    stranger.state().owner = es256(9);
    let registration = {
        let registered = &party.state().registrations[&guid];
        fdo::Registration {
            guid,
            manufacturer: registered.manufacturer.clone(),
            owner: registered.owner.clone(),
            device_key: registered.device_key.clone(),
            redirect: registered.redirect.clone(),
            wait_seconds: 60,
        }
    };
    liar.state().registrations.insert(guid, registration);
    liar.state().redirect = Some(forged_redirect(&stranger, &attacker));
    let mut codes = Vec::new();
    let outcome = find_owner(&client, &device.credential, &device.secrets).find_map(|finding| {
        let Finding::Candidate(candidate) = finding else { return None };
        match taken_over(&client, &device, &candidate) {
            Ok((outcome, _)) => Some(outcome),
            Err(error) => {
                codes.push(error.code());
                None
            }
        }
    });
    assert_eq!((outcome, codes), (Some(Outcome::Reused), vec!["peer-gave-up"]));
    // The owner itself is not believed where somebody else says that it is there.
    let (target, pins) = (party.target.clone(), Pins::default());
    let redirect = Some(forged_redirect(&party, &attacker));
    let error = taken_over(&client, &device, &Candidate { target, redirect, pins }).err().unwrap();
    let refused = matches!(&error.cause, Cause::Protocol(Failure::Refused(Refusal::Redirect)));
    assert!(refused, "{error:?}");
    assert_eq!(party.state().errors.last().unwrap().text, "redirect-not-by-owner");
}

/// A redirection to this party that somebody else than the owner signed: it is what an owner of another device registers.
fn forged_redirect(party: &Party, by: &crypto::SigningKey) -> Vec<u8> {
    let elsewhere = Party::start();
    let client = Client::default();
    let device = made(&client, &elsewhere).unwrap();
    let voucher = elsewhere.voucher(&device.credential.guid);
    let sold = Voucher::decode(&voucher).unwrap().extend(by.public_key()).unwrap().sign(&owner()).unwrap();
    let owned = Voucher::decode(&sold).unwrap().claim(&by.key(), DeviceChain::OfManufacturer).unwrap();
    let addresses = [party.address()];
    register(&client, &elsewhere.target, &Pins::default(), &owned, &addresses, 60, by).unwrap();
    elsewhere.state().registrations[&device.credential.guid].redirect.clone()
}

#[test]
fn addresses_of_owners_that_are_of_no_use_are_said_to_be() {
    let (party, client) = (Party::start(), Client::default());
    let device = made(&client, &party).unwrap();
    let voucher = party.voucher(&device.credential.guid);
    let owner = owner();
    let owned = Voucher::decode(&voucher).unwrap().claim(&owner.key(), DeviceChain::OfManufacturer).unwrap();
    let mut coap = party.address();
    coap.transport = fdo::Transport::Coap;
    let addresses = [coap, party.address()];
    register(&client, &party.target, &Pins::default(), &owned, &addresses, 60, &owner).unwrap();
    let found = candidates(&client, &device);
    let reason = Unusable::Transport(fdo::Transport::Coap);
    assert!(matches!(found[0], Finding::Unusable { directive: 0, reason: found } if found == reason));
    assert_eq!(finding(&found[1]), format!("{} redirected", party.target));
}

#[test]
fn errors_say_with_whom_what_failed_and_hold_no_token() {
    let (party, client) = (Party::start(), Client::default());
    let device = made(&client, &party).unwrap();
    registered(&client, &party, &device).unwrap();
    party.state().wrong = Some((32, Status(503), 1));
    let error = first_candidate(&client, &device).unwrap_err();
    let text = format!("TO1 with {} failed at TO1.ProveToRV (32)", party.target);
    assert_eq!(error.to_string(), text);
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "the answer has the status 503");
    assert!(!format!("{error:?}").contains("token"));
    assert_eq!(format!("{:?}", device.secrets), "SoftSecrets(…)");
}
