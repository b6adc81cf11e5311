//! What devices say of themselves.

use cbor::{Reader, Writer};
use proptest::prelude::*;

use super::pair::this_device;
use crate::service_info::{
    modules::{Devmod, MAX_TEXT_LEN, Seen, Serial},
    *,
};

/// Messages as an owner gets them.
fn messages(devmod: &Devmod, modules: &[&str]) -> Vec<(String, Vec<u8>)> {
    let mut out = Outgoing::new();
    out.set_budget(MAX_BUDGET).unwrap();
    devmod.send(modules, &mut out).expect("short");
    let list = out.take();
    let entries = decode_list(&list).expect("our own");
    assert!(entries.iter().all(|entry| entry.module == "devmod"));
    entries.into_iter().map(|entry| (entry.message.to_string(), entry.value.to_vec())).collect()
}

fn heard(messages: &[(String, Vec<u8>)]) -> Result<Seen, ServiceFault> {
    let mut seen = Seen::default();
    messages.iter().try_for_each(|(key, value)| seen.receive(key, value))?;
    Ok(seen)
}

fn again(seen: &Seen) -> Seen {
    let bytes = Writer::encode(|w| seen.write(w));
    Seen::read(&mut Reader::new(&bytes)).expect("our own")
}

#[test]
fn device_without_modules_says_so() {
    let seen = heard(&messages(&this_device(), &[])).expect("well-formed");
    assert!(seen.is_complete());
    assert_eq!(seen.devmod, this_device());
    assert_eq!(again(&seen), seen);
}

#[test]
fn everything_required_must_be_there_and_nothing_else() {
    let all = messages(&this_device(), &["m"]);
    let required = ["active", "os", "arch", "version", "device", "sep", "bin", "nummodules", "modules"];
    for (left_out, _) in &all {
        let without: Vec<_> = all.iter().filter(|(key, _)| key != left_out).cloned().collect();
        let seen = heard(&without).expect("well-formed");
        assert_eq!(seen.is_complete(), !required.contains(&left_out.as_str()), "{left_out}");
    }
    assert_eq!(all.first().map(|(key, _)| key.as_str()), Some("active"));
}

#[test]
fn owner_bears_what_devices_do() {
    let base = messages(&this_device(), &[]);
    let with = |key: &str, hex: &str| {
        let mut all = base.clone();
        all.push((key.into(), testkit::hex(hex)));
        heard(&all).expect("tolerated").devmod
    };
    let modules = |names: &[&str]| Devmod {
        modules: names.iter().map(|name| name.to_string()).collect(),
        ..this_device()
    };
    // Indices from anywhere, names again, empty names, counts that are not true.
    assert_eq!(with("modules", "83 01 01 61 61"), modules(&["a"]));
    assert_eq!(with("modules", "84 03 02 61 61 61 62"), modules(&["a", "b"]));
    assert_eq!(with("modules", "85 00 07 61 61 60 61 61"), modules(&["a"]));
    assert_eq!(with("modules", "82 00 00"), modules(&[]));
    // Empty texts of optional keys, serial numbers of both kinds, keys that nobody knows.
    assert_eq!(with("mudurl", "60").mud_url, None);
    assert_eq!(with("sn", "60").serial, None);
    assert_eq!(with("sn", "40").serial, None);
    assert_eq!(with("sn", "61 61").serial, Some(Serial::Text("a".into())));
    assert_eq!(with("sn", "41 00").serial, Some(Serial::Bytes(vec![0])));
    assert_eq!(with("os", "60").os, "");
    assert_eq!(with("colour", "a1 01 02"), this_device());
}

