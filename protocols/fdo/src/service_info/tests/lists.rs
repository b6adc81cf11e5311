//! Lists, what is packed into them and what is put together from them.

use cbor::Writer;
use proptest::prelude::*;

use crate::service_info::*;

/// A message with its whole value.
type Message = (String, String, Vec<u8>);

fn kv<'b>(module: &'b str, message: &'b str, value: &'b [u8]) -> KeyValue<'b> {
    KeyValue { module, message, value }
}

/// The next key/value, in which no more than one item may end.
fn next(incoming: &mut Incoming, entry: &KeyValue<'_>) -> Result<Option<Vec<u8>>, ServiceFault> {
    let mut items = incoming.receive(entry)?;
    assert!(items.len() <= 1, "one item");
    Ok(items.pop().map(|item| item.into_owned()))
}

#[test]
fn lists_are_read_and_written() {
    let rows: [(Vec<KeyValue<'_>>, &str); 3] = [
        (vec![], "80"),
        (vec![kv("devmod", "os", b"\x65Linux")], "81 82 69 6465766d6f643a6f73 46 654c696e7578"),
        (vec![kv("m", "a", &[0xf5]), kv("m", "b:c", &[])], "82 82 63 6d3a61 41 f5 82 65 6d3a623a63 40"),
    ];
    for (entries, hex) in rows {
        let bytes = testkit::hex(hex);
        assert_eq!(decode_list(&bytes).as_ref(), Ok(&entries), "{hex}");
        assert_eq!(encode_list(&entries), bytes, "{hex}");
    }
}

#[test]
fn malformed_lists_are_refused() {
    let rows = [
        ("", "service-info-malformed"),
        ("a0", "service-info-malformed"),
        ("81 81 63 6d3a61", "service-info-malformed"),
        ("81 83 63 6d3a61 41 f5 00", "service-info-malformed"),
        ("81 82 63 6d3a61 61 61", "service-info-malformed"),
        ("81 82 43 6d3a61 41 f5", "service-info-malformed"),
        ("80 00", "service-info-malformed"),
        ("82 82 63 6d3a61 41 f5", "service-info-malformed"),
        ("81 82 62 6d61 41 f5", "service-info-key"),
        ("81 82 62 3a61 41 f5", "service-info-key"),
        ("81 82 62 6d3a 41 f5", "service-info-key"),
        ("81 82 63 0a3a61 41 f5", "service-info-key"),
    ];
    for (hex, code) in rows {
        let fault = decode_list(&testkit::hex(hex)).expect_err(hex);
        assert_eq!(fault.code(), code, "{hex}");
    }
}

#[test]
fn limits_of_lists_hold_at_the_limit_and_past_it() {
    let name = "n".repeat(MAX_NAME_LEN);
    let past = "n".repeat(MAX_NAME_LEN + 1);
    let one = |module: &str, message: &str| {
        let bytes = encode_list(&[kv(module, message, &[0])]);
        decode_list(&bytes).map(|entries| entries.len())
    };
    assert_eq!(one(&name, &name), Ok(1));
    assert_eq!(one(&past, &name), Err(ServiceFault::Key));
    assert_eq!(one(&name, &past), Err(ServiceFault::Key));

    let many =
        |count| decode_list(&encode_list(&vec![kv("m", "a", &[0]); count])).map(|entries| entries.len());
    assert_eq!(many(MAX_ENTRIES), Ok(MAX_ENTRIES));
    assert_eq!(many(MAX_ENTRIES + 1), Err(ServiceFault::TooLarge { limit: MAX_ENTRIES }));

    let filled = |len: usize| {
        let empty = encode_list(&[kv("m", "a", &[0; 300])]).len() - 300;
        let bytes = encode_list(&[kv("m", "a", &vec![0; len - empty])]);
        assert_eq!(bytes.len(), len);
        decode_list(&bytes).map(|entries| entries.len())
    };
    assert_eq!(filled(MAX_LIST_LEN), Ok(1));
    assert_eq!(filled(MAX_LIST_LEN + 1), Err(ServiceFault::TooLarge { limit: MAX_LIST_LEN }));
}

#[test]
fn whole_values_are_handed_on_at_once_and_cut_ones_when_they_are_whole() {
    let value = Writer::encode(|w| _ = w.bytes(&[7; 300]));
    let mut incoming = Incoming::new(MAX_VALUE_LEN);
    assert_eq!(next(&mut incoming, &kv("m", "a", &value)).unwrap().as_deref(), Some(&value[..]));
    for piece in [1, 2, 100, 302] {
        let pieces: Vec<_> = value.chunks(piece).collect();
        let (last, first) = pieces.split_last().unwrap();
        for piece in first {
            assert_eq!(next(&mut incoming, &kv("m", "a", piece)), Ok(None));
            assert!(incoming.is_waiting());
            // Whoever does not live in between goes on as well.
            incoming = Incoming::from_bytes(&incoming.to_bytes(), MAX_VALUE_LEN).unwrap();
        }
        assert_eq!(next(&mut incoming, &kv("m", "a", last)).unwrap().as_deref(), Some(&value[..]));
        assert!(!incoming.is_waiting());
    }
}

#[test]
fn values_in_another_encoding_are_handed_on_in_the_deterministic_one() {
    let rows = [
        // A longer head; a string and an array in pieces; keys out of order.
        ("1801", "01"),
        ("1a00000001", "01"),
        ("5f 41aa 41bb ff", "42aabb"),
        ("9f 01 02 ff", "820102"),
        ("a2 0200 0100", "a2 0100 0200"),
    ];
    for (given, expected) in rows {
        let bytes = testkit::hex(given);
        let expected = testkit::hex(expected);
        for cut in 0..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            let mut incoming = Incoming::new(100);
            if !head.is_empty() {
                assert_eq!(next(&mut incoming, &kv("m", "a", head)), Ok(None), "{given} at {cut}");
            }
            let whole = next(&mut incoming, &kv("m", "a", tail)).unwrap();
            assert_eq!(whole.as_deref(), Some(&expected[..]), "{given} at {cut}");
        }
    }
}

