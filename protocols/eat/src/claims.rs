use alloc::{collections::BTreeMap, string::String, vec::Vec};

use cbor::{Key, MapBuilder, Reader, Reason, Type, Writer};
use crypto::PublicKey;

use crate::{
    Content, DebugStatus, Distrust, Dloa, Error, Feature, Location, MeasurementResults, Nonce, OemId,
    Profile, Submodule, Ueid, VersionText, labels,
    values::{self, MAX_ENTRIES, text, write_array},
};

/// Claims-set of a token (RFC 9711, section 4), the same whether it came in CBOR or in JSON. Claims this crate does not
/// know are kept and ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// iss (1).
    pub issuer: Option<String>,
    /// sub (2).
    pub subject: Option<String>,
    /// aud (3): one or several.
    pub audience: Vec<String>,
    /// exp (4) in seconds since 1970; fractions are cut off.
    pub expires_at: Option<i64>,
    /// nbf (5) in seconds since 1970; fractions are rounded up.
    pub not_before: Option<i64>,
    /// iat (6) in seconds since 1970; never a float (RFC 9711, section 4.3.1).
    pub issued_at: Option<i64>,
    /// cti (7).
    pub token_id: Option<Vec<u8>>,
    /// cnf (8): the key that is bound to what is attested (RFC 8747, section 3.2).
    pub confirmation: Option<PublicKey>,
    /// eat_nonce (10): none, one or several.
    pub nonces: Vec<Nonce>,
    /// ueid (256).
    pub ueid: Option<Ueid>,
    /// sueids (257).
    pub sueids: BTreeMap<String, Ueid>,
    /// oemid (258).
    pub oemid: Option<OemId>,
    /// hwmodel (259).
    pub hwmodel: Option<Vec<u8>>,
    /// hwversion (260).
    pub hwversion: Option<VersionText>,
    /// uptime (261) in seconds.
    pub uptime: Option<u64>,
    /// oemboot (262).
    pub oemboot: Option<bool>,
    /// dbgstat (263).
    pub dbgstat: Option<DebugStatus>,
    /// location (264).
    pub location: Option<Location>,
    /// eat_profile (265).
    pub profile: Option<Profile>,
    /// submods (266). Nothing is inherited in either direction.
    pub submods: BTreeMap<String, Submodule>,
    /// bootcount (267).
    pub bootcount: Option<u64>,
    /// bootseed (268).
    pub bootseed: Option<Vec<u8>>,
    /// dloas (269).
    pub dloas: Vec<Dloa>,
    /// swname (270).
    pub swname: Option<String>,
    /// swversion (271).
    pub swversion: Option<VersionText>,
    /// manifests (272).
    pub manifests: Vec<Content>,
    /// measurements (273).
    pub measurements: Vec<Content>,
    /// measres (274).
    pub measres: Vec<MeasurementResults>,
    /// intuse (275).
    pub intuse: Option<u8>,
    /// Other claims with their encoded values; those of a token in JSON in the CBOR form of RFC 8949, section 6.2.
    pub others: Vec<(ClaimKey, Vec<u8>)>,
}

/// Label of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimKey {
    /// A number.
    Int(i64),
    /// A name.
    Text(String),
}

