//! Where an entity is (RFC 9711, section 4.2.10).

use alloc::{format, string::String};

use cbor::{Error, MapBuilder, Reader, Reason, Type, Writer};

use crate::{error::JsonError, json::Value, members};

/// Labels of a location, and the names they have in JSON.
const LATITUDE: (i64, &str) = (1, "latitude");
const LONGITUDE: (i64, &str) = (2, "longitude");
const ALTITUDE: (i64, &str) = (3, "altitude");
const ACCURACY: (i64, &str) = (4, "accuracy");
const ALTITUDE_ACCURACY: (i64, &str) = (5, "altitude-accuracy");
const HEADING: (i64, &str) = (6, "heading");
const SPEED: (i64, &str) = (7, "speed");
const TIMESTAMP: (i64, &str) = (8, "timestamp");
const AGE: (i64, &str) = (9, "age");

/// location (RFC 9711, section 4.2.10), in the units of the W3C Geolocation API: degrees, metres, metres a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Latitude in degrees.
    pub latitude: Number,
    /// Longitude in degrees.
    pub longitude: Number,
    /// Altitude in metres.
    pub altitude: Option<Number>,
    /// Accuracy of latitude and longitude in metres.
    pub accuracy: Option<Number>,
    /// Accuracy of the altitude in metres.
    pub altitude_accuracy: Option<Number>,
    /// Direction of travel in degrees from north; not a number where the entity stands still.
    pub heading: Option<Number>,
    /// Speed in metres a second.
    pub speed: Option<Number>,
    /// When it was found out, in seconds since 1970.
    pub timestamp: Option<i64>,
    /// How old it is, in seconds.
    pub age: Option<u64>,
}

/// A number as it was written, so that it is written again the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// An integer.
    Int(i64),
    /// The bits of a float.
    Float(u64),
}

impl Number {
    /// A float.
    pub fn float(value: f64) -> Self {
        Self::Float(value.to_bits())
    }

    /// Its value; integers beyond 2^53 lose their last digits.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(bits) => f64::from_bits(bits),
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        match reader.peek()? {
            Type::Float => Ok(Self::float(reader.float()?)),
            _ => Ok(Self::Int(reader.int()?)),
        }
    }

    pub(crate) fn encode(self, writer: &mut Writer) {
        match self {
            Self::Int(value) => writer.int(value),
            Self::Float(bits) => writer.float(f64::from_bits(bits)),
        };
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let Value::Number(text) = value else { return None };
        match value.as_int() {
            Some(value) => Some(Self::Int(value)),
            None => text.parse().ok().filter(|value: &f64| value.is_finite()).map(Self::float),
        }
    }

    /// JSON has no form for what is not a number.
    pub(crate) fn to_json(self) -> Option<Value> {
        match self {
            Self::Int(value) => Some(Value::int(value)),
            Self::Float(bits) => {
                let value = f64::from_bits(bits);
                value.is_finite().then(|| Value::Number(format!("{value:?}")))
            }
        }
    }
}

impl Location {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let mut numbers = [None; 7];
        let (mut timestamp, mut age) = (None, None);
        let mut at = reader.position();
        while let Some(label) = map.next_int(reader)? {
            match label {
                1..=7 => {
                    let slot = usize::try_from(label - 1).ok().and_then(|index| numbers.get_mut(index));
                    if let Some(slot) = slot {
                        *slot = Some(Number::decode(reader)?);
                    }
                }
                _ if label == TIMESTAMP.0 => timestamp = Some(reader.int()?),
                _ if label == AGE.0 => age = Some(reader.uint()?),
                other => return Err(Error::new(at, Reason::Unknown(other))),
            }
            at = reader.position();
        }
        let missing = |(label, _): (i64, &str)| Error::new(start, Reason::MissingKey(label));
        let [latitude, longitude, altitude, accuracy, altitude_accuracy, heading, speed] = numbers;
        Ok(Self {
            latitude: latitude.ok_or(missing(LATITUDE))?,
            longitude: longitude.ok_or(missing(LONGITUDE))?,
            altitude,
            accuracy,
            altitude_accuracy,
            heading,
            speed,
            timestamp,
            age,
        })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        for ((label, _), number) in self.numbers() {
            map.int_if(label, number, |w, number| number.encode(w));
        }
        map.int_if(TIMESTAMP.0, self.timestamp, |w, time| {
            w.int(time);
        });
        map.int_if(AGE.0, self.age, |w, age| {
            w.uint(age);
        });
        map.write(writer);
    }

    pub(crate) fn from_json(value: &Value) -> Result<Self, JsonError> {
        if value.as_object().is_none() {
            return Err(JsonError::member("location", "expected an object"));
        }
        let number = |(_, name): (i64, &'static str)| {
            let number = value
                .get(name)
                .map(|value| Number::from_json(value).ok_or(JsonError::member(name, "expected a number")));
            number.transpose()
        };
        Ok(Self {
            latitude: number(LATITUDE)?.ok_or(members::missing(LATITUDE.1))?,
            longitude: number(LONGITUDE)?.ok_or(members::missing(LONGITUDE.1))?,
            altitude: number(ALTITUDE)?,
            accuracy: number(ACCURACY)?,
            altitude_accuracy: number(ALTITUDE_ACCURACY)?,
            heading: number(HEADING)?,
            speed: number(SPEED)?,
            timestamp: members::int(value, TIMESTAMP.1)?,
            age: members::uint(value, AGE.1)?,
        })
    }

    pub(crate) fn to_json(self) -> Option<Value> {
        let mut members: alloc::vec::Vec<(String, Value)> = alloc::vec::Vec::new();
        for ((_, name), number) in self.numbers() {
            if let Some(number) = number {
                members.push((name.into(), number.to_json()?));
            }
        }
        members.extend(self.timestamp.map(|time| (TIMESTAMP.1.into(), Value::int(time))));
        members.extend(self.age.map(|age| (AGE.1.into(), Value::uint(age))));
        Some(Value::Object(members))
    }

    fn numbers(&self) -> [((i64, &'static str), Option<Number>); 7] {
        [
            (LATITUDE, Some(self.latitude)),
            (LONGITUDE, Some(self.longitude)),
            (ALTITUDE, self.altitude),
            (ACCURACY, self.accuracy),
            (ALTITUDE_ACCURACY, self.altitude_accuracy),
            (HEADING, self.heading),
            (SPEED, self.speed),
        ]
    }
}
