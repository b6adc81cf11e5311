use alloc::vec::Vec;

use cbor::{MapBuilder, Reason, lean::Reader};

use crate::{Feature, VersionMatch, error::Fault, labels::wait, limits::MAX_OTHER_DEVICES};

/// Events a wait directive holds out for; all must have happened (UM, section 4.3).
///
/// The draft leaves the values of power and network states to a deployment profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitInfo<'b> {
    /// Somebody authorised the update of this priority; smaller is more urgent.
    pub authorization: Option<i64>,
    /// The power state.
    pub power: Option<i64>,
    /// The network state.
    pub network: Option<i64>,
    /// Other devices have these versions.
    pub other_devices: Vec<OtherDevice<'b>>,
    /// Seconds since 1970 have reached this.
    pub time: Option<u64>,
    /// Local seconds since midnight have reached this.
    pub time_of_day: Option<u64>,
    /// The local day of the week; 0 is Sunday.
    pub day_of_week: Option<u64>,
    /// Seconds since midnight UTC have reached this.
    pub utc_time_of_day: Option<u64>,
    /// The day of the week in UTC; 0 is Sunday.
    pub utc_day_of_week: Option<u64>,
}

/// Versions that another device must have (UM, section 4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherDevice<'b> {
    /// Identifier of the other device.
    pub device: &'b [u8],
    /// Demands on its version; all must be met.
    pub versions: Vec<VersionMatch>,
}

impl<'b> WaitInfo<'b> {
    pub(crate) fn decode(reader: &mut Reader<'b>) -> Result<Self, Fault> {
        let mut info = Self::default();
        let start = reader.position();
        let mut map = reader.map()?;
        if map.remaining() == 0 {
            return Err(Fault::rule(start, "wait info names no event"));
        }
        loop {
            let at = reader.position();
            let Some(event) = map.next_int(reader)? else { return Ok(info) };
            match event {
                wait::AUTHORIZATION | wait::POWER | wait::NETWORK => {
                    let value = Some(reader.int()?);
                    match event {
                        wait::AUTHORIZATION => info.authorization = value,
                        wait::POWER => info.power = value,
                        _ => info.network = value,
                    }
                }
                wait::OTHER_DEVICE => info.other_devices = other_devices(reader)?,
                wait::TIME
                | wait::TIME_OF_DAY
                | wait::DAY_OF_WEEK
                | wait::UTC_TIME_OF_DAY
                | wait::UTC_DAY_OF_WEEK => {
                    let (place, last) = match event {
                        wait::TIME => (&mut info.time, u64::MAX),
                        wait::TIME_OF_DAY => (&mut info.time_of_day, SECONDS_PER_DAY - 1),
                        wait::DAY_OF_WEEK => (&mut info.day_of_week, DAYS_PER_WEEK - 1),
                        wait::UTC_TIME_OF_DAY => (&mut info.utc_time_of_day, SECONDS_PER_DAY - 1),
                        _ => (&mut info.utc_day_of_week, DAYS_PER_WEEK - 1),
                    };
                    let at = reader.position();
                    let value = reader.uint()?;
                    // Later than a day has seconds never comes.
                    if value > last {
                        return Err(Fault::new(at, Reason::OutOfRange));
                    }
                    *place = Some(value);
                }
                other => return Err(Fault::unsupported(at, Feature::WaitEvent(other))),
            }
        }
    }

    /// Labels of the events that are waited for, ascending.
    pub fn events(&self) -> impl Iterator<Item = i64> {
        wait::ALL.into_iter().filter(|event| self.waits_for(*event))
    }

    /// Whether the event with a label is waited for.
    pub(crate) fn waits_for(&self, event: i64) -> bool {
        match event {
            wait::AUTHORIZATION => self.authorization.is_some(),
            wait::POWER => self.power.is_some(),
            wait::NETWORK => self.network.is_some(),
            wait::OTHER_DEVICE => !self.other_devices.is_empty(),
            wait::TIME => self.time.is_some(),
            wait::TIME_OF_DAY => self.time_of_day.is_some(),
            wait::DAY_OF_WEEK => self.day_of_week.is_some(),
            wait::UTC_TIME_OF_DAY => self.utc_time_of_day.is_some(),
            wait::UTC_DAY_OF_WEEK => self.utc_day_of_week.is_some(),
            _ => false,
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut map = MapBuilder::new();
        let int = |w: &mut cbor::Writer, value: i64| {
            w.int(value);
        };
        let uint = |w: &mut cbor::Writer, value: u64| {
            w.uint(value);
        };
        map.int_if(wait::AUTHORIZATION, self.authorization, int);
        map.int_if(wait::POWER, self.power, int);
        map.int_if(wait::NETWORK, self.network, int);
        map.int_if(wait::TIME, self.time, uint);
        map.int_if(wait::TIME_OF_DAY, self.time_of_day, uint);
        map.int_if(wait::DAY_OF_WEEK, self.day_of_week, uint);
        map.int_if(wait::UTC_TIME_OF_DAY, self.utc_time_of_day, uint);
        map.int_if(wait::UTC_DAY_OF_WEEK, self.utc_day_of_week, uint);
        if !self.other_devices.is_empty() {
            map.int(wait::OTHER_DEVICE, |w| {
                w.array(2 * self.other_devices.len());
                for other in &self.other_devices {
                    w.bytes(other.device).array(other.versions.len());
                    other.versions.iter().for_each(|version| version.encode(w));
                }
            });
        }
        map.into_bytes()
    }
}

/// Seconds of a day.
pub(crate) const SECONDS_PER_DAY: u64 = 86_400;
/// Days of a week.
pub(crate) const DAYS_PER_WEEK: u64 = 7;

/// Reads a flat array of pairs of identifier and demands.
fn other_devices<'b>(reader: &mut Reader<'b>) -> Result<Vec<OtherDevice<'b>>, Fault> {
    let at = reader.position();
    let count = reader.array()?;
    if count == 0 || !count.is_multiple_of(2) {
        return Err(Fault::rule(at, "other devices are not pairs of identifier and versions"));
    }
    if count / 2 > MAX_OTHER_DEVICES {
        return Err(Fault::too_long(at, MAX_OTHER_DEVICES));
    }
    let mut devices = Vec::with_capacity(count / 2);
    for _ in 0..count / 2 {
        let device = reader.bytes()?;
        let at = reader.position();
        let versions = reader.array()?;
        if versions == 0 || versions > MAX_OTHER_DEVICES {
            return Err(Fault::rule(at, "versions of another device are none or too many"));
        }
        let mut other = OtherDevice { device, versions: Vec::with_capacity(versions) };
        for _ in 0..versions {
            other.versions.push(VersionMatch::decode(reader)?);
        }
        devices.push(other);
    }
    Ok(devices)
}
