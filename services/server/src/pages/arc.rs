//! The posture arc: one mark a device up to sixty, above that one mark a hundredth.

use std::f64::consts::PI;

use maud::{Markup, html};

use super::{
    view::{Posture, PostureCounts},
    words::{count, ratio},
};

/// Above this many devices a mark is a hundredth.
const MAX_DEVICES: u64 = 60;
const HUNDREDTHS: u64 = 100;

const CENTRE: (f64, f64) = (200.0, 196.0);
const INNER: f64 = 132.0;
const OUTER: f64 = 172.0;
/// The arm reaches over the marks on both sides.
const ARM: (f64, f64) = (112.0, 186.0);
/// The marks do not touch the horizon.
const MARGIN: f64 = 0.01;

/// From the left end of the arc to its right end.
const ORDER: [Posture; 6] = [
    Posture::Trusted,
    Posture::Outdated,
    Posture::Unknown,
    Posture::Stale,
    Posture::Untrusted,
    Posture::Quarantined,
];

/// The arc, its marks grouped into one link a posture, the brass arm at the trusted share.
pub(super) fn arc(counts: &PostureCounts) -> Markup {
    let total = counts.total();
    let trusted = counts.of(Posture::Trusted);
    let marks = marks(counts);
    let all: u64 = marks.iter().sum();
    let mut before = 0;
    let groups: Vec<_> = ORDER
        .into_iter()
        .zip(marks)
        .filter(|(_, marks)| *marks > 0)
        .map(|(posture, marks)| {
            let lines: String =
                (before..before + marks).map(|index| line(place(index, all), (INNER, OUTER))).collect();
            before += marks;
            (posture, lines, format!("{} {}", count(counts.of(posture)).shown, posture.as_str()))
        })
        .collect();
    // A mark leaves two fifths of its room to its neighbours' gap.
    let width = (PI * INNER / all.max(1) as f64 * 0.77).clamp(2.0, 6.4);
    let share = trusted as f64 / total.max(1) as f64;
    html! {
        svg.ch viewBox="0 -12 400 226" role="group" aria-labelledby="arc-t" {
            title id="arc-t" { (ratio(trusted, total)) " devices are trusted" }
            path.s-line2 stroke-width="1" d=(ticks()) {}
            text.t-sm.t-dim.mid x="13" y="211" { "0 %" }
            text.t-sm.t-dim.mid x="200" y="0" { "50 %" }
            text.t-sm.t-dim.mid x="389" y="211" { "100 %" }
            @for (posture, lines, label) in &groups {
                a href=(posture.href()) aria-label=(label) {
                    path class={ "s-" (posture.as_str()) } stroke-width=(format!("{width:.1}")) d=(lines) {
                        title { (label) }
                    }
                }
            }
            path.s-brass stroke-width="2.4" stroke-linecap="round" d=(line(share, ARM)) {}
            text.big.mid x="200" y="170" { (count(trusted).shown) }
            text.mid x="200" y="194" font-size="14" { "of " (count(total).shown) " trusted" }
        }
    }
}

/// How many marks each posture gets, in the order of the arc.
///
/// Hundredths are dealt by largest remainder, after any posture with at least one device has got one.
fn marks(counts: &PostureCounts) -> [u64; 6] {
    let devices = ORDER.map(|posture| counts.of(posture));
    let total = counts.total();
    if total <= MAX_DEVICES {
        return devices;
    }
    let exact = devices.map(|n| n as f64 * HUNDREDTHS as f64 / total as f64);
    let mut marks = exact.map(|share| share.floor() as u64);
    for (mark, n) in marks.iter_mut().zip(devices) {
        *mark = (*mark).max(u64::from(n > 0));
    }
    // How much more a posture deserves than it has; the one that deserves most gives or takes the next mark.
    let due = |marks: &[u64; 6], index: usize| exact[index] - marks[index] as f64;
    while marks.iter().sum::<u64>() != HUNDREDTHS {
        let more = marks.iter().sum::<u64>() < HUNDREDTHS;
        let candidates = (0..6).filter(|index| if more { devices[*index] > 0 } else { marks[*index] > 1 });
        let most = |a: &usize, b: &usize| due(&marks, *a).total_cmp(&due(&marks, *b));
        let Some(index) = (if more { candidates.max_by(most) } else { candidates.min_by(most) }) else {
            break;
        };
        marks[index] = if more { marks[index] + 1 } else { marks[index] - 1 };
    }
    marks
}

/// Where a mark stands: 0 at the left end, 1 at the right end.
fn place(index: u64, all: u64) -> f64 {
    let middle = (index as f64 + 0.5) / all.max(1) as f64;
    MARGIN + middle * (1.0 - 2.0 * MARGIN)
}

/// A line along the radius at this place of the arc.
fn line(at: f64, (from, to): (f64, f64)) -> String {
    let (sin, cos) = (PI * (1.0 - at)).sin_cos();
    let (x, y) = CENTRE;
    format!("M{:.1} {:.1}L{:.1} {:.1}", x + from * cos, y - from * sin, x + to * cos, y - to * sin)
}

/// The scale: a tick every five hundredths, a longer one at each quarter.
fn ticks() -> String {
    (0..=20)
        .map(|index| line(f64::from(index) / 20.0, (180.0, if index % 5 == 0 { 190.0 } else { 185.0 })))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(devices: [u64; 6]) -> PostureCounts {
        let mut counts = PostureCounts::default();
        ORDER.into_iter().zip(devices).for_each(|(posture, n)| counts.add_many(posture, n));
        counts
    }

    #[test]
    fn has_one_mark_a_device_up_to_sixty() {
        assert_eq!(marks(&counts([33, 12, 1, 2, 1, 1])), [33, 12, 1, 2, 1, 1]);
        assert_eq!(marks(&counts([60, 0, 0, 0, 0, 0])), [60, 0, 0, 0, 0, 0]);
        assert_eq!(marks(&counts([0; 6])), [0; 6]);
    }

    #[test]
    fn has_a_hundred_marks_above_sixty_and_keeps_one_for_the_only_device() {
        for devices in [
            [61, 0, 0, 0, 0, 0],
            [60, 1, 0, 0, 0, 0],
            [99_995, 1, 1, 1, 1, 1],
            [1, 1, 1, 1, 1, 99_995],
            [20, 20, 20, 20, 20, 20],
            [333, 333, 333, 0, 0, 1],
            [u64::MAX / 8; 6],
        ] {
            let marks = marks(&counts(devices));
            assert_eq!(marks.iter().sum::<u64>(), 100, "{devices:?} {marks:?}");
            assert!(
                devices.iter().zip(marks).all(|(n, marks)| (*n > 0) == (marks > 0)),
                "{devices:?} {marks:?}"
            );
        }
    }

    #[test]
    fn points_the_arm_to_the_trusted_share() {
        assert_eq!(line(0.5, ARM), "M200.0 84.0L200.0 10.0");
        assert_eq!(line(0.0, ARM), "M88.0 196.0L14.0 196.0");
    }
}