#[test]
fn values_that_do_not_go_on_are_refused() {
    let begun = || {
        let mut incoming = Incoming::new(8);
        assert_eq!(next(&mut incoming, &kv("m", "a", &[0x43, 1])), Ok(None));
        incoming
    };
    let rows: [(&str, &str, &[u8], &str); 6] = [
        ("m", "b", &[0xf5], "service-info-interrupted"),
        ("n", "a", &[2, 3], "service-info-interrupted"),
        ("m", "a", &[], "service-info-interrupted"),
        ("m", "a", &[2, 3, 0xff], "service-info-malformed"),
        ("m", "a", &[2, 3, 4, 5, 6, 0xff], "service-info-malformed"),
        ("m", "a", &[2, 3, 4, 5, 6, 7, 8], "service-info-too-large"),
    ];
    for (module, message, value, code) in rows {
        let fault = begun().receive(&kv(module, message, value)).expect_err(code);
        assert_eq!(fault.code(), code, "{value:?}");
    }
    for (value, code) in [
        (&[][..], "service-info-malformed"),
        (&[0xf5, 0xff], "service-info-malformed"),
        (&[0xff], "service-info-malformed"),
        (&[0x61, 0xff], "service-info-malformed"),
        (&[0x47, 0, 0, 0, 0, 0, 0, 0, 0], "service-info-too-large"),
    ] {
        let fault = Incoming::new(8).receive(&kv("m", "a", value)).expect_err(code);
        assert_eq!(fault.code(), code, "{value:?}");
    }
    assert!(
        next(&mut Incoming::new(8), &kv("m", "a", &[0x47, 0, 0, 0, 0, 0, 0, 0])).is_ok_and(|v| v.is_some())
    );
}