impl Claims {
    /// Decodes a claims-set and refuses bytes after it. Strictness of the encoding is that of the reader.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        // One pass over the whole bounds the depth before submodules recurse.
        reader.clone().skip()?;
        let claims = Self::read(reader)?;
        reader.end()?;
        Ok(claims)
    }

    /// The deterministic encoding.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| self.write(w))
    }

    /// Whether the token is within its lifetime at `now`, in seconds since 1970, give or take `skew` seconds.
    pub fn check_time(&self, now: i64, skew: i64) -> Result<(), Distrust> {
        if self.expires_at.is_some_and(|expires_at| expires_at <= now.saturating_sub(skew)) {
            return Err(Distrust::Expired);
        }
        let later = now.saturating_add(skew);
        if [self.not_before, self.issued_at].into_iter().flatten().any(|begin| begin > later) {
            return Err(Distrust::NotYetValid);
        }
        Ok(())
    }

    /// The encoded value of a claim this crate does not know.
    pub fn other(&self, label: i64) -> Option<&[u8]> {
        self.others.iter().find(|(key, _)| *key == ClaimKey::Int(label)).map(|(_, value)| value.as_slice())
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        if map.remaining() > MAX_ENTRIES {
            return Err(cbor::Error::new(start, Reason::TooLong { limit: MAX_ENTRIES }).into());
        }
        let mut claims = Self::default();
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(label) => claims.read_claim(label, reader)?,
                Key::Text(name) if labels::NAMES.contains(&name) => {
                    return Err(cbor::Error::rule(at, "claim has a label and stands under its name").into());
                }
                Key::Text(name) => claims.others.push((ClaimKey::Text(name.into()), reader.raw()?.into())),
                Key::Other(_) => {
                    return Err(cbor::Error::rule(at, "claim key is neither integer nor text").into());
                }
            }
            at = reader.position();
        }
        claims.check().map_err(|rule| cbor::Error::rule(start, rule))?;
        Ok(claims)
    }

    fn read_claim(&mut self, label: i64, reader: &mut Reader<'_>) -> Result<(), Error> {
        match label {
            labels::ISS => self.issuer = Some(text(reader)?),
            labels::SUB => self.subject = Some(text(reader)?),
            labels::AUD => self.audience = read_audience(reader)?,
            labels::EXP => self.expires_at = Some(time(reader, Rounding::Down)?),
            labels::NBF => self.not_before = Some(time(reader, Rounding::Up)?),
            labels::IAT => self.issued_at = Some(reader.int()?),
            labels::CTI => self.token_id = Some(reader.bytes()?.into()),
            labels::CNF => self.confirmation = Some(read_confirmation(reader)?),
            labels::NONCE => self.nonces = read_nonces(reader)?,
            labels::UEID => self.ueid = Some(Ueid::decode(reader)?),
            labels::SUEIDS => self.sueids = read_map(reader, |r| Ok(Ueid::decode(r)?))?,
            labels::OEMID => self.oemid = Some(OemId::decode(reader)?),
            labels::HWMODEL => {
                let at = reader.position();
                let model = reader.bytes()?;
                if !(1..=32).contains(&model.len()) {
                    return Err(cbor::Error::rule(at, "hwmodel is not of 1 to 32 bytes").into());
                }
                self.hwmodel = Some(model.into());
            }
            labels::HWVERSION => self.hwversion = Some(VersionText::decode(reader)?),
            labels::UPTIME => self.uptime = Some(reader.uint()?),
            labels::OEMBOOT => self.oemboot = Some(reader.bool()?),
            labels::DBGSTAT => self.dbgstat = Some(DebugStatus::decode(reader)?),
            labels::LOCATION => self.location = Some(Location::decode(reader)?),
            labels::PROFILE => self.profile = Some(Profile::decode(reader)?),
            labels::SUBMODS => self.submods = read_map(reader, Submodule::decode)?,
            labels::BOOTCOUNT => self.bootcount = Some(reader.uint()?),
            labels::BOOTSEED => self.bootseed = Some(reader.bytes()?.into()),
            labels::DLOAS => self.dloas = values::array(reader, Dloa::decode)?,
            labels::SWNAME => self.swname = Some(text(reader)?),
            labels::SWVERSION => self.swversion = Some(VersionText::decode(reader)?),
            labels::MANIFESTS => self.manifests = values::array(reader, Content::decode)?,
            labels::MEASUREMENTS => self.measurements = values::array(reader, Content::decode)?,
            labels::MEASRES => self.measres = values::array(reader, MeasurementResults::decode)?,
            labels::INTUSE => self.intuse = Some(reader.uint_as()?),
            other => self.others.push((ClaimKey::Int(other), reader.raw()?.into())),
        }
        Ok(())
    }

    /// Which claims need which others. A hardware version is taken with oemid alone too: the examples of RFC 9711,
    /// appendix A.1, have no hwmodel.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let needs = [
            (self.hwmodel.is_some(), self.oemid.is_some(), "hwmodel without oemid"),
            (
                self.hwversion.is_some(),
                self.hwmodel.is_some() || self.oemid.is_some(),
                "hwversion without hwmodel",
            ),
            (self.oemboot.is_some(), self.oemid.is_some(), "oemboot without oemid"),
            (
                self.dbgstat == Some(DebugStatus::DisabledPermanently),
                self.oemid.is_some(),
                "dbgstat names the OEM without oemid",
            ),
            (self.swversion.is_some(), self.swname.is_some(), "swversion without swname"),
            (self.intuse == Some(0), false, "intuse is reserved"),
        ];
        needs.into_iter().find(|(has, needed, _)| *has && !needed).map_or(Ok(()), |(_, _, rule)| Err(rule))
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int_if(labels::ISS, self.issuer.as_deref(), write_text);
        map.int_if(labels::SUB, self.subject.as_deref(), write_text);
        match self.audience.as_slice() {
            [] => {}
            [one] => {
                map.int(labels::AUD, |w| write_text(w, one));
            }
            several => {
                map.int(labels::AUD, |w| write_array(w, several, |w, one| write_text(w, one)));
            }
        }
        map.int_if(labels::EXP, self.expires_at, write_int);
        map.int_if(labels::NBF, self.not_before, write_int);
        map.int_if(labels::IAT, self.issued_at, write_int);
        map.int_if(labels::CTI, self.token_id.as_deref(), write_bytes);
        map.int_if(labels::CNF, self.confirmation.as_ref(), write_confirmation);
        match self.nonces.as_slice() {
            [] => {}
            [nonce] => {
                map.int(labels::NONCE, |w| write_bytes(w, nonce.as_bytes()));
            }
            nonces => {
                map.int(labels::NONCE, |w| {
                    write_array(w, nonces, |w, nonce| write_bytes(w, nonce.as_bytes()))
                });
            }
        }
        map.int_if(labels::UEID, self.ueid.as_ref(), |w, ueid| write_bytes(w, ueid.as_bytes()));
        write_map(&mut map, labels::SUEIDS, &self.sueids, |w, ueid| write_bytes(w, ueid.as_bytes()));
        map.int_if(labels::OEMID, self.oemid.as_ref(), |w, oemid| oemid.encode(w));
        map.int_if(labels::HWMODEL, self.hwmodel.as_deref(), write_bytes);
        map.int_if(labels::HWVERSION, self.hwversion.as_ref(), |w, version| version.encode(w));
        map.int_if(labels::UPTIME, self.uptime, write_uint);
        map.int_if(labels::OEMBOOT, self.oemboot, |w, value| {
            w.bool(value);
        });
        map.int_if(labels::DBGSTAT, self.dbgstat, |w, status| write_uint(w, status as u64));
        map.int_if(labels::LOCATION, self.location.as_ref(), |w, location| location.encode(w));
        map.int_if(labels::PROFILE, self.profile.as_ref(), |w, profile| profile.encode(w));
        write_map(&mut map, labels::SUBMODS, &self.submods, |w, submodule| submodule.encode(w));
        map.int_if(labels::BOOTCOUNT, self.bootcount, write_uint);
        map.int_if(labels::BOOTSEED, self.bootseed.as_deref(), write_bytes);
        write_list(&mut map, labels::DLOAS, &self.dloas, |w, dloa| dloa.encode(w));
        map.int_if(labels::SWNAME, self.swname.as_deref(), write_text);
        map.int_if(labels::SWVERSION, self.swversion.as_ref(), |w, version| version.encode(w));
        write_list(&mut map, labels::MANIFESTS, &self.manifests, |w, content| content.encode(w));
        write_list(&mut map, labels::MEASUREMENTS, &self.measurements, |w, content| content.encode(w));
        write_list(&mut map, labels::MEASRES, &self.measres, |w, results| results.encode(w));
        map.int_if(labels::INTUSE, self.intuse, |w, value| write_uint(w, value.into()));
        for (key, value) in &self.others {
            let value = |w: &mut Writer| {
                w.raw(value);
            };
            match key {
                ClaimKey::Int(label) => map.int(*label, value),
                ClaimKey::Text(name) => map.text(name, value),
            };
        }
        map.write(writer);
    }
}

