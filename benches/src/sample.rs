//! Repetitions, interleaved, and what is in the middle of them.

use std::time::{Duration, Instant};

/// Times of something, in seconds.
pub(crate) struct Sample(Vec<f64>);

/// Runs the subjects in turn, `calls` times each in every round, so that whatever else the machine does meets all of
/// them alike. Gives the seconds per call of each.
pub(crate) fn interleave<const N: usize>(
    rounds: usize,
    calls: u32,
    mut subjects: [&mut dyn FnMut(); N],
) -> [Sample; N] {
    let mut times = [const { Vec::new() }; N];
    // The first round warms up.
    for round in 0..=rounds {
        for (subject, times) in subjects.iter_mut().zip(&mut times) {
            let start = Instant::now();
            (0..calls).for_each(|_| subject());
            if round > 0 {
                times.push(start.elapsed().as_secs_f64() / f64::from(calls));
            }
        }
    }
    times.map(Sample::new)
}

impl Sample {
    pub(crate) fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    pub(crate) fn of_durations(times: impl IntoIterator<Item = Duration>) -> Self {
        Self::new(times.into_iter().map(|time| time.as_secs_f64()).collect())
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The value that this share of all values does not exceed; not a number when there are none.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    /// How often per second, in the median.
    pub(crate) fn per_second(&self) -> f64 {
        1.0 / self.median()
    }
}

/// A rate for people.
pub(crate) fn rate(per_second: f64) -> String {
    if per_second >= 10_000.0 {
        format!("{:.1} k/s", per_second / 1000.0)
    } else {
        format!("{per_second:.0}/s")
    }
}

/// A time for people.
pub(crate) fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}
