use crate::Cause;

/// Random numbers of the operating system, for state machines that cannot be told that there are none.
#[derive(Default)]
pub(crate) struct Random {
    failed: Option<getrandom::Error>,
}

impl Random {
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            self.failed = Some(error);
        }
    }

    /// Whether all that was asked for came. Nothing may leave before this was asked.
    pub(crate) fn check(&self) -> Result<(), Cause> {
        self.failed.map_or(Ok(()), |error| Err(Cause::Random(error)))
    }
}
