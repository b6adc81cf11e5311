//! Dates as text (RFC 3339, section 5.6), for the one place where they stand in CBOR as text.

use alloc::{format, string::String};

/// Seconds since 1970 of a date and time; fractions of a second are dropped, so that nothing counts longer. Years are those
/// from 1 to 9999, and a leap second is the second before it.
pub(crate) fn parse_datetime(text: &str) -> Option<i64> {
    let number = |from: usize, len: usize| -> Option<i64> {
        let digits = text.get(from..from + len)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let is = |at: usize, expected: &[u8]| text.as_bytes().get(at).is_some_and(|byte| expected.contains(byte));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let valid = year > 0
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let mut end = 19;
    if is(end, b".") {
        let digits = text.get(end + 1..)?.bytes().take_while(u8::is_ascii_digit).count();
        end += 1 + digits;
        if digits == 0 {
            return None;
        }
    }
    let offset = if is(end, b"Zz") {
        end += 1;
        0
    } else {
        let (hours, minutes) = (number(end + 1, 2)?, number(end + 4, 2)?);
        if !is(end, b"+-") || !is(end + 3, b":") || hours > 23 || minutes > 59 {
            return None;
        }
        let sign = if is(end, b"-") { -1 } else { 1 };
        end += 6;
        sign * (hours * 60 + minutes) * 60
    };
    let seconds = days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second.min(59);
    (valid && end == text.len()).then_some(seconds - offset)
}

/// The date and time of seconds since 1970, in UTC. What lies outside the years 1 to 9999 becomes their first or last second.
pub(crate) fn format_datetime(seconds: i64) -> String {
    let seconds = seconds.clamp(FIRST, LAST);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Forwards as if years had no leap days and backwards as if all had: the guess is the year or one after it.
    let mut year = 1970 + days.div_euclid(if days < 0 { 366 } else { 365 });
    while days_before(year, 1, 1) > days {
        year -= 1;
    }
    let mut month = 12;
    while days_before(year, month, 1) > days {
        month -= 1;
    }
    let day = days - days_before(year, month, 1) + 1;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// 0001-01-01T00:00:00Z.
const FIRST: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z.
const LAST: i64 = 253_402_300_799;

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let of_years = 365 * before + before / 4 - before / 100 + before / 400;
    let of_months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    of_years + of_months + day - 1 - EPOCH
}

/// Days from 0001-01-01 to 1970-01-01.
const EPOCH: i64 = 719_162;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let rows = [
            ("1970-01-01T00:00:00Z", 0),
            ("2030-12-13T18:30:02Z", 1_923_417_002),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("1969-12-31T23:59:59Z", -1),
            ("0001-01-01T00:00:00Z", FIRST),
            ("9999-12-31T23:59:59Z", LAST),
        ];
        for (text, seconds) in rows {
            assert_eq!(parse_datetime(text), Some(seconds), "{text}");
            assert_eq!(format_datetime(seconds), text);
        }
        for seconds in (FIRST..LAST).step_by(86_400 * 97 + 12_345) {
            assert_eq!(parse_datetime(&format_datetime(seconds)), Some(seconds));
        }
        assert_eq!(format_datetime(i64::MAX), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn offsets_fractions_and_leap_seconds_are_read() {
        let rows = [
            ("1970-01-01t01:00:00+01:00", 0),
            ("1969-12-31T23:30:00-00:30", 0),
            ("1970-01-01T00:00:00.999Z", 0),
            ("1972-06-30T23:59:60Z", 78_796_799),
        ];
        for (text, seconds) in rows {
            assert_eq!(parse_datetime(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_date() {
        let rows = [
            "",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00ZZ",
            "1970-13-01T00:00:00Z",
            "1970-00-01T00:00:00Z",
            "1970-02-29T00:00:00Z",
            "1970-01-00T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:60:00Z",
            "1970-01-01T00:00:61Z",
            "1970-01-01T00:00:00+24:00",
            "1970-01-01T00:00:00+0000",
            "0000-01-01T00:00:00Z",
            "+970-01-01T00:00:00Z",
            "1970-01-01 00:00:00Z",
            "1970-01-01T00:00:0\u{e9}Z",
        ];
        for text in rows {
            assert_eq!(parse_datetime(text), None, "{text}");
        }
    }
}
