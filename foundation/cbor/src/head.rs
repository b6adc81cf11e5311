use core::fmt;

use crate::{Reason, lean::Fault};

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

impl Type {
    /// Whether items of this kind say their length, or leave it open.
    pub(crate) const fn has_length(self) -> bool {
        matches!(self, Self::Bytes | Self::Text | Self::Array | Self::Map)
    }
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
    /// Reads the head that input begins with, which stands at `at`, without judging whether it is in its shortest form.
    pub(crate) fn read(input: &[u8], at: usize) -> Result<Self, Fault> {
        let fail = |reason| Fault::new(at, reason);
        let (first, rest) = input.split_first().ok_or_else(|| fail(Reason::Truncated))?;
        let first = *first;
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
        let bytes = rest.get(..width).ok_or_else(|| fail(Reason::Truncated))?;
        let argument = match width {
            0 if info == INDEFINITE => 0,
            0 => u64::from(info),
            _ => bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)),
        };
        Ok(Self { major, info, argument, len: 1 + width })
    }

    /// The head that is this byte alone: additional information below 24 is the argument.
    #[inline]
    pub(crate) fn short(first: u8) -> Self {
        let info = first & 0x1f;
        Self { major: first >> 5, info, argument: u64::from(info), len: 1 }
    }

    /// Whether the head uses no more bytes than it needs; a float, no more than its value needs.
    pub(crate) fn is_shortest(&self) -> bool {
        match self.info {
            24 if self.major == 7 => self.argument >= 32,
            HALF_INFO if self.major == 7 => !HALF.is_nan(self.argument) || self.argument == CANONICAL_NAN,
            SINGLE_INFO if self.major == 7 => {
                !SINGLE.is_nan(self.argument) && !SINGLE.fits(self.argument, HALF)
            }
            DOUBLE_INFO if self.major == 7 => {
                !DOUBLE.is_nan(self.argument) && !DOUBLE.fits(self.argument, SINGLE)
            }
            _ if self.major == 7 => true,
            24 => self.argument >= 24,
            25 => self.argument > u64::from(u8::MAX),
            26 => self.argument > u64::from(u16::MAX),
            27 => self.argument > u64::from(u32::MAX),
            _ => true,
        }
    }

    #[inline]
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
        return (HALF_INFO, CANONICAL_NAN);
    }
    let Some(single) = DOUBLE.narrow(value.to_bits(), SINGLE) else { return (DOUBLE_INFO, value.to_bits()) };
    match SINGLE.narrow(single, HALF) {
        Some(half) => (HALF_INFO, half),
        None => (SINGLE_INFO, single),
    }
}

/// Additional information of floats (RFC 8949, section 3.3).
const HALF_INFO: u8 = 25;
const SINGLE_INFO: u8 = 26;
const DOUBLE_INFO: u8 = 27;

/// The one encoding of "not a number" (RFC 8949, section 4.2.2).
const CANONICAL_NAN: u64 = 0x7e00;

/// An IEEE 754 format by the bits of its parts. What is decided here is decided in integers: devices have no others.
#[derive(Clone, Copy)]
struct Format {
    exponent: u32,
    mantissa: u32,
}

const HALF: Format = Format { exponent: 5, mantissa: 10 };
const SINGLE: Format = Format { exponent: 8, mantissa: 23 };
const DOUBLE: Format = Format { exponent: 11, mantissa: 52 };

impl Format {
    /// The exponent of infinity and of what is not a number.
    const fn highest(self) -> u64 {
        (1 << self.exponent) - 1
    }

    const fn bias(self) -> u64 {
        self.highest() >> 1
    }

    const fn parts(self, bits: u64) -> (u64, u64) {
        (bits >> self.mantissa & self.highest(), bits & ((1 << self.mantissa) - 1))
    }

    const fn is_nan(self, bits: u64) -> bool {
        let (exponent, mantissa) = self.parts(bits);
        exponent == self.highest() && mantissa != 0
    }

    /// The same number in a narrower format, when nothing is lost.
    fn narrow(self, bits: u64, to: Self) -> Option<u64> {
        if !self.fits(bits, to) {
            return None;
        }
        let sign = bits >> (self.exponent + self.mantissa) << (to.exponent + to.mantissa);
        let (exponent, mantissa) = self.parts(bits);
        let dropped = self.mantissa - to.mantissa;
        let there = (exponent + to.bias()).checked_sub(self.bias());
        Some(match there {
            _ if exponent == 0 => sign,
            _ if exponent == self.highest() => sign | to.highest() << to.mantissa,
            Some(there @ 1..) => sign | (there << self.mantissa | mantissa) >> dropped,
            // The leading one takes part in the shift.
            _ => {
                let below = self.bias() - to.bias() - exponent;
                sign | (1 << self.mantissa | mantissa) >> (below + u64::from(dropped) + 1)
            }
        })
    }

    /// Whether nothing is lost of a number in a narrower format.
    fn fits(self, bits: u64, to: Self) -> bool {
        let (exponent, mantissa) = self.parts(bits);
        if exponent == 0 || exponent == self.highest() {
            // Zero, infinity; a subnormal number is too small.
            return mantissa == 0;
        }
        let exponent = exponent as u32 as i32 - self.bias() as i32 + to.bias() as i32;
        // Below 1, the number is subnormal there, and its leading one takes part in the shift.
        let subnormal = (1 - exponent).max(0) as u32;
        let dropped = self.mantissa - to.mantissa + subnormal;
        exponent < to.highest() as i32 && (1 << self.mantissa | mantissa).trailing_zeros() >= dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the processor's own conversions: every half, and doubles and singles around every power of two.
    #[test]
    fn narrows_as_the_processor_does() {
        for half in 0..=u16::MAX {
            let value = half_to_f64(half);
            if !value.is_nan() {
                assert_eq!(shortest_float(value), (HALF_INFO, u64::from(half)), "{half:04x}");
            }
        }
        for exponent in 0..0x7ffu64 {
            for mantissa in [0, 1, 1 << 28, 1 << 29, 3 << 29, 1 << 41, 1 << 42, 1 << 51, (1 << 52) - 1] {
                let bits = exponent << 52 | mantissa;
                let value = f64::from_bits(bits);
                let single = value as f32;
                let kept = f64::from(single).to_bits() == bits;
                assert_eq!(
                    DOUBLE.narrow(bits, SINGLE),
                    kept.then(|| u64::from(single.to_bits())),
                    "{bits:016x}"
                );
                let (info, argument) = shortest_float(value);
                let head = Head { major: 7, info, argument, len: 0 };
                assert!(head.is_shortest());
                assert_eq!(head.float().map(f64::to_bits), Some(bits));
            }
        }
    }

    #[test]
    fn longer_forms_and_other_nans_are_not_shortest() {
        let rows = [
            (HALF_INFO, 0x7e00, true),
            (HALF_INFO, 0x7e01, false),
            (HALF_INFO, 0xfe00, false),
            (SINGLE_INFO, 0x7fc0_0000, false),
            (SINGLE_INFO, 0x3f80_0000, false),
            (SINGLE_INFO, 0x3f80_0001, true),
            (DOUBLE_INFO, 0x7ff8_0000_0000_0000, false),
            (DOUBLE_INFO, 0x3ff0_0000_2000_0000, false),
            (DOUBLE_INFO, 0x3ff0_0000_1000_0000, true),
        ];
        for (info, argument, shortest) in rows {
            assert_eq!(Head { major: 7, info, argument, len: 0 }.is_shortest(), shortest, "{argument:x}");
        }
    }
}
