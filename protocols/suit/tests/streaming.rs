//! Envelopes that lie elsewhere: the head is read, payloads are found, and transfers go on where they broke off.

mod support;

use cbor::{Reason, Writer};
use sextant_suit::{
    Condition, Envelope, EnvelopeIndex, EnvelopeReader, Error, FailureKind, Procedure, Processor, Section,
    limits::{MAX_ENVELOPE_LEN, MAX_PAYLOADS, MAX_URI_LEN},
};
use support::{Device, IMAGE, build, component, key, one_author, recipe};

/// A signed release with these payloads.
fn release(payloads: &[(&str, &[u8])]) -> Vec<u8> {
    let mut envelope = build(&recipe(1).manifest().expect("a manifest"));
    envelope.sign(&key(1), Some(&[1]));
    for (uri, payload) in payloads {
        envelope.payload(uri, payload);
    }
    envelope.to_bytes()
}

/// Reads an envelope in pieces of at most this size, and says how many bytes were asked for.
fn read_in_pieces(envelope: &[u8], most: usize) -> Result<(EnvelopeIndex, usize), Error> {
    let mut reader = EnvelopeReader::new(envelope.len() as u64);
    let mut asked = 0;
    while let Some((offset, count)) = reader.wanted() {
        let start = offset as usize;
        let end = (start + count.min(most)).min(envelope.len());
        asked += end - start;
        reader.take(&envelope[start..end])?;
    }
    reader.finish().map(|index| (index, asked))
}

#[test]
fn the_head_is_the_envelope_without_its_payloads_and_payloads_are_found_where_they_are() {
    let large = vec![7; 300_000];
    let payloads: [(&str, &[u8]); 4] =
        [("#a", b"first"), ("#empty", b""), ("#fw", &large), ("https://example.com/x", b"last")];
    let envelope = release(&payloads);
    let stripped = Envelope::decode(&envelope).expect("decodes").strip_payloads();
    for most in [1, 2, 7, 100, 4096, 1 << 20] {
        let (index, asked) = read_in_pieces(&envelope, most).expect("an envelope");
        assert_eq!(index.head(), stripped);
        assert_eq!(index.payloads().len(), payloads.len());
        for (uri, payload) in payloads {
            let found = index.payload(uri).expect("a payload");
            let range = found.offset as usize..(found.offset + found.len) as usize;
            assert_eq!(&envelope[range], payload, "{uri}");
        }
        assert!(asked < stripped.len() + 3 * 4096, "{asked} bytes were read of {}", envelope.len());
    }
    assert_eq!(EnvelopeIndex::of(&envelope).expect("an envelope"), read_in_pieces(&envelope, 9).unwrap().0);
    assert!(Envelope::decode(&stripped).expect("decodes").verify(&one_author()).is_ok());
}

/// An envelope of raw entries in the order given.
fn raw(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    Writer::encode(|w| {
        w.tag(107).map(entries.len());
        for (key, value) in entries {
            w.raw(key).raw(value);
        }
    })
}

fn int(value: i64) -> Vec<u8> {
    Writer::encode(|w| {
        w.int(value);
    })
}

fn text(value: &str) -> Vec<u8> {
    Writer::encode(|w| {
        w.text(value);
    })
}

fn bytes(len: usize) -> Vec<u8> {
    Writer::encode(|w| {
        w.bytes(&vec![0; len]);
    })
}