/// A key as confirmation method COSE_Key (RFC 8747, section 3.2).
pub(crate) fn read_confirmation(reader: &mut Reader<'_>) -> Result<PublicKey, Error> {
    let at = reader.position();
    let mut map = reader.map()?;
    let mut key = None;
    while let Some(method) = map.next(reader)? {
        match method {
            Key::Int(labels::CNF_COSE_KEY) => key = Some(cose::Key::decode(reader.raw()?)?.public().clone()),
            Key::Int(_) if key.is_none() => return Err(Feature::Confirmation.into()),
            _ => return Err(cbor::Error::rule(at, "more than one confirmation method").into()),
        }
    }
    key.ok_or(Feature::Confirmation.into())
}

pub(crate) fn write_confirmation(writer: &mut Writer, key: &PublicKey) {
    writer.map(1).int(labels::CNF_COSE_KEY).raw(&cose::Key::from_public(key).encode());
}

/// One nonce, or an array of two or more.
fn read_nonces(reader: &mut Reader<'_>) -> Result<Vec<Nonce>, Error> {
    if reader.peek()? != Type::Array {
        return Ok(Vec::from([Nonce::decode(reader)?]));
    }
    let at = reader.position();
    let nonces = values::array(reader, Nonce::decode)?;
    if nonces.len() < 2 {
        return Err(cbor::Error::rule(at, "array of nonces has fewer than two").into());
    }
    Ok(nonces)
}

