//! `yang:date-and-time` (RFC 6991), the profile of RFC 3339 in which `last-update` is written.

use alloc::borrow::ToOwned;
use alloc::string::String;

/// A moment, with the text it was read from. Moments compare by [`DateTime::unix_seconds`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateTime {
    text: String,
    seconds: i64,
    zone: bool,
}

impl DateTime {
    /// Reads a moment. A missing zone is read as UTC, see [`DateTime::has_zone`].
    pub fn parse(text: &str) -> Option<Self> {
        let date = text.get(..10)?;
        let (year, month, day) = (number(date, 0, 4)?, number(date, 5, 2)?, number(date, 8, 2)?);
        let clock = text.get(10..19)?;
        let (hour, minute, second) = (number(clock, 1, 2)?, number(clock, 4, 2)?, number(clock, 7, 2)?);
        let separators = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")];
        if !separators.iter().all(|(at, c)| text.get(*at..at + 1).is_some_and(|x| x.eq_ignore_ascii_case(c)))
        {
            return None;
        }
        let in_range = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour <= 23
            && minute <= 59
            // Leap seconds exist (RFC 3339, section 5.7).
            && second <= 60;
        if !in_range {
            return None;
        }
        let mut rest = text.get(19..)?;
        if let Some(fraction) = rest.strip_prefix('.') {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return None;
            }
            rest = fraction.get(digits..)?;
        }
        let offset = match rest {
            "" => None,
            "Z" | "z" => Some(0),
            _ => Some(offset(rest)?),
        };
        let local = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
        Some(Self { text: text.to_owned(), seconds: local - offset.unwrap_or(0), zone: offset.is_some() })
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Seconds since 1970-01-01T00:00:00Z, fractions cut off.
    pub fn unix_seconds(&self) -> i64 {
        self.seconds
    }

    /// False when the text has no zone, which RFC 6991 requires.
    pub fn has_zone(&self) -> bool {
        self.zone
    }
}

/// `+hh:mm` or `-hh:mm`, in seconds.
fn offset(text: &str) -> Option<i64> {
    let sign = match text.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = (number(text, 1, 2)?, number(text, 4, 2)?);
    let valid = text.len() == 6 && text.get(3..4) == Some(":") && hours <= 23 && minutes <= 59;
    valid.then_some(sign * (hours * 3600 + minutes * 60))
}

fn number(text: &str, at: usize, digits: usize) -> Option<i64> {
    let digits = text.get(at..at + digits)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar, with years that start in March so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_moments() {
        for (text, seconds, zone) in [
            ("1970-01-01T00:00:00Z", 0, true),
            ("2026-03-01T10:00:00+00:00", 1_772_359_200, true),
            ("2026-03-01T10:00:00-00:00", 1_772_359_200, true),
            ("2026-03-01T12:00:00+02:00", 1_772_359_200, true),
            ("2018-09-27T12:55:18.098+10:00", 1_538_016_918, true),
            ("2000-02-29t23:59:60z", 951_868_800, true),
            ("1969-12-31T23:59:59Z", -1, true),
            ("2026-03-01T10:00:00", 1_772_359_200, false),
        ] {
            let moment = DateTime::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((moment.unix_seconds(), moment.has_zone()), (seconds, zone), "{text}");
            assert_eq!(moment.as_str(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_moment() {
        for text in [
            "",
            "2026-03-01",
            "2026-3-01T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "2026-02-29T10:00:00Z",
            "2026-00-01T10:00:00Z",
            "2026-03-00T10:00:00Z",
            "2026-03-01 10:00:00Z",
            "2026-03-01T24:00:00Z",
            "2026-03-01T10:60:00Z",
            "2026-03-01T10:00:61Z",
            "2026-03-01T10:00:00.Z",
            "2026-03-01T10:00:00+0200",
            "2026-03-01T10:00:00+24:00",
            "2026-03-01T10:00:00Zx",
            "+026-03-01T10:00:00Z",
            "2026-03-01T10:00:0\u{e4}",
            "2019-18-06T03:56:40.105+10:00",
        ] {
            assert_eq!(DateTime::parse(text), None, "{text}");
        }
    }
}
