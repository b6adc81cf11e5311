use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

use super::Property;

/// The properties of one entry of a report. Most entries have one or none, which need no allocation.
#[derive(Clone)]
pub struct Properties(Stored);

#[derive(Clone)]
enum Stored {
    Few(Option<Property>),
    Many(Vec<Property>),
}

impl Deref for Properties {
    type Target = [Property];

    fn deref(&self) -> &[Property] {
        match &self.0 {
            Stored::Few(property) => property.as_slice(),
            Stored::Many(properties) => properties,
        }
    }
}

impl From<Option<Property>> for Properties {
    fn from(property: Option<Property>) -> Self {
        Self(Stored::Few(property))
    }
}

impl From<Vec<Property>> for Properties {
    fn from(properties: Vec<Property>) -> Self {
        Self(Stored::Many(properties))
    }
}

impl Default for Properties {
    fn default() -> Self {
        None.into()
    }
}

impl PartialEq for Properties {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Properties {}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.deref().fmt(f)
    }
}