/// One audience, or an array of them (RFC 8392, section 3.1.3).
fn read_audience(reader: &mut Reader<'_>) -> Result<Vec<String>, Error> {
    if reader.peek()? != Type::Array {
        return Ok(Vec::from([text(reader)?]));
    }
    Ok(values::array(reader, text)?)
}

/// To which side a time is rounded.
pub(crate) enum Rounding {
    Up,
    Down,
}

/// NumericDate (RFC 8392, section 2), rounded to the side that shortens the token's life.
fn time(reader: &mut Reader<'_>, rounding: Rounding) -> Result<i64, Error> {
    if reader.peek()? != Type::Float {
        return Ok(reader.int()?);
    }
    let at = reader.position();
    Ok(whole_seconds(reader.float()?, rounding).ok_or(cbor::Error::new(at, Reason::OutOfRange))?)
}

/// A time in whole seconds, unless it is beyond what a float can hold: 2^53 seconds.
pub(crate) fn whole_seconds(value: f64, rounding: Rounding) -> Option<i64> {
    if !value.is_finite() || value.abs() > 9_007_199_254_740_992.0 {
        return None;
    }
    let whole = value as i64;
    let rest = value - whole as f64;
    Some(match rounding {
        Rounding::Up if rest > 0.0 => whole + 1,
        Rounding::Down if rest < 0.0 => whole - 1,
        _ => whole,
    })
}

/// A map of texts to values, with at least one.
pub(crate) fn read_map<'b, T>(
    reader: &mut Reader<'b>,
    mut value: impl FnMut(&mut Reader<'b>) -> Result<T, Error>,
) -> Result<BTreeMap<String, T>, Error> {
    let at = reader.position();
    let mut map = reader.map()?;
    if map.remaining() == 0 {
        return Err(cbor::Error::rule(at, "map is empty").into());
    }
    if map.remaining() > MAX_ENTRIES {
        return Err(cbor::Error::new(at, Reason::TooLong { limit: MAX_ENTRIES }).into());
    }
    let mut entries = BTreeMap::new();
    let mut at = reader.position();
    while let Some(key) = map.next(reader)? {
        let Key::Text(name) = key else { return Err(cbor::Error::rule(at, "map key is not a text").into()) };
        entries.insert(name.into(), value(reader)?);
        at = reader.position();
    }
    Ok(entries)
}

pub(crate) fn write_map<T>(
    map: &mut MapBuilder,
    label: i64,
    entries: &BTreeMap<String, T>,
    mut write: impl FnMut(&mut Writer, &T),
) {
    if entries.is_empty() {
        return;
    }
    let mut inner = MapBuilder::new();
    for (name, value) in entries {
        inner.text(name, |w| write(w, value));
    }
    map.int(label, |w| inner.write(w));
}

fn write_list<T>(map: &mut MapBuilder, label: i64, items: &[T], write: impl FnMut(&mut Writer, &T)) {
    if !items.is_empty() {
        map.int(label, |w| write_array(w, items, write));
    }
}

fn write_text(writer: &mut Writer, text: &str) {
    writer.text(text);
}

fn write_int(writer: &mut Writer, value: i64) {
    writer.int(value);
}

fn write_uint(writer: &mut Writer, value: u64) {
    writer.uint(value);
}

fn write_bytes(writer: &mut Writer, bytes: &[u8]) {
    writer.bytes(bytes);
}
