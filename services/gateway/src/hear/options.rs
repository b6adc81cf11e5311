//! An option that may stand in a message once.

/// What a message has of an option that may stand in it once (RFC 8520, section 10.1): all of it, with code and length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Only<'f> {
    /// It is absent.
    #[default]
    None,
    /// It stands there once.
    One(&'f [u8]),
    /// It stands there more than once.
    Several,
}

impl<'f> Only<'f> {
    /// Takes one more.
    pub(super) fn put(&mut self, option: &'f [u8]) {
        *self = match self {
            Self::None => Self::One(option),
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

/// The bytes of a field at an offset.
pub(super) fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
