use core::fmt;

/// Trust tier (draft-ietf-rats-ar4si, section 3.2), in the order of severity.
///
/// `None` is no verdict. It sorts before `Affirming` and is not it: whoever relies on a result asks for `Affirming`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Nothing can be said.
    None,
    /// The verifier vouches for it.
    Affirming,
    /// Something deserves attention.
    Warning,
    /// It is not to be trusted.
    Contraindicated,
}

/// What one claim of a trust vector is about (draft-ietf-rats-ar4si, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Who the attester is.
    InstanceIdentity,
    /// How it is configured.
    Configuration,
    /// What code runs.
    Executables,
    /// What files it holds.
    FileSystem,
    /// Whether its hardware is genuine.
    Hardware,
    /// Whether its memory is hidden from others.
    RuntimeOpaque,
    /// Whether its stored secrets are hidden from others.
    StorageOpaque,
    /// Where the data it passes on comes from.
    SourcedData,
}

/// Trustworthiness vector (draft-ietf-rats-ar4si, section 3.1): one claim for each category, zero for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TrustVector([i8; 8]);

impl Tier {
    /// Every tier.
    pub const ALL: [Self; 4] = [Self::None, Self::Affirming, Self::Warning, Self::Contraindicated];

    /// The tier of a claim's value.
    pub const fn of(value: i8) -> Self {
        match value {
            -1..=1 => Self::None,
            2..=31 | -32..=-2 => Self::Affirming,
            32..=95 | -96..=-33 => Self::Warning,
            96..=127 | -128..=-97 => Self::Contraindicated,
        }
    }

    /// Its number in CBOR.
    pub const fn number(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Affirming => 2,
            Self::Warning => 32,
            Self::Contraindicated => 96,
        }
    }

    /// The tier with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.number() == number)
    }

    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Affirming => "affirming",
            Self::Warning => "warning",
            Self::Contraindicated => "contraindicated",
        }
    }

    /// The tier of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }

    /// The tier of a whole from the tiers of its parts: the most severe, and affirming only if every part is.
    /// A whole without parts has no verdict.
    pub fn of_parts(parts: impl IntoIterator<Item = Self>) -> Self {
        let (mut worst, mut some_none) = (Self::None, false);
        for part in parts {
            worst = worst.max(part);
            some_none |= part == Self::None;
        }
        if worst == Self::Affirming && some_none { Self::None } else { worst }
    }

    /// Whether a stated tier claims no more than the tier computed from what it rests on. To state none is always
    /// modest, except where it hides a warning.
    pub fn is_covered_by(self, computed: Self) -> bool {
        match self {
            Self::None => computed <= Self::Affirming,
            Self::Affirming => computed == Self::Affirming,
            Self::Warning | Self::Contraindicated => self >= computed,
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Category {
    /// Every category, in the order of their labels.
    pub const ALL: [Self; 8] = [
        Self::InstanceIdentity,
        Self::Configuration,
        Self::Executables,
        Self::FileSystem,
        Self::Hardware,
        Self::RuntimeOpaque,
        Self::StorageOpaque,
        Self::SourcedData,
    ];

    /// Its label in CBOR.
    pub const fn label(self) -> i64 {
        self as i64
    }

    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InstanceIdentity => "instance-identity",
            Self::Configuration => "configuration",
            Self::Executables => "executables",
            Self::FileSystem => "file-system",
            Self::Hardware => "hardware",
            Self::RuntimeOpaque => "runtime-opaque",
            Self::StorageOpaque => "storage-opaque",
            Self::SourcedData => "sourced-data",
        }
    }

    /// What a value of this category means, for those the draft names (draft-ietf-rats-ar4si, section 2.3).
    pub const fn meaning(self, value: i8) -> Option<&'static str> {
        Some(match (self, value) {
            (_, 0) => "no claim",
            (_, 1) => "evidence holds unknown elements",
            (_, -1) => "verifier malfunction",
            (_, 99) => "cryptographic validation failed",
            (Self::InstanceIdentity, 2) => "recognised, not known to be compromised",
            (Self::InstanceIdentity, 96) => "recognised, but not trustworthy",
            (Self::InstanceIdentity, 97) => "not recognised",
            (Self::Configuration, 2) => "known and approved",
            (Self::Configuration, 3) => "no known vulnerabilities",
            (Self::Configuration, 32) => "known vulnerabilities",
            (Self::Configuration, 36) => "security-relevant parts cannot be seen",
            (Self::Configuration, 96) => "not acceptable",
            (Self::Executables, 2) => "only approved code, at boot and after",
            (Self::Executables, 3) => "only approved code at boot",
            (Self::Executables, 32) => "recognised code with known bugs",
            (Self::Executables, 33) => "unrecognised code",
            (Self::Executables, 96) => "contraindicated code",
            (Self::FileSystem, 2) => "only approved files",
            (Self::FileSystem, 32) => "unrecognised files",
            (Self::FileSystem, 96) => "contraindicated files",
            (Self::Hardware, 2) => "genuine and supported",
            (Self::Hardware, 32) => "genuine, with known vulnerabilities",
            (Self::Hardware, 96) => "recognised, but contraindicated",
            (Self::Hardware, 97) => "not recognised",
            (Self::RuntimeOpaque, 2) => "memory is encrypted",
            (Self::RuntimeOpaque, 32) => "memory is isolated, not encrypted",
            (Self::RuntimeOpaque, 96) => "memory is visible",
            (Self::StorageOpaque, 2) => "secrets are encrypted with hardware keys",
            (Self::StorageOpaque, 32) => "secrets are encrypted with software keys",
            (Self::StorageOpaque, 96) => "secrets are stored in clear",
            (Self::SourcedData, 2) => "data comes from affirmed attesters",
            (Self::SourcedData, 32) => "data comes from unattested or warned sources",
            (Self::SourcedData, 96) => "data comes from contraindicated sources",
            _ => return None,
        })
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl TrustVector {
    /// Cryptographic validation failed: nothing in the evidence is believed.
    pub const VALIDATION_FAILED: Self = Self([99; 8]);

    /// A vector without any claim.
    pub fn new() -> Self {
        Self::default()
    }

    /// The claim of a category.
    pub const fn get(&self, category: Category) -> i8 {
        self.0[category as usize]
    }

    /// Sets the claim of a category.
    pub fn set(&mut self, category: Category, value: i8) {
        self.0[category as usize] = value;
    }

    /// The same vector with the claim of a category set.
    pub fn with(mut self, category: Category, value: i8) -> Self {
        self.set(category, value);
        self
    }

    /// Adds a claim to one that may stand already: the graver one stays (draft-ietf-rats-ar4si, section 2.3.2).
    pub fn add(&mut self, category: Category, value: i8) {
        if gravity(value) > gravity(self.get(category)) {
            self.set(category, value);
        }
    }

    /// Every category with its claim.
    pub fn iter(&self) -> impl Iterator<Item = (Category, i8)> + '_ {
        Category::ALL.into_iter().map(|category| (category, self.get(category)))
    }

    /// The most severe tier of its claims. Zeros are no claims: a vector of nothing else has the tier `None`, and any
    /// other is as good as its claims.
    pub fn tier(&self) -> Tier {
        self.0.iter().map(|value| Tier::of(*value)).max().unwrap_or(Tier::None)
    }
}

/// Graver tiers first; within one, standard values before private (negative) ones, then the larger number.
fn gravity(value: i8) -> (Tier, bool, bool, u8) {
    let says_something = value != 0;
    (Tier::of(value), says_something, value > 0, value.unsigned_abs())
}
