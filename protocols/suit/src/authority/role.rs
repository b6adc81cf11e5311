use core::fmt;
use core::str::FromStr;

/// What the holder of a key does. A key does one thing: whoever approves has not also made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Makes the software and says what it is.
    Author,
    /// Owns the device and says when it is installed.
    Operator,
    /// Encrypts an author's images and says where they are, and nothing else ([`super::beyond_distribution`]).
    Distributor,
    /// Another party that a rule of the list may ask for.
    Party(Party),
    /// Says who the others are: signs changes of the list, and nothing else but a jump of the sequence number. These
    /// keys belong offline.
    Root,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Author => f.write_str("author"),
            Self::Operator => f.write_str("operator"),
            Self::Distributor => f.write_str("distributor"),
            Self::Party(party) => party.fmt(f),
            Self::Root => f.write_str("root"),
        }
    }
}

impl FromStr for Role {
    type Err = NotAParty;

    fn from_str(text: &str) -> Result<Self, NotAParty> {
        match text {
            "author" => Ok(Self::Author),
            "operator" => Ok(Self::Operator),
            "distributor" => Ok(Self::Distributor),
            "root" => Ok(Self::Root),
            text => Party::new(text).map(Self::Party).ok_or(NotAParty),
        }
    }
}

/// Name of a party besides author and operator, such as `safety` or `network`: small letters, digits and hyphens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Party {
    /// Filled with zeros behind the name, so that names of equal text are equal.
    name: [u8; Party::MAX_LEN],
}

impl Party {
    /// The longest name in bytes.
    pub const MAX_LEN: usize = 16;

    /// A party of this name, unless the name is empty, too long, has other characters or is that of another role.
    pub fn new(text: &str) -> Option<Self> {
        let allowed = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        let reserved = ["author", "operator", "distributor", "root"].contains(&text);
        if text.is_empty() || reserved || !text.as_bytes().iter().all(allowed) {
            return None;
        }
        let mut name = [0; Self::MAX_LEN];
        name.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { name })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        let len = self.name.iter().position(|byte| *byte == 0).unwrap_or(Self::MAX_LEN);
        let name = self.name.get(..len).unwrap_or_default();
        core::str::from_utf8(name).expect("a party's name is of ASCII letters")
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAParty;

impl fmt::Display for NotAParty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a role is author, operator, distributor, root, or a party of up to {} small letters, digits and hyphens",
            Party::MAX_LEN
        )
    }
}

impl core::error::Error for NotAParty {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn roles_are_read_as_they_are_shown_and_a_party_never_bears_the_name_of_another_role() {
        for text in ["author", "operator", "distributor", "root", "safety", "network-operator", "a"] {
            assert_eq!(text.parse::<Role>().unwrap().to_string(), text);
        }
        for text in ["", "Safety", "network operator", "sixteen-and-more-", "root\0"] {
            assert_eq!(text.parse::<Role>(), Err(NotAParty), "{text}");
        }
        assert!(["author", "operator", "distributor", "root"].iter().all(|text| Party::new(text).is_none()));
        assert_eq!(Party::new("sixteen-letters-").map(|party| party.as_str().len()), Some(Party::MAX_LEN));
    }
}
