use core::cmp::Ordering;

/// What a device may reach: the level of the response to it. Levels are ordered from the narrowest to the widest, and each
/// permits all that the narrower ones do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Nothing, and what stands before the gateway ends its session and keeps it off the air.
    Ejected,
    /// Nothing at all; only what every link needs, and the door at which it is told why.
    Blocked,
    /// Attestation, update and the names and time they need.
    UpdateOnly,
    /// Nothing may begin that [`Access::UpdateOnly`] does not permit; what runs by its release goes on.
    Restricted,
    /// Exactly the flows that the attested release declares, with the site's overrides.
    Release,
    /// What its release does not declare passes as well and is told, within the site's own limits. Only by a signed override.
    Observed,
}

impl Access {
    /// Every level, from the narrowest.
    pub const ALL: [Self; 6] =
        [Self::Ejected, Self::Blocked, Self::UpdateOnly, Self::Restricted, Self::Release, Self::Observed];

    /// The word used everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ejected => "ejected",
            Self::Blocked => "blocked",
            Self::UpdateOnly => "update-only",
            Self::Restricted => "restricted",
            Self::Release => "release",
            Self::Observed => "observed",
        }
    }

    /// Its number in decisions and policies. The first three are older than the others, so numbers have no order.
    pub const fn number(self) -> u64 {
        match self {
            Self::Blocked => 0,
            Self::UpdateOnly => 1,
            Self::Release => 2,
            Self::Restricted => 3,
            Self::Observed => 4,
            Self::Ejected => 5,
        }
    }

    /// The level with this number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.number() == number)
    }

    /// The level with this word.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.as_str() == text)
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Ejected => 0,
            Self::Blocked => 1,
            Self::UpdateOnly => 2,
            Self::Restricted => 3,
            Self::Release => 4,
            Self::Observed => 5,
        }
    }
}

impl PartialOrd for Access {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Access {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}
