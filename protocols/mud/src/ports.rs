//! Sets of ports.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

use crate::model::{PortMatch, PortOperator};

/// A set of ports: sorted ranges that neither overlap nor touch. No range at all means every port.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ports(Vec<(u16, u16)>);

impl Ports {
    /// Every port.
    pub const ANY: Self = Self(Vec::new());

    /// One port.
    pub fn one(port: u16) -> Self {
        Self(vec![(port, port)])
    }

    /// The union of the ranges; every port when there is none.
    pub fn new(ranges: impl IntoIterator<Item = RangeInclusive<u16>>) -> Self {
        let mut sorted: Vec<(u16, u16)> =
            ranges.into_iter().filter(|r| !r.is_empty()).map(RangeInclusive::into_inner).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::new();
        for (low, high) in sorted {
            match merged.last_mut() {
                Some((_, end)) if u32::from(low) <= u32::from(*end) + 1 => *end = high.max(*end),
                _ => merged.push((low, high)),
            }
        }
        if merged == [(0, u16::MAX)] { Self::ANY } else { Self(merged) }
    }

    /// True when every port is in the set.
    pub fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// The only port of the set.
    pub fn single(&self) -> Option<u16> {
        match self.0.as_slice() {
            [(low, high)] if low == high => Some(*low),
            _ => None,
        }
    }

    /// The ranges; none when every port is in the set.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u16>> {
        self.0.iter().map(|(low, high)| *low..=*high)
    }

    /// Number of ports.
    pub fn count(&self) -> u32 {
        match self.is_any() {
            true => 1 << 16,
            false => self.0.iter().map(|(low, high)| u32::from(high - low) + 1).sum(),
        }
    }

    /// True when the port is in the set.
    pub fn contains(&self, port: u16) -> bool {
        self.is_any() || self.0.iter().any(|(low, high)| (*low..=*high).contains(&port))
    }

    /// True when every port of the other set is in this one.
    pub fn covers(&self, other: &Self) -> bool {
        let within = |(low, high): &(u16, u16)| self.0.iter().any(|(l, h)| l <= low && high <= h);
        self.is_any() || (!other.is_any() && other.0.iter().all(within))
    }

    /// True when the sets have a port in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        let meets = |(low, high): &(u16, u16)| other.0.iter().any(|(l, h)| l <= high && low <= h);
        self.is_any() || other.is_any() || self.0.iter().any(meets)
    }
}

impl From<&PortMatch> for Ports {
    fn from(port: &PortMatch) -> Self {
        match *port {
            PortMatch::Range(low, high) => Self::new([low..=high]),
            PortMatch::Operator(PortOperator::Eq, port) => Self::one(port),
            PortMatch::Operator(PortOperator::Lte, port) => Self::new([0..=port]),
            PortMatch::Operator(PortOperator::Gte, port) => Self::new([port..=u16::MAX]),
            PortMatch::Operator(PortOperator::Neq, port) => {
                let below = port.checked_sub(1).map(|end| 0..=end);
                let above = port.checked_add(1).map(|start| start..=u16::MAX);
                Self::new(below.into_iter().chain(above))
            }
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_any() {
            return f.write_str("any");
        }
        for (index, (low, high)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match low == high {
                true => write!(f, "{comma}{low}")?,
                false => write!(f, "{comma}{low}-{high}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn merges_ranges() {
        for (ranges, text, count) in [
            (vec![], "any", 65536),
            (vec![0..=u16::MAX], "any", 65536),
            (vec![0..=99, 100..=u16::MAX], "any", 65536),
            (vec![443..=443], "443", 1),
            (vec![10..=20, 1..=5, 6..=9, 30..=40, 35..=36], "1-20,30-40", 31),
        ] {
            let ports = Ports::new(ranges);
            assert_eq!((ports.to_string().as_str(), ports.count()), (text, count));
        }
    }

    #[test]
    fn follows_the_operators() {
        use PortOperator::*;
        for (operator, port, text) in [
            (Eq, 443, "443"),
            (Lte, 1023, "0-1023"),
            (Lte, u16::MAX, "any"),
            (Gte, 1024, "1024-65535"),
            (Gte, 0, "any"),
            (Neq, 23, "0-22,24-65535"),
            (Neq, 0, "1-65535"),
            (Neq, u16::MAX, "0-65534"),
        ] {
            assert_eq!(Ports::from(&PortMatch::Operator(operator, port)).to_string(), text);
        }
    }

    #[test]
    fn compares_sets() {
        let https = Ports::one(443);
        let low = Ports::new([0..=1023]);
        let split = Ports::new([0..=22, 24..=1023]);
        assert!(low.covers(&https) && !https.covers(&low));
        assert!(Ports::ANY.covers(&low) && !low.covers(&Ports::ANY));
        assert!(low.covers(&split) && !split.covers(&low));
        assert!(split.overlaps(&low) && !split.overlaps(&Ports::one(23)) && Ports::ANY.overlaps(&https));
        assert!(split.contains(22) && !split.contains(23) && Ports::ANY.contains(0));
        assert_eq!((https.single(), low.single(), Ports::ANY.single()), (Some(443), None, None));
    }
}
