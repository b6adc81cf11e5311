use core::fmt;

use crate::{Error, Reason};

/// The kind of a data item, as its first byte tells (RFC 8949, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Major type 0.
    Unsigned,
    /// Major type 1.
    Negative,
    /// Major type 2.
    Bytes,
    /// Major type 3.
    Text,
    /// Major type 4.
    Array,
    /// Major type 5.
    Map,
    /// Major type 6.
    Tag,
    /// `false` or `true`.
    Bool,
    /// `null`.
    Null,
    /// A floating-point number of any width.
    Float,
    /// `undefined` or another simple value.
    Simple,
    /// An integer of either sign; never found, only expected.
    Integer,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsigned => "unsigned integer",
            Self::Negative => "negative integer",
            Self::Bytes => "byte string",
            Self::Text => "text string",
            Self::Array => "array",
            Self::Map => "map",
            Self::Tag => "tag",
            Self::Bool => "boolean",
            Self::Null => "null",
            Self::Float => "float",
            Self::Simple => "simple value",
            Self::Integer => "integer",
        })
    }
}

/// Additional information that means "indefinite length" or "break".
pub(crate) const INDEFINITE: u8 = 31;

/// The head of an item: major type, additional information, argument and encoded length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) major: u8,
    pub(crate) info: u8,
    /// The argument; zero when `info` is [`INDEFINITE`].
    pub(crate) argument: u64,
    /// How many bytes the head occupies.
    pub(crate) len: usize,
}

impl Head {
    /// Reads the head at `at`, without judging whether it is in its shortest form.
    pub(crate) fn read(input: &[u8], at: usize, base: usize) -> Result<Self, Error> {
        let fail = |reason| Error::new(base + at, reason);
        let first = *input.get(at).ok_or(fail(Reason::Truncated))?;
        let (major, info) = (first >> 5, first & 0x1f);
        let width = match info {
            0..=23 => 0,
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            INDEFINITE if matches!(major, 2..=5 | 7) => 0,
            _ => return Err(fail(Reason::ReservedHead)),
        };
        let bytes = input.get(at + 1..at + 1 + width).ok_or(fail(Reason::Truncated))?;
        let argument = match width {
            0 if info == INDEFINITE => 0,
            0 => u64::from(info),
            _ => bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)),
        };
        Ok(Self { major, info, argument, len: 1 + width })
    }

    /// Whether the head uses no more bytes than it needs. Floats (major 7) are judged by their value elsewhere.
    pub(crate) fn is_shortest(&self) -> bool {
        match self.info {
            24 if self.major == 7 => self.argument >= 32,
            _ if self.major == 7 => true,
            24 => self.argument >= 24,
            25 => self.argument > u64::from(u8::MAX),
            26 => self.argument > u64::from(u16::MAX),
            27 => self.argument > u64::from(u32::MAX),
            _ => true,
        }
    }

    pub(crate) fn kind(&self) -> Type {
        match (self.major, self.info) {
            (0, _) => Type::Unsigned,
            (1, _) => Type::Negative,
            (2, _) => Type::Bytes,
            (3, _) => Type::Text,
            (4, _) => Type::Array,
            (5, _) => Type::Map,
            (6, _) => Type::Tag,
            (_, 20 | 21) => Type::Bool,
            (_, 22) => Type::Null,
            (_, 25..=27) => Type::Float,
            _ => Type::Simple,
        }
    }

    /// The value of a float head, or `None` for another kind.
    pub(crate) fn float(&self) -> Option<f64> {
        match (self.major, self.info) {
            (7, 25) => Some(half_to_f64(self.argument as u16)),
            (7, 26) => Some(f64::from(f32::from_bits(self.argument as u32))),
            (7, 27) => Some(f64::from_bits(self.argument)),
            _ => None,
        }
    }
}

/// Widens an IEEE 754 half-precision number (RFC 8949, appendix D).
fn half_to_f64(half: u16) -> f64 {
    let sign = if half & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(half >> 10 & 0x1f);
    let mantissa = f64::from(half & 0x3ff);
    sign * match exponent {
        0 => mantissa / 16_777_216.0,
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * power_of_two(exponent - 25),
    }
}

fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + i64::from(exponent)) as u64) << 52)
}

/// The shortest float encoding that keeps the value (RFC 8949, section 4.2.2): head information and argument.
pub(crate) fn shortest_float(value: f64) -> (u8, u64) {
    if value.is_nan() {
        return (25, 0x7e00);
    }
    let single = value as f32;
    if f64::from(single).to_bits() != value.to_bits() {
        return (27, value.to_bits());
    }
    match f32_to_half(single) {
        Some(half) => (25, u64::from(half)),
        None => (26, u64::from(single.to_bits())),
    }
}

/// Narrows to half precision when nothing is lost.
fn f32_to_half(value: f32) -> Option<u16> {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let exponent = (bits >> 23 & 0xff) as i32;
    let mantissa = bits & 0x7f_ffff;
    let half = match exponent {
        0 if mantissa == 0 => sign,
        255 => sign | 0x7c00 | (mantissa >> 13) as u16,
        113..=142 if mantissa & 0x1fff == 0 => {
            sign | ((exponent - 112) << 10) as u16 | (mantissa >> 13) as u16
        }
        103..=112 => {
            let full = mantissa | 0x80_0000;
            let shift = (126 - exponent) as u32;
            if full & ((1 << shift) - 1) != 0 {
                return None;
            }
            sign | (full >> shift) as u16
        }
        _ => return None,
    };
    (half_to_f64(half).to_bits() == f64::from(value).to_bits()).then_some(half)
}
