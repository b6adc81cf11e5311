//! Times of day and spans as people write them. The protocol crates have no clock; this is theirs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Now, in seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Seconds since 1970 as a date, such as `2026-11-23T16:00:00Z`.
pub(crate) fn date(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{seconds} seconds since 1970"),
    }
}

/// Reads a time: a date with its zone (RFC 3339), or seconds since 1970.
pub(crate) fn parse_time(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let time: Timestamp =
        text.parse().map_err(|_| "expected a time such as 2026-11-23T16:00:00Z or seconds since 1970")?;
    Ok(time.as_second())
}

/// Reads a span such as `90s`, `15m`, `2h` or `30d`, in seconds.
pub(crate) fn parse_span(text: &str) -> Result<i64, String> {
    let expected = || "expected a span such as 90s, 15m, 2h or 30d".to_owned();
    let unit = text.chars().last().ok_or_else(expected)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return Err(expected()),
    };
    let number = text.strip_suffix(unit).unwrap_or_default();
    let number: u32 = number.parse().map_err(|_| expected())?;
    Ok(i64::from(number) * seconds)
}

/// A span that is not nothing.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = u64::try_from(parse_span(text)?).unwrap_or_default();
    if seconds == 0 { Err("expected more than nothing".to_owned()) } else { Ok(Duration::from_secs(seconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_to_wait_for_nothing() {
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert!(duration("0s").is_err() && duration("soon").is_err());
    }

    #[test]
    fn reads_spans_in_four_units() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("2h", 7200), ("30d", 2_592_000)] {
            assert_eq!(parse_span(text), Ok(seconds), "{text}");
        }
        for bad in ["", "2", "h", "-1h", "2w", "1.5h", "2é"] {
            assert!(parse_span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn reads_what_it_writes() {
        for seconds in [0, 1_795_449_600] {
            assert_eq!(parse_time(&date(seconds)), Ok(seconds));
        }
        assert!(parse_time("yesterday").is_err());
    }
}
