use std::{
    fmt::Display,
    io::{Write as _, stderr},
    sync::atomic::{AtomicUsize, Ordering},
};

/// Says aloud that a test, or a part of one, is not run here, and the how many-th that is of this program.
///
/// It goes past the capture of the test runner, which shows nothing of tests that pass: one that was skipped must not look
/// like one that held.
pub fn skipped(what: impl Display) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
    // Where nobody hears, there is nobody to tell.
    let _told = writeln!(stderr().lock(), "SKIPPED ({number}): {what}");
}
