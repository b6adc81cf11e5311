use alloc::{borrow::ToOwned, string::String};

use cbor::{Error as CborError, Reader, Reason as Malformed, Writer};

use crate::{Access, Code, Reason};

/// What a person leaves a device, whatever its evidence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Restriction {
    /// Nothing, and it is put off the link.
    Ejected,
    /// Nothing: a block.
    Blocked,
    /// Attestation, update and what they need: a quarantine.
    UpdateOnly,
    /// Nothing new but attestation, update and what they need; what runs by its release goes on.
    Restricted,
}

impl Restriction {
    /// Every restriction, from the strictest.
    pub const ALL: [Self; 4] = [Self::Ejected, Self::Blocked, Self::UpdateOnly, Self::Restricted];

    /// Its word, that of what the device may still reach.
    pub const fn as_str(self) -> &'static str {
        self.access().as_str()
    }

    /// The restriction with this word. One that is not known may be meant to close everything, so it does.
    pub fn from_text(text: &str) -> Self {
        Self::ALL.into_iter().find(|known| known.as_str() == text).unwrap_or(Self::Blocked)
    }

    /// The most that the device may reach.
    pub const fn access(self) -> Access {
        match self {
            Self::Ejected => Access::Ejected,
            Self::Blocked => Access::Blocked,
            Self::UpdateOnly => Access::UpdateOnly,
            Self::Restricted => Access::Restricted,
        }
    }

    const fn code(self) -> Code {
        match self {
            Self::Ejected => Code::OperatorEjection,
            Self::Blocked => Code::OperatorBlock,
            Self::UpdateOnly => Code::OperatorQuarantine,
            Self::Restricted => Code::OperatorRestriction,
        }
    }
}

/// A person's restriction of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// What it leaves the device.
    pub restriction: Restriction,
    /// Who restricted it.
    pub person: String,
    /// Why.
    pub why: String,
    /// Until when, in seconds since 1970; `None` until a person ends it.
    pub until: Option<i64>,
}

impl Hold {
    /// The reason that it adds to a decision.
    pub(crate) fn reason(&self) -> Reason {
        let reason =
            Reason::new(self.restriction.code()).with("person", &self.person).with("reason", &self.why);
        match self.until {
            Some(until) => reason.with("until", until),
            None => reason,
        }
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.array(4).uint(self.restriction.access().number()).text(&self.person).text(&self.why);
        match self.until {
            Some(until) => writer.int(until),
            None => writer.null(),
        };
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, CborError> {
        reader.array_of(4)?;
        let at = reader.position();
        let number = reader.uint()?;
        let restriction = Restriction::ALL.into_iter().find(|known| known.access().number() == number);
        let restriction = restriction.ok_or(CborError::new(at, Malformed::OutOfRange))?;
        let (person, why) = (reader.text()?.to_owned(), reader.text()?.to_owned());
        let until = if reader.is_null()? { None } else { Some(reader.int()?) };
        Ok(Self { restriction, person, why, until })
    }
}