#[test]
fn several_items_in_one_value_are_several_messages_wherever_they_are_cut() {
    let value = testkit::hex("43 6f6e65 43 74776f 5801 61");
    let expected = [testkit::hex("43 6f6e65"), testkit::hex("43 74776f"), testkit::hex("41 61")];
    for cut in 0..value.len() {
        let mut incoming = Incoming::new(100);
        let pieces = value.split_at(cut);
        let mut items = Vec::new();
        for piece in [pieces.0, pieces.1].into_iter().filter(|piece| !piece.is_empty()) {
            items.extend(
                incoming.receive(&kv("m", "a", piece)).unwrap().into_iter().map(|item| item.into_owned()),
            );
        }
        assert_eq!(items, expected, "{cut}");
        assert!(!incoming.is_waiting());
    }
    let many = |count| Incoming::new(1000).receive(&kv("m", "a", &vec![0; count])).map(|items| items.len());
    assert_eq!(many(MAX_ITEMS), Ok(MAX_ITEMS));
    assert_eq!(many(MAX_ITEMS + 1), Err(ServiceFault::TooLarge { limit: MAX_ITEMS }));
}

#[test]
fn states_that_cannot_be_are_refused() {
    // No array; a whole item that waits; nothing that waits; no key; more than the limit; a byte more.
    for hex in ["01", "82 63 6d3a61 41 f5", "82 63 6d3a61 40", "82 61 6d 42 4301", "80 00"] {
        assert_eq!(Incoming::from_bytes(&testkit::hex(hex), 8), Err(ServiceFault::State), "{hex}");
    }
    let mut incoming = Incoming::new(9);
    assert_eq!(next(&mut incoming, &kv("m", "a", &[0x58, 200, 0, 0, 0, 0, 0, 0, 0])), Ok(None));
    assert!(Incoming::from_bytes(&incoming.to_bytes(), 9).is_ok());
    assert_eq!(Incoming::from_bytes(&incoming.to_bytes(), 8), Err(ServiceFault::State));
    for hex in ["82 f5 80", "82 f4 81 82 61 6d 41 f5", "82 f4 81 82 63 6d3a61 40", "82 f4 80 00", "80"] {
        assert_eq!(Outgoing::from_bytes(&testkit::hex(hex)), Err(ServiceFault::State), "{hex}");
    }
}

#[test]
fn queue_takes_no_more_than_it_holds_and_no_other_names() {
    let overhead = encode_list(&[kv("m", "a", &[0; 70_000])]).len() - 70_000 - 1;
    let mut out = Outgoing::new();
    assert_eq!(out.push("m", "a", vec![0; MAX_QUEUED_LEN - overhead]), Ok(()));
    assert_eq!(out.push("m", "a", vec![0]), Err(ModuleFault::QueueFull));
    let mut out = Outgoing::new();
    assert_eq!(out.push("m", "a", vec![0; MAX_QUEUED_LEN - overhead + 1]), Err(ModuleFault::QueueFull));
    for (module, message) in [("", "a"), ("m", ""), ("m:n", "a"), ("m\n", "a")] {
        assert_eq!(out.push(module, message, vec![0]), Err(ModuleFault::Malformed));
    }
    assert_eq!(out.push("m", "a", vec![]), Err(ModuleFault::Malformed));
    for (budget, is_taken) in
        [(MIN_BUDGET - 1, false), (MIN_BUDGET, true), (MAX_BUDGET, true), (MAX_BUDGET + 1, false)]
    {
        assert_eq!(out.set_budget(budget).is_ok(), is_taken, "{budget}");
    }
}

#[test]
fn list_has_no_more_entries_than_are_read() {
    let mut out = Outgoing::new();
    out.set_budget(MAX_BUDGET).unwrap();
    for _ in 0..MAX_ENTRIES + 1 {
        out.push("m", "a", vec![0]).unwrap();
    }
    assert!(!out.fits());
    assert_eq!(decode_list(&out.take()).map(|entries| entries.len()), Ok(MAX_ENTRIES));
    assert_eq!(decode_list(&out.take()).map(|entries| entries.len()), Ok(1));
}

