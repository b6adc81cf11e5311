//! Numbers, durations and dates as pages write them. Everything is UTC.

use crate::pages::view::{Figure, Stamp};

/// Unix time, or a duration, in microseconds.
pub type Micros = i64;

const SECOND: Micros = 1_000_000;
const DAY: Micros = 86_400 * SECOND;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A count: exact to 9,999, above as `12.4 k` beside the exact number.
pub fn count(n: u64) -> Figure {
    let shown = match n {
        0..=9_999 => return Figure { shown: grouped(n), exact: None },
        10_000..=999_949 => tenths(n, 1_000, "k"),
        999_950..=999_949_999 => tenths(n, 1_000_000, "M"),
        _ => tenths(n, 1_000_000_000, "G"),
    };
    Figure { shown, exact: Some(grouped(n)) }
}

/// A ratio shows both sides: `7 of 20`.
pub fn ratio(part: u64, whole: u64) -> String {
    format!("{} of {}", grouped(part), grouped(whole))
}

/// A size in decimal units: `412 bytes`, `84 kB`, `3.1 MB`.
pub fn bytes(n: u64) -> String {
    match n {
        1 => "1 byte".to_owned(),
        0 | 2..=999 => format!("{n} bytes"),
        1_000..=9_949 => tenths(n, 1_000, "kB"),
        9_950..=999_499 => format!("{} kB", n.saturating_add(500) / 1_000),
        999_500..=999_949_999 => tenths(n, 1_000_000, "MB"),
        _ => tenths(n, 1_000_000_000, "GB"),
    }
}

/// A duration: `0.41 s`, `2 min 14 s`, `3 h 47 min`, `27 d`.
pub fn span(duration: Micros) -> String {
    let micros = duration.max(0);
    let seconds = rounded(micros, SECOND);
    if micros < SECOND {
        let hundredths = rounded(micros, SECOND / 100);
        return format!("{}.{:02} s", hundredths / 100, hundredths % 100);
    }
    if micros < 9_950_000 && micros % SECOND != 0 {
        let tenths = rounded(micros, SECOND / 10);
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    match seconds {
        ..=89 => format!("{seconds} s"),
        90..=5_399 => two(seconds / 60, "min", seconds % 60, "s"),
        5_400..=129_599 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => format!("{} d", rounded(seconds, 86_400)),
    }
}

/// How long ago: seconds to 90, minutes to 90, hours to 36, then days. The script counts it on.
pub fn age(now: Micros, at: Micros) -> Stamp {
    let seconds = rounded(now.saturating_sub(at).max(0), SECOND);
    let shown = match seconds {
        ..=89 => format!("{seconds} s ago"),
        90..=5_399 => format!("{} min ago", rounded(seconds, 60)),
        5_400..=129_599 => format!("{} h ago", rounded(seconds, 3_600)),
        _ => format!("{} d ago", rounded(seconds, 86_400)),
    };
    Stamp { shown, exact: iso(at), counting: true }
}

/// A moment: today `14:12:36`, this year `23 Nov, 14:12`, else `23 Nov 2026`.
pub fn date(now: Micros, at: Micros) -> Stamp {
    let (today, then) = (Civil::of(now), Civil::of(at));
    let shown = if (today.year, today.month, today.day) == (then.year, then.month, then.day) {
        then.time()
    } else if today.year == then.year {
        format!("{} {}, {:02}:{:02}", then.day, then.month_name(), then.hour, then.minute)
    } else {
        format!("{} {} {}", then.day, then.month_name(), then.year)
    };
    Stamp { shown, exact: iso(at), counting: false }
}

/// The time of day: `14:12:36`.
pub fn clock(at: Micros) -> Stamp {
    Stamp { shown: Civil::of(at).time(), exact: iso(at), counting: false }
}

/// The time of day with hundredths, where order matters: `14:11:48.31`.
pub fn clock_fine(at: Micros) -> Stamp {
    let then = Civil::of(at);
    Stamp { shown: format!("{}.{:02}", then.time(), then.micros / 10_000), exact: iso(at), counting: false }
}

fn iso(at: Micros) -> String {
    let then = Civil::of(at);
    let date = format!("{:04}-{:02}-{:02}T{}", then.year, then.month, then.day, then.time());
    if then.micros == 0 { format!("{date}Z") } else { format!("{date}.{:03}Z", then.micros / 1_000) }
}

/// A moment in the Gregorian calendar, UTC.
struct Civil {
    year: i64,
    month: usize,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
}

impl Civil {
    fn of(at: Micros) -> Self {
        let (days, rest) = (at.div_euclid(DAY), at.rem_euclid(DAY));
        let second = rest / SECOND;
        let (year, month, day) = calendar(days);
        Self {
            year,
            month,
            day,
            hour: second / 3_600,
            minute: second / 60 % 60,
            second: second % 60,
            micros: rest % SECOND,
        }
    }

    fn time(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }

    fn month_name(&self) -> &'static str {
        MONTHS.get(self.month - 1).copied().unwrap_or_default()
    }
}

/// The date of a day counted from 1970-01-01.
///
/// Years are counted from 1 March, so that the leap day is the last of its year, in eras of 400 years = 146,097 days.
fn calendar(days: i64) -> (i64, usize, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, usize::try_from(month).unwrap_or(1), day)
}

/// Groups of three digits: `1,042`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn tenths(n: u64, unit: u64, name: &str) -> String {
    let tenths = n.saturating_add(unit / 20) / (unit / 10);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

fn two(major: i64, major_unit: &str, minor: i64, minor_unit: &str) -> String {
    if minor == 0 {
        format!("{major} {major_unit}")
    } else {
        format!("{major} {major_unit} {minor} {minor_unit}")
    }
}

fn rounded(n: i64, unit: i64) -> i64 {
    n.saturating_add(unit / 2) / unit
}