#[test]
fn owner_refuses_what_is_of_another_form() {
    let rows = [
        ("os", "01", "service-info-malformed"),
        ("os", "61 61 00", "service-info-malformed"),
        ("active", "01", "service-info-malformed"),
        ("active", "f4", "devmod-missing"),
        ("nummodules", "20", "service-info-malformed"),
        ("modules", "81 00", "service-info-malformed"),
        ("modules", "80", "service-info-malformed"),
        ("modules", "82 61 61 00", "service-info-malformed"),
        ("modules", "83 00 01 01", "service-info-malformed"),
        ("modules", "83 00 01 61 0a", "service-info-malformed"),
        ("sn", "01", "service-info-malformed"),
        ("colour", "81", "service-info-malformed"),
    ];
    for (key, hex, code) in rows {
        let fault = Seen::default().receive(key, &testkit::hex(hex)).expect_err(key);
        assert_eq!(fault.code(), code, "{key} {hex}");
    }
}

#[test]
fn limits_hold_at_the_limit_and_past_it() {
    let text = |len: usize| Writer::encode(|w| _ = w.text(&"t".repeat(len)));
    let bytes = |len: usize| Writer::encode(|w| _ = w.bytes(&vec![0; len]));
    let too_large = |limit| Err(ServiceFault::TooLarge { limit });
    for key in ["os", "mudurl", "sn"] {
        assert_eq!(Seen::default().receive(key, &text(MAX_TEXT_LEN)), Ok(()), "{key}");
        assert_eq!(Seen::default().receive(key, &text(MAX_TEXT_LEN + 1)), too_large(MAX_TEXT_LEN), "{key}");
    }
    assert_eq!(Seen::default().receive("sn", &bytes(MAX_TEXT_LEN + 1)), too_large(MAX_TEXT_LEN));
    let names = |count: usize, len: usize| {
        let value = Writer::encode(|w| {
            w.array(2 + count).uint(0).uint(count as u64);
            (0..count).for_each(|index| _ = w.text(&format!("{index:0len$}")));
        });
        let mut seen = Seen::default();
        seen.receive("modules", &value).map(|()| assert_eq!(again(&seen), seen))
    };
    assert_eq!(names(MAX_MODULES, MAX_NAME_LEN), Ok(()));
    assert_eq!(names(MAX_MODULES + 1, 4), too_large(MAX_MODULES));
    assert_eq!(names(1, MAX_NAME_LEN + 1), too_large(MAX_NAME_LEN));
    let long =
        |len: usize| Devmod { os: "o".repeat(len), ..Devmod::default() }.send(&[], &mut Outgoing::new());
    assert_eq!(long(MAX_TEXT_LEN), Ok(()));
    assert_eq!(long(MAX_TEXT_LEN + 1), Err(ModuleFault::TooLarge));
    let serial = |len: usize| {
        let serial = Some(Serial::Bytes(vec![0; len]));
        Devmod { serial, ..Devmod::default() }.send(&[], &mut Outgoing::new())
    };
    assert_eq!(serial(MAX_TEXT_LEN), Ok(()));
    assert_eq!(serial(MAX_TEXT_LEN + 1), Err(ModuleFault::TooLarge));
}

fn some_text() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(".{1,40}")
}

proptest! {
    #[test]
    fn owner_hears_what_the_device_says(
        required in proptest::array::uniform6(".{0,40}"),
        optional in (some_text(), some_text(), some_text(), some_text(), some_text(), some_text()),
        serial in proptest::option::of(proptest::collection::vec(any::<u8>(), 1..40)),
        modules in proptest::collection::btree_set("[a-z.]{1,64}", 0..MAX_MODULES),
    ) {
        let [os, arch, version, device, separator, binaries] = required;
        let (path_separator, newline, temporary, install, program_environment, mud_url) = optional;
        let modules: Vec<String> = modules.into_iter().collect();
        let devmod = Devmod {
            os, arch, version, device, separator, binaries, path_separator, newline, temporary, install,
            program_environment, mud_url,
            serial: serial.map(Serial::Bytes),
            modules: modules.clone(),
        };
        let names: Vec<_> = modules.iter().map(String::as_str).collect();
        let seen = heard(&messages(&devmod, &names)).expect("well-formed");
        prop_assert_eq!(&seen.devmod, &devmod);
        prop_assert_eq!(again(&seen), seen);
    }
}