#[test]
fn value_that_fits_alone_waits_for_the_next_list_and_one_that_does_not_fills_this_one() {
    let mut out = Outgoing::new();
    out.set_budget(256).unwrap();
    let small = Writer::encode(|w| _ = w.bytes(&[1; 100]));
    let medium = Writer::encode(|w| _ = w.bytes(&[2; 200]));
    let large = Writer::encode(|w| _ = w.bytes(&[3; 600]));
    for value in [&small, &medium, &large] {
        out.push("m", "a", value.clone()).unwrap();
    }
    let lengths = |list: &[u8]| {
        let entries = decode_list(list).unwrap();
        entries.iter().map(|entry| entry.value.len()).collect::<Vec<_>>()
    };
    assert_eq!(lengths(&out.take()), [102]);
    let second = out.take();
    assert_eq!(lengths(&second)[0], 202);
    assert_eq!(second.len(), 256, "the third begins where there is room");
    let third = out.take();
    assert_eq!(third.len(), 256);
    assert!(!out.is_empty());
    while !out.is_empty() {
        assert!(out.take().len() > 1);
    }
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<bool>().prop_map(|value| Writer::encode(|w| _ = w.bool(value))),
        any::<i32>().prop_map(|value| Writer::encode(|w| _ = w.int(value.into()))),
        ".{0,80}".prop_map(|value| Writer::encode(|w| _ = w.text(&value))),
        proptest::collection::vec(any::<u8>(), 0..3000)
            .prop_map(|value| Writer::encode(|w| _ = w.bytes(&value))),
        proptest::collection::vec(any::<u16>(), 0..900).prop_map(|values| {
            Writer::encode(|w| {
                w.array(values.len());
                values.iter().for_each(|value| _ = w.uint((*value).into()));
            })
        }),
    ]
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let name = || prop_oneof!["[a-z.]{1,6}", "[a-z]{64}"];
    proptest::collection::vec((name(), name(), value()), 0..40)
}

/// Everything through lists of such a length, both sides made anew in between.
fn through(messages: &[Message], budget: usize) -> (Vec<Message>, usize) {
    let mut out = Outgoing::new();
    for (module, message, value) in messages {
        out.push(module, message, value.clone()).unwrap();
    }
    let mut incoming = Incoming::new(MAX_VALUE_LEN);
    let (mut received, mut cut) = (Vec::new(), 0);
    while !out.is_empty() {
        out.set_budget(budget).unwrap();
        let list = out.take();
        assert!(list.len() <= budget, "{} of {budget}", list.len());
        let entries = decode_list(&list).unwrap();
        assert!(!entries.is_empty(), "a list moves something");
        for entry in entries {
            match next(&mut incoming, &entry).unwrap() {
                Some(value) => received.push((entry.module.into(), entry.message.into(), value)),
                None => cut += 1,
            }
        }
        out = Outgoing::from_bytes(&out.to_bytes()).unwrap();
        incoming = Incoming::from_bytes(&incoming.to_bytes(), MAX_VALUE_LEN).unwrap();
    }
    assert!(!incoming.is_waiting());
    (received, cut)
}

proptest! {
    #[test]
    fn whatever_is_sent_arrives_in_order_in_lists_of_any_length(
        messages in messages(), budget in prop_oneof![MIN_BUDGET..2000, MIN_BUDGET..=MAX_BUDGET]
    ) {
        let (received, cut) = through(&messages, budget);
        prop_assert_eq!(&received, &messages);
        let alone = |(module, message, value): &&Message| encode_list(&[kv(module, message, value)]).len() > budget;
        let too_long = messages.iter().filter(alone).count();
        prop_assert_eq!(cut > 0, too_long > 0, "only what fits into no list is cut");
    }

    #[test]
    fn lists_of_anybody_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(entries) = decode_list(&bytes) {
            let mut incoming = Incoming::new(100);
            prop_assert_eq!(&encode_list(&entries), &bytes);
            for entry in entries {
                if incoming.receive(&entry).is_err() {
                    break;
                }
            }
        }
    }

    #[test]
    fn what_space_promises_goes_into_the_list_whole(
        before in proptest::collection::vec(value(), 0..6), budget in MIN_BUDGET..4000
    ) {
        let mut out = Outgoing::new();
        out.set_budget(budget).unwrap();
        for value in before {
            out.push("m", "a", value).unwrap();
        }
        let space = out.space("fdo.download", "data");
        prop_assume!(space > 0);
        out.send("fdo.download", "data", |w| _ = w.bytes(&vec![0; space])).unwrap();
        prop_assert!(out.fits());
        out.take();
        prop_assert!(out.is_empty());
    }
}
