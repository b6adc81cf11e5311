use alloc::string::String;
use core::fmt::Write as _;

use crate::{Error, Key, Reader, Type};

/// One item in diagnostic notation (RFC 8949, section 8), on one line, for people to read.
///
/// Text is escaped as in JSON and control characters never pass through.
pub fn diagnostic(item: &[u8]) -> Result<String, Error> {
    let mut reader = Reader::new(item);
    // The whole item is checked first, so that the walk below is bounded.
    reader.clone().skip()?;
    let mut out = String::new();
    write_item(&mut reader, &mut out)?;
    reader.end()?;
    Ok(out)
}

fn write_item(reader: &mut Reader<'_>, out: &mut String) -> Result<(), Error> {
    match reader.peek()? {
        Type::Bytes => write_bytes(reader.bytes()?, out),
        Type::Text => write_text(reader.text()?, out),
        Type::Array => {
            out.push('[');
            for index in 0..reader.array()? {
                if index > 0 {
                    out.push_str(", ");
                }
                write_item(reader, out)?;
            }
            out.push(']');
        }
        Type::Map => {
            out.push('{');
            let mut map = reader.map()?;
            let mut first = true;
            while let Some(key) = map.next(reader)? {
                if !core::mem::take(&mut first) {
                    out.push_str(", ");
                }
                match key {
                    Key::Int(key) => write(out, format_args!("{key}")),
                    Key::Text(key) => write_text(key, out),
                    Key::Other(raw) => write_item(&mut Reader::new(raw), out)?,
                }
                out.push_str(": ");
                write_item(reader, out)?;
            }
            out.push('}');
        }
        Type::Tag => {
            write(out, format_args!("{}(", reader.tag()?));
            write_item(reader, out)?;
            out.push(')');
        }
        Type::Bool => out.push_str(if reader.bool()? { "true" } else { "false" }),
        Type::Null => {
            reader.null()?;
            out.push_str("null");
        }
        Type::Float => write(out, format_args!("{:?}", reader.float()?)),
        Type::Unsigned => write(out, format_args!("{}", reader.uint()?)),
        Type::Negative | Type::Integer => match reader.int() {
            Ok(value) => write(out, format_args!("{value}")),
            Err(_) => write_raw(reader.raw()?, out),
        },
        Type::Simple => match reader.raw()? {
            [0xf7] => out.push_str("undefined"),
            [head] => write(out, format_args!("simple({})", head & 0x1f)),
            [.., value] => write(out, format_args!("simple({value})")),
            [] => {}
        },
    }
    Ok(())
}

fn write_raw(raw: &[u8], out: &mut String) {
    // Negative integers below the range of i64: -1 - argument.
    let argument = raw.iter().skip(1).fold(0u128, |value, byte| value << 8 | u128::from(*byte));
    write(out, format_args!("-{}", argument + 1));
}

fn write_bytes(bytes: &[u8], out: &mut String) {
    out.push_str("h'");
    for byte in bytes {
        write(out, format_args!("{byte:02x}"));
    }
    out.push('\'');
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => write(out, format_args!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn write(out: &mut String, arguments: core::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("writing to a String cannot fail");
}
