use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;

use super::*;

/// The value written again, without spaces: enough to compare trees.
fn show(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Number(text) => (*text).to_string(),
        Value::String(text) => format!("{text:?}"),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|n| show(&n.value)).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => {
            let members: Vec<_> =
                members.iter().map(|m| format!("{:?}:{}", m.name, show(&m.node.value))).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

#[test]
fn reads_every_kind_of_value() {
    for (text, expected) in [
        ("null", "null"),
        (" true ", "true"),
        ("\t[ ]\r\n", "[]"),
        ("{}", "{}"),
        ("0", "0"),
        ("-0", "-0"),
        ("18446744073709551616", "18446744073709551616"),
        ("1.50e+07", "1.50e+07"),
        (r#"[1,"a",{"b":[null,false]}]"#, r#"[1,"a",{"b":[null,false]}]"#),
        (r#""\"\\\/\b\f\n\r\t\u0041""#, r#""\"\\/\u{8}\u{c}\n\r\tA""#),
        (r#""\ud83d\ude00 é""#, r#""😀 é""#),
        ("\"\u{7f}\"", "\"\\u{7f}\""),
    ] {
        let document = Document::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        assert_eq!(show(&document.root.value), expected, "{text}");
    }
}

#[test]
fn refuses_with_the_offset_of_the_fault() {
    use JsonFault::*;
    let rows: &[(&[u8], usize, JsonFault)] = &[
        (b"", 0, Truncated),
        (b"   ", 3, Truncated),
        (b"nul", 3, Truncated),
        (b"nulL", 3, Unexpected),
        (b"'a'", 0, Unexpected),
        (b"{a:1}", 1, Unexpected),
        (b"{\"a\" 1}", 5, Unexpected),
        (b"{\"a\":1,}", 7, Unexpected),
        (b"[1,]", 3, Unexpected),
        (b"[1 2]", 3, Unexpected),
        (b"[1", 2, Truncated),
        (b"{\"a\":", 5, Truncated),
        (b"// x\n{}", 0, Unexpected),
        (b"{\"a\":1,\"a\":2}", 7, DuplicateMember),
        (b"{\"a\":1,\"\\u0061\":2}", 7, DuplicateMember),
        (b"01", 1, BadNumber),
        (b"-", 1, Truncated),
        (b"-x", 1, BadNumber),
        (b"1.", 2, Truncated),
        (b"1.e3", 2, BadNumber),
        (b"1e", 2, Truncated),
        (b"+1", 0, Unexpected),
        (b"\"a", 2, Truncated),
        (b"\"a\nb\"", 2, ControlCharacter),
        (b"\"\\x\"", 1, BadEscape),
        (b"\"\\u12g4\"", 5, BadEscape),
        (b"\"\\ud800\"", 1, BadEscape),
        (b"\"\\ud800\\u0041\"", 1, BadEscape),
        (b"\"\\udc00\"", 1, BadEscape),
        (b"\"\\", 2, Truncated),
        (b"\"\\u00", 5, Truncated),
        (b"{} {}", 3, TrailingBytes),
        (b"{}\0", 2, TrailingBytes),
        (b"\"\xff\"", 1, NotUtf8),
        (b"\xff\xfe{\0}\0", 0, NotUtf8),
        (b"\0{\0}", 0, Unexpected),
        (b"\xef\xbb\xbf{", 4, Truncated),
    ];
    for (bytes, at, fault) in rows {
        let error = Document::parse(bytes).expect_err("must be refused");
        assert_eq!(error, JsonError { at: *at, fault: *fault }, "{}", bytes.escape_ascii());
    }
}

#[test]
fn finds_a_duplicate_among_many_members() {
    let mut text = String::from("{");
    for i in 0..200 {
        text.push_str(&format!("\"k{i}\":{i},"));
    }
    let unique = format!("{text}\"k200\":0}}");
    assert!(Document::parse(unique.as_bytes()).is_ok());
    let at = text.len();
    text.push_str("\"k17\":0}");
    let error = Document::parse(text.as_bytes()).expect_err("duplicate");
    assert_eq!(error, JsonError { at, fault: JsonFault::DuplicateMember });
}

#[test]
fn tolerates_a_byte_order_mark_and_counts_it() {
    let document = Document::parse(b"\xef\xbb\xbf {\"a\": [1]}").expect("byte order mark");
    let Value::Object(members) = &document.root.value else { panic!("an object") };
    let node = &members[0].node;
    assert_eq!((node.at, document.raw(node)), (10, "[1]"));
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| {
        let mut bytes = vec![b'['; levels];
        bytes.extend(vec![b']'; levels]);
        bytes
    };
    assert!(Document::parse(&nested(MAX_NESTING)).is_ok());
    let error = Document::parse(&nested(MAX_NESTING + 1)).expect_err("too deep");
    assert_eq!(error, JsonError { at: MAX_NESTING, fault: JsonFault::TooDeep });
}

#[test]
fn length_is_bounded() {
    let mut bytes = vec![b' '; MAX_FILE_BYTES];
    bytes[0] = b'1';
    assert!(Document::parse(&bytes).is_ok());
    bytes.push(b' ');
    let error = Document::parse(&bytes).expect_err("too long");
    assert_eq!(error, JsonError { at: MAX_FILE_BYTES, fault: JsonFault::TooLong });
}
