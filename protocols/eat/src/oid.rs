//! Object identifiers: the content of their BER form (X.690, section 8.19), and dotted text.

use alloc::{format, string::String, vec::Vec};

/// The dotted text of an identifier; nothing where the bytes are no identifier of numbers below 2^32.
pub(crate) fn to_dotted(content: &[u8]) -> Option<String> {
    let mut text = String::new();
    let mut arc = 0u32;
    let mut begun = false;
    for byte in content {
        if !begun && *byte == 0x80 {
            return None;
        }
        begun = true;
        arc = arc.checked_mul(128)? | u32::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        if text.is_empty() {
            let first = (arc / 40).min(2);
            text = format!("{first}.{}", arc - 40 * first);
        } else {
            text.push_str(&format!(".{arc}"));
        }
        (arc, begun) = (0, false);
    }
    (!begun && !text.is_empty()).then_some(text)
}

/// The content of the BER form of dotted text; nothing where the text is none.
pub(crate) fn from_dotted(text: &str) -> Option<Vec<u8>> {
    let mut arcs = Vec::new();
    for part in text.split('.') {
        let plain = part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
        arcs.push(part.parse::<u32>().ok().filter(|_| plain)?);
    }
    let [first, second, rest @ ..] = arcs.as_slice() else { return None };
    if *first > 2 || (*first < 2 && *second >= 40) {
        return None;
    }
    let mut content = Vec::new();
    push(&mut content, first.checked_mul(40)?.checked_add(*second)?);
    rest.iter().for_each(|arc| push(&mut content, *arc));
    Some(content)
}

/// Base 128, every byte but the last with its highest bit set.
fn push(content: &mut Vec<u8>, arc: u32) {
    for shift in [28, 21, 14, 7] {
        if arc >> shift != 0 {
            content.push(0x80 | (arc >> shift & 0x7f) as u8);
        }
    }
    content.push((arc & 0x7f) as u8);
}