#[test]
fn wrong_order_duplicates_lengths_and_trailing_bytes_are_refused_whatever_the_pieces() {
    let head = || vec![(int(2), bytes(10)), (int(3), bytes(10))];
    let with = |more: Vec<(Vec<u8>, Vec<u8>)>| raw(&[head(), more].concat());
    let good = with(vec![(text("#a"), bytes(3)), (text("#b"), bytes(0))]);
    let many = |count: usize| with((0..count).map(|n| (text(&format!("#{n:02}")), bytes(1))).collect());
    let mut indefinite = raw(&head());
    indefinite[2] = 0xbf;
    let cut_in_payload = &good[..good.len() - 5];
    let legacy = [&[0xd9, 0x04, 0x2e], &good[2..]].concat();
    // What it is, its bytes, and whether it is refused, for a reason where it has one.
    type Row = (&'static str, Vec<u8>, Option<Option<Reason>>);
    let rows: Vec<Row> = vec![
        ("as it should be", good.clone(), None),
        ("no tag", good[2..].to_vec(), None),
        ("a trailing byte", [good.clone(), vec![0]].concat(), Some(Some(Reason::TrailingBytes))),
        ("a byte missing", good[..good.len() - 1].to_vec(), Some(Some(Reason::Truncated))),
        ("cut in a payload", cut_in_payload.to_vec(), Some(None)),
        ("nothing", Vec::new(), Some(Some(Reason::Truncated))),
        ("no entries", raw(&[]), Some(None)),
        ("a payload before the manifest", raw(&[(text("#a"), bytes(1)), (int(2), bytes(1))]), Some(None)),
        ("a member twice", with(vec![(int(3), bytes(1))]), Some(Some(Reason::DuplicateKey))),
        (
            "a payload twice",
            with(vec![(text("#a"), bytes(1)), (text("#a"), bytes(1))]),
            Some(Some(Reason::DuplicateKey)),
        ),
        ("a key that is neither", with(vec![(bytes(1), bytes(1))]), Some(None)),
        ("a payload that is no byte string", with(vec![(text("#a"), int(1))]), Some(None)),
        ("indefinite", indefinite, Some(Some(Reason::IndefiniteLength))),
        ("an old draft", legacy, Some(None)),
        ("as many payloads as may be", many(MAX_PAYLOADS), None),
        ("one more", many(MAX_PAYLOADS + 1), Some(Some(Reason::TooLong { limit: MAX_PAYLOADS }))),
        ("the longest key", with(vec![(text(&"a".repeat(MAX_URI_LEN)), bytes(1))]), None),
        (
            "a longer one",
            with(vec![(text(&"a".repeat(MAX_URI_LEN + 1)), bytes(1))]),
            Some(Some(Reason::TooLong { limit: MAX_URI_LEN })),
        ),
        (
            "a much longer one",
            with(vec![(text(&"a".repeat(70_000)), bytes(1))]),
            Some(Some(Reason::TooLong { limit: MAX_URI_LEN })),
        ),
        // Tag, map, two keys, the short member and the heads of both.
        ("the largest head", raw(&[(int(2), bytes(10)), (int(3), bytes(MAX_ENVELOPE_LEN - 21))]), None),
        (
            "a larger one",
            raw(&[(int(2), bytes(10)), (int(3), bytes(MAX_ENVELOPE_LEN - 17))]),
            Some(Some(Reason::TooLong { limit: MAX_ENVELOPE_LEN })),
        ),
    ];
    for (name, envelope, wanted) in rows {
        for most in [1, 3, 4096, usize::MAX >> 1] {
            match (read_in_pieces(&envelope, most), wanted) {
                (Ok(_), None) => {}
                (Err(Error::Malformed(error)), Some(reason)) => {
                    assert!(reason.is_none_or(|reason| reason == error.reason), "{name}: {error:?}");
                }
                (Err(Error::Unsupported { .. }), Some(None)) => {}
                (result, _) => panic!("{name} in pieces of {most}: {result:?}"),
            }
        }
    }
}

#[test]
fn a_declared_length_of_anything_allocates_nothing() {
    // A member of 2^60 bytes, and an envelope said to be large enough for it.
    let mut bytes = Writer::encode(|w| {
        w.tag(107).map(1).int(2);
    });
    bytes.extend_from_slice(&[0x5b, 0x10, 0, 0, 0, 0, 0, 0, 0]);
    let mut reader = EnvelopeReader::new(u64::MAX);
    let Err(Error::Malformed(error)) = reader.take(&bytes) else { panic!("taken") };
    assert_eq!(error.reason, Reason::TooLong { limit: MAX_ENVELOPE_LEN });
    // A payload of 2^60 bytes is only passed over.
    let mut reader = EnvelopeReader::new(1 << 61);
    let head = Writer::encode(|w| {
        w.tag(107).map(2).text("#a");
    });
    reader.take(&[head.as_slice(), &[0x5b, 0x10, 0, 0, 0, 0, 0, 0, 0]].concat()).expect("is passed over");
    assert_eq!(reader.wanted(), Some(((1 << 60) + 15, 4096)));
}

/// Runs the release with the payload left elsewhere.
fn run(device: &mut Device) -> Result<(), FailureKind> {
    let index = EnvelopeIndex::of(&release(&[("#fw", IMAGE)])).expect("an envelope");
    let verified = Envelope::decode(index.head()).expect("decodes").verify(&one_author()).expect("verifies");
    let report = Processor::new(&verified, device).expect("is admitted").run(Procedure::Update);
    report.map(|_| ()).map_err(|failure| failure.kind)
}

fn device_with(payload: &[u8]) -> Device {
    let mut device = Device::new(&[component("fw")]);
    device.left.insert("#fw".into(), payload.to_vec());
    device
}

#[test]
fn a_payload_that_was_left_elsewhere_is_transferred_from_there() {
    let mut device = device_with(IMAGE);
    assert_eq!(run(&mut device), Ok(()));
    assert_eq!(device.content(&component("fw")), Some(IMAGE));
    let mut none = Device::new(&[component("fw")]);
    assert_eq!(run(&mut none), Err(FailureKind::PayloadMissing));
    let longer = [IMAGE, b"!"].concat();
    let wrong = FailureKind::TooLarge { limit: IMAGE.len() as u64 };
    let mut device = device_with(&longer);
    assert_eq!(run(&mut device), Err(wrong));
    assert!(device.log.is_empty(), "refused before anything is opened: {:?}", device.log);
}

#[test]
fn a_transfer_goes_on_where_it_broke_off_and_begins_again_where_that_led_to_nothing() {
    let fw = component("fw");
    for kept in [1, 8, IMAGE.len() - 1, IMAGE.len()] {
        let mut device = device_with(IMAGE);
        device.retained.insert(fw.clone(), IMAGE[..kept].to_vec());
        assert_eq!(run(&mut device), Ok(()), "{kept} bytes kept");
        assert_eq!(device.content(&fw), Some(IMAGE));
        assert_eq!(device.received, (IMAGE.len() - kept) as u64, "nothing came twice");
        // What was kept is of something else: all of it comes once more.
        let mut device = device_with(IMAGE);
        device.retained.insert(fw.clone(), vec![0; kept]);
        assert_eq!(run(&mut device), Ok(()), "{kept} wrong bytes kept");
        assert_eq!(device.content(&fw), Some(IMAGE));
        assert_eq!(device.received, (2 * IMAGE.len() - kept) as u64);
    }
    // More than the image is never gone on from.
    let mut device = device_with(IMAGE);
    device.retained.insert(fw.clone(), vec![0; IMAGE.len() + 1]);
    assert_eq!(run(&mut device), Ok(()));
    assert!(!device.log.iter().any(|line| line.starts_with("resumed")));
    // A source that is wrong altogether is read twice and then refused.
    let wrong: Vec<u8> = IMAGE.iter().map(|byte| byte ^ 1).collect();
    let mut device = device_with(&wrong);
    device.retained.insert(fw, IMAGE[..5].to_vec());
    assert_eq!(run(&mut device), Err(FailureKind::NotMet(Condition::ImageMatch)));
    assert_eq!(device.received, (2 * IMAGE.len() - 5) as u64);
}

#[test]
fn only_a_fetch_into_a_component_resumes() {
    let mut manifest = recipe(1).manifest().expect("a manifest");
    manifest.section(
        Section::Install,
        support::seq()
            .override_parameters(&[sextant_suit::Parameter::Content(IMAGE)])
            .directive(sextant_suit::Directive::Write, support::ALWAYS),
    );
    let bytes = support::signed(&manifest);
    let mut device = Device::new(&[component("fw")]);
    device.retained.insert(component("fw"), IMAGE[..5].to_vec());
    let verified = Envelope::decode(&bytes).expect("decodes").verify(&one_author()).expect("verifies");
    let report = Processor::new(&verified, &mut device).expect("is admitted").run(Procedure::Update);
    assert!(report.is_ok(), "{report:?}");
    assert!(!device.log.iter().any(|line| line.starts_with("resumed")));
}
