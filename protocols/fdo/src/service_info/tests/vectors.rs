//! What other implementations send.

use serde_json::Value;

use super::pair::program;
use crate::service_info::{
    modules::{Devmod, Serial},
    *,
};

fn rows(file: &str) -> Option<Vec<Value>> {
    let path = testkit::vectors("fdo")?.join("messages").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_str(&text).expect("an array"))
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_else(|| panic!("{row} has no {key}"))
}

#[test]
fn owner_understands_a_device_of_intel() {
    let Some(rows) = rows("devmod-intel-device.json") else { return };
    assert_eq!(rows.len(), 16);
    let values: Vec<_> = rows.iter().map(|row| testkit::hex(text(row, "val_hex"))).collect();
    let entries: Vec<_> = rows
        .iter()
        .zip(&values)
        .map(|(row, value)| {
            let (module, message) = text(row, "key").split_once(':').expect("a key");
            KeyValue { module, message, value }
        })
        .collect();
    let program = program(vec![]);
    let mut owner = OwnerEngine::new(&program);
    let mut backend =
        Backend { contents: &Absent, sink: &mut Absent, issuer: &mut Absent, steps: &mut Absent };
    let answer =
        owner.receive(false, &encode_list(&entries), DEFAULT_BUDGET, &mut backend).expect("well-formed");
    assert!(answer.is_done);
    let expected = Devmod {
        os: "Linux".into(),
        arch: "x86".into(),
        version: "Ubuntu-14".into(),
        device: "Intel-FDO-Linux".into(),
        separator: ";".into(),
        binaries: "x86".into(),
        serial: Some(Serial::Text("fdo-linux-1234".into())),
        path_separator: Some("/".into()),
        newline: Some("\n".into()),
        temporary: None,
        install: None,
        program_environment: Some("sh".into()),
        mud_url: None,
        modules: vec!["fido_alliance".into()],
    };
    assert_eq!(owner.devmod(), &expected);
}

#[test]
fn lists_of_astarte_are_read_and_written_again() {
    let Some(rows) = rows("astarte-snapshots.json") else { return };
    let lists: Vec<_> = rows.iter().filter(|row| text(row, "name").starts_with("service_info/")).collect();
    assert_eq!(lists.len(), 2);
    for row in lists {
        let bytes = testkit::hex(text(row, "hex"));
        let entries = decode_list(&bytes).expect("well-formed");
        assert_eq!(encode_list(&entries), bytes, "{row}");
        let os = KeyValue { module: "devmod", message: "os", value: b"\x65Linux" };
        let expected: &[KeyValue<'_>] = if text(row, "diag") == "[]" { &[] } else { &[os] };
        assert_eq!(entries, expected, "{row}");
    }
}
