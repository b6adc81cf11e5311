//! When a file is asked for again (RFC 8520, section 3.5). A file that has become old is neither discarded nor does it
//! end anybody's access: what follows from these answers is a request, or a message to a person.

use crate::model::MudFile;

/// Longest wait between two checks, in seconds: the longest `cache-validity`.
pub const MAX_REFRESH_SECONDS: u32 = 168 * 3600;
/// Shortest wait between two checks, in seconds.
pub const MIN_REFRESH_SECONDS: u32 = 3600;
/// Share of the validity that is left when a person is told.
const ENDS_SOON: i64 = 8;

/// How a file was last brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retrieval {
    /// When, in seconds since 1970.
    pub at: i64,
    /// `max-age` that the web server gave, in seconds.
    pub max_age: Option<u32>,
}

/// Whether to ask for a file again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// It is time.
    Due,
    /// Not before this time, in seconds since 1970, unless a person asks or a manifest that was attested changes.
    NotBefore(i64),
}

/// How much the file in force can be relied on to be the newest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It is within its validity.
    Fresh,
    /// It is still within it, and not for long: a file that nobody fetches has to be brought by a person (section 1.6).
    EndsSoon {
        /// When, in seconds since 1970.
        at: i64,
    },
    /// Its validity is over. It stays in force; that it could not be renewed is worth a line in the log (section 1.6).
    Stale {
        /// Since when, in seconds since 1970.
        since: i64,
    },
}

impl MudFile {
    /// When the file may be asked for again: after the longest of its `cache-validity`, the server's caching period and
    /// [`MIN_REFRESH_SECONDS`], counted from the last retrieval, and not before its validity counted from `last-update`
    /// (RFC 8520, sections 3.5 and 7). Never later than [`MAX_REFRESH_SECONDS`]: a file from the future cannot keep its
    /// successors away. A caller with many files adds some jitter.
    pub fn next_check(&self, retrieval: Retrieval) -> i64 {
        let validity = self.cache_seconds();
        let wait = validity.max(retrieval.max_age.unwrap_or_default());
        let wait = wait.clamp(MIN_REFRESH_SECONDS, MAX_REFRESH_SECONDS);
        let updated = self.last_update.unix_seconds().saturating_add(validity.into());
        let latest = retrieval.at.saturating_add(MAX_REFRESH_SECONDS.into());
        retrieval.at.saturating_add(wait.into()).max(updated).min(latest)
    }

    /// Whether to ask for the file again. A retrieval in the future was timed by a clock that was wrong.
    pub fn check(&self, retrieval: Retrieval, now: i64) -> Check {
        let at = self.next_check(retrieval);
        if now >= at || now < retrieval.at { Check::Due } else { Check::NotBefore(at) }
    }

    /// How fresh the file is.
    pub fn freshness(&self, retrieval: Retrieval, now: i64) -> Freshness {
        let ends = self.next_check(retrieval);
        let left = ends.saturating_sub(now);
        if left <= 0 {
            Freshness::Stale { since: ends }
        } else if left <= ends.saturating_sub(retrieval.at) / ENDS_SOON {
            Freshness::EndsSoon { at: ends }
        } else {
            Freshness::Fresh
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::decode::{Context, parse};

    const HOUR: i64 = 3600;
    /// 2026-03-01T10:00:00Z, which the file below gives as its `last-update`.
    const UPDATED: i64 = 1_772_359_200;

    fn file(validity: &str, updated: &str) -> MudFile {
        let json = format!(
            r#"{{"ietf-mud:mud":{{"mud-version":1,"mud-url":"https://maker.example/cam.json",{validity}
            "last-update":"{updated}","is-supported":true}}}}"#
        );
        parse(json.as_bytes(), &Context::default()).unwrap_or_else(|e| panic!("{e}")).file
    }

    #[test]
    fn waits_for_the_longest_period_and_no_longer_than_a_week() {
        let old = |validity: &str| file(validity, "2026-01-01T00:00:00Z");
        let fetched = |max_age| Retrieval { at: UPDATED, max_age };
        for (file, retrieval, hours) in [
            (old(r#""cache-validity":24,"#), fetched(None), 24),
            (old(""), fetched(None), 48),
            (old(r#""cache-validity":168,"#), fetched(None), 168),
            (old(r#""cache-validity":1,"#), fetched(None), 1),
            // A shorter period of the web server never shortens it, a longer one counts.
            (old(r#""cache-validity":24,"#), fetched(Some(60)), 24),
            (old(r#""cache-validity":24,"#), fetched(Some(30 * 3600)), 30),
            (old(r#""cache-validity":24,"#), fetched(Some(u32::MAX)), 168),
            // Fetched an hour before it says it was made: its own time counts, up to a week.
            (file(r#""cache-validity":24,"#, "2026-03-01T11:00:00Z"), fetched(None), 25),
            (file(r#""cache-validity":24,"#, "2099-01-01T00:00:00Z"), fetched(None), 168),
        ] {
            assert_eq!(file.next_check(retrieval), UPDATED + hours * HOUR, "{retrieval:?} {hours}");
        }
        assert_eq!(old("").next_check(Retrieval { at: i64::MAX, max_age: None }), i64::MAX);
    }

    #[test]
    fn says_when_a_check_is_due_and_how_fresh_a_file_is() {
        let file = file(r#""cache-validity":80,"#, "2026-01-01T00:00:00Z");
        let retrieval = Retrieval { at: UPDATED, max_age: None };
        let ends = UPDATED + 80 * HOUR;
        for (now, check, freshness) in [
            (UPDATED, Check::NotBefore(ends), Freshness::Fresh),
            (ends - 10 * HOUR - 1, Check::NotBefore(ends), Freshness::Fresh),
            (ends - 10 * HOUR, Check::NotBefore(ends), Freshness::EndsSoon { at: ends }),
            (ends - 1, Check::NotBefore(ends), Freshness::EndsSoon { at: ends }),
            (ends, Check::Due, Freshness::Stale { since: ends }),
            (ends + 1000 * HOUR, Check::Due, Freshness::Stale { since: ends }),
            // The clock was wrong at the last retrieval.
            (UPDATED - 1, Check::Due, Freshness::Fresh),
        ] {
            assert_eq!(
                (file.check(retrieval, now), file.freshness(retrieval, now)),
                (check, freshness),
                "{now}"
            );
        }
    }
}
