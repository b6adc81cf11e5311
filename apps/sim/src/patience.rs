use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::Error;

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(40);

/// How long something is waited for.
pub(crate) struct Patience {
    what: String,
    within: Duration,
    end: Instant,
    stop: Arc<AtomicBool>,
}

impl Patience {
    pub(crate) fn new(what: &str, within: Duration, stop: Arc<AtomicBool>) -> Self {
        Self { what: what.to_owned(), within, end: Instant::now() + within, stop }
    }

    /// Pauses before another look, or says that it is enough.
    pub(crate) fn again(&self, last: String) -> Result<(), Error> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        if Instant::now() > self.end {
            return Err(Error::TooLate { what: self.what.clone(), within: self.within, last });
        }
        thread::sleep(LOOK);
        Ok(())
    }
}
