//! Attestation results in CBOR.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use cbor::{Key, MapBuilder, Reader, Reason as Why, Type, Writer};

use crate::{
    Appraisal, AttestationResult, Category, ClaimKey, Cmw, Error, MAX_SUBMODS, Nonce, RawEvidence, Reason,
    ResultExtension, Tier, TrustVector, Ueid, VerifierId,
    claims::{read_confirmation, read_map, write_confirmation, write_map},
    labels,
    values::{array, text, write_array},
};

pub(crate) fn decode(payload: &[u8]) -> Result<AttestationResult, Error> {
    // Other verifiers need not encode deterministically.
    let normal = cbor::normalize(payload, crate::MAX_RESULT_LEN)?;
    let mut reader = Reader::new(&normal);
    let mut map = reader.map()?;
    let (mut profile, mut issued_at, mut verifier_id, mut submods) = (None, None, None, None);
    let (mut expires_at, mut nonce, mut ueid, mut confirmation, mut status) = (None, None, None, None, None);
    let (mut raw_evidence, mut topology) = (None, BTreeMap::new());
    while let Some(key) = map.next(&mut reader)? {
        match key {
            Key::Int(labels::PROFILE) => profile = Some(text(&mut reader)?),
            Key::Int(labels::IAT) => issued_at = Some(reader.int()?),
            Key::Int(labels::EXP) => expires_at = Some(reader.int()?),
            Key::Int(labels::EAR_VERIFIER_ID) => verifier_id = Some(read_verifier_id(&mut reader)?),
            Key::Int(labels::NONCE) => nonce = Some(Nonce::decode(&mut reader)?),
            Key::Int(labels::UEID) => ueid = Some(Ueid::decode(&mut reader)?),
            Key::Int(labels::CNF) => confirmation = Some(read_confirmation(&mut reader)?),
            Key::Int(labels::EAR_STATUS) => status = Some(read_tier(&mut reader)?),
            Key::Int(labels::EAR_RAW_EVIDENCE) => raw_evidence = Some(read_raw_evidence(&mut reader)?),
            Key::Int(labels::EAR_TOPOLOGY) => topology = read_map(&mut reader, |r| Ok(array(r, text)?))?,
            Key::Int(labels::SUBMODS) => {
                let at = reader.position();
                let appraisals = read_map(&mut reader, read_appraisal)?;
                if appraisals.len() > MAX_SUBMODS {
                    return Err(cbor::Error::new(at, Why::TooLong { limit: MAX_SUBMODS }).into());
                }
                submods = Some(appraisals);
            }
            _ => reader.skip()?,
        }
    }
    reader.end()?;
    Ok(AttestationResult {
        profile: required(profile, labels::PROFILE)?,
        issued_at: required(issued_at, labels::IAT)?,
        expires_at,
        verifier_id: required(verifier_id, labels::EAR_VERIFIER_ID)?,
        nonce,
        ueid,
        confirmation,
        status,
        raw_evidence,
        topology,
        submods: required(submods, labels::SUBMODS)?,
    })
}

pub(crate) fn encode(result: &AttestationResult) -> Vec<u8> {
    let mut map = MapBuilder::new();
    map.int(labels::PROFILE, |w| {
        w.text(&result.profile);
    });
    map.int(labels::IAT, |w| {
        w.int(result.issued_at);
    });
    map.int_if(labels::EXP, result.expires_at, |w, time| {
        w.int(time);
    });
    map.int(labels::EAR_VERIFIER_ID, |w| {
        w.map(2).int(labels::VERIFIER_DEVELOPER).text(&result.verifier_id.developer);
        w.int(labels::VERIFIER_BUILD).text(&result.verifier_id.build);
    });
    map.int_if(labels::NONCE, result.nonce.as_ref(), |w, nonce| {
        w.bytes(nonce.as_bytes());
    });
    map.int_if(labels::UEID, result.ueid.as_ref(), |w, ueid| {
        w.bytes(ueid.as_bytes());
    });
    map.int_if(labels::CNF, result.confirmation.as_ref(), write_confirmation);
    map.int_if(labels::EAR_STATUS, result.status, |w, status| {
        w.int(status.number());
    });
    map.int_if(labels::EAR_RAW_EVIDENCE, result.raw_evidence.as_ref(), |w, evidence| match evidence {
        RawEvidence::Bytes(bytes) => _ = w.bytes(bytes),
        RawEvidence::Record(record) => _ = w.raw(&Cmw::Record(record.clone()).encode()),
    });
    write_map(&mut map, labels::EAR_TOPOLOGY, &result.topology, |w, parts| {
        write_array(w, parts, |w, part| _ = w.text(part));
    });
    write_map(&mut map, labels::SUBMODS, &result.submods, write_appraisal);
    map.into_bytes()
}

fn read_appraisal(reader: &mut Reader<'_>) -> Result<Appraisal, Error> {
    let at = reader.position();
    let mut map = reader.map()?;
    let (mut status, mut vector, mut policy_ids, mut nonce, mut profile) =
        (None, None, Vec::new(), None, None);
    let (mut release, mut reasons) = (None, Vec::new());
    let (mut attester_claims, mut verifier_claims) = (Vec::new(), Vec::new());
    let mut extensions = BTreeMap::new();
    while let Some(key) = map.next(reader)? {
        match key {
            Key::Int(labels::EAR_STATUS) => status = Some(read_tier(reader)?),
            Key::Int(labels::EAR_TRUST_VECTOR) => vector = Some(read_vector(reader)?),
            Key::Int(labels::EAR_POLICY_IDS) if reader.peek()? == Type::Text => {
                policy_ids.push(text(reader)?)
            }
            Key::Int(labels::EAR_POLICY_IDS) => policy_ids = array(reader, text)?,
            Key::Int(labels::NONCE) => nonce = Some(Nonce::decode(reader)?),
            Key::Int(labels::PROFILE) if reader.peek()? == Type::Text => profile = Some(text(reader)?),
            Key::Int(labels::EAR_ATTESTER_CLAIMS) => attester_claims = read_claims(reader)?,
            Key::Int(labels::EAR_VERIFIER_CLAIMS) => {
                for (key, value) in read_claims(reader)? {
                    match key {
                        ClaimKey::Int(labels::RELEASE) => release = Some(Reader::new(&value).bytes()?.into()),
                        ClaimKey::Int(labels::REASONS) => {
                            reasons = array(&mut Reader::new(&value), read_reason)?
                        }
                        key => verifier_claims.push((key, value)),
                    }
                }
            }
            Key::Int(label) => {
                let at = reader.position();
                let value = reader.raw()?;
                if let Some(extension) = ResultExtension::ALL.into_iter().find(|known| known.label() == label)
                {
                    extension.check(value).map_err(|rule| cbor::Error::rule(at, rule))?;
                    extensions.insert(extension, value.into());
                }
            }
            _ => reader.skip()?,
        }
    }
    let status = status.ok_or(cbor::Error::new(at, Why::MissingKey(labels::EAR_STATUS)))?;
    Ok(Appraisal {
        status,
        vector,
        policy_ids,
        nonce,
        profile,
        attester_claims,
        verifier_claims,
        extensions,
        release,
        reasons,
    })
}

fn write_appraisal(writer: &mut Writer, appraisal: &Appraisal) {
    let mut map = MapBuilder::new();
    map.int(labels::EAR_STATUS, |w| {
        w.int(appraisal.status.number());
    });
    map.int_if(labels::EAR_TRUST_VECTOR, appraisal.vector, |w, vector| {
        w.map(Category::ALL.len());
        for (category, value) in vector.iter() {
            w.int(category.label()).int(value.into());
        }
    });
    if !appraisal.policy_ids.is_empty() {
        map.int(labels::EAR_POLICY_IDS, |w| {
            write_array(w, &appraisal.policy_ids, |w, id| {
                w.text(id);
            });
        });
    }
    map.int_if(labels::NONCE, appraisal.nonce.as_ref(), |w, nonce| {
        w.bytes(nonce.as_bytes());
    });
    map.int_if(labels::PROFILE, appraisal.profile.as_ref(), |w, profile| {
        w.text(profile);
    });
    write_claims(&mut map, labels::EAR_ATTESTER_CLAIMS, MapBuilder::new(), &appraisal.attester_claims);
    let mut claims = MapBuilder::new();
    claims.int_if(labels::RELEASE, appraisal.release.as_ref(), |w, digest| {
        w.bytes(digest);
    });
    if !appraisal.reasons.is_empty() {
        claims.int(labels::REASONS, |w| write_array(w, &appraisal.reasons, write_reason));
    }
    write_claims(&mut map, labels::EAR_VERIFIER_CLAIMS, claims, &appraisal.verifier_claims);
    for (extension, value) in &appraisal.extensions {
        map.int(extension.label(), |w| _ = w.raw(value));
    }
    map.write(writer);
}

/// A map of claims that are kept, with at least one.
fn read_claims(reader: &mut Reader<'_>) -> Result<Vec<(ClaimKey, Vec<u8>)>, Error> {
    let start = reader.position();
    let mut map = reader.map()?;
    let mut claims = Vec::new();
    let mut at = reader.position();
    while let Some(key) = map.next(reader)? {
        let key = match key {
            Key::Int(label) => ClaimKey::Int(label),
            Key::Text(name) => ClaimKey::Text(name.into()),
            Key::Other(_) => {
                return Err(cbor::Error::rule(at, "claim key is neither integer nor text").into());
            }
        };
        claims.push((key, reader.raw()?.into()));
        at = reader.position();
    }
    if claims.is_empty() {
        return Err(cbor::Error::rule(start, "map is empty").into());
    }
    Ok(claims)
}

/// Writes claims beside those that stand in the map already.
fn write_claims(map: &mut MapBuilder, label: i64, mut claims: MapBuilder, others: &[(ClaimKey, Vec<u8>)]) {
    for (key, value) in others {
        match key {
            ClaimKey::Int(label) => claims.int(*label, |w| _ = w.raw(value)),
            ClaimKey::Text(name) => claims.text(name, |w| _ = w.raw(value)),
        };
    }
    if !claims.is_empty() {
        map.int(label, |w| claims.write(w));
    }
}

fn read_raw_evidence(reader: &mut Reader<'_>) -> Result<RawEvidence, Error> {
    let at = reader.position();
    if reader.peek()? == Type::Bytes {
        return Ok(RawEvidence::Bytes(reader.bytes()?.into()));
    }
    match Cmw::decode_cbor(reader.raw()?)? {
        Cmw::Record(record) => Ok(RawEvidence::Record(record)),
        Cmw::Collection(_) => Err(cbor::Error::rule(at, "raw evidence is a collection").into()),
    }
}

fn read_reason(reader: &mut Reader<'_>) -> Result<Reason, cbor::Error> {
    reader.array_of(2)?;
    let mut reason = Reason::new(text(reader)?);
    let mut map = reader.map()?;
    let mut at = reader.position();
    while let Some(key) = map.next(reader)? {
        let Key::Text(name) = key else { return Err(cbor::Error::rule(at, "map key is not a text")) };
        reason.details.insert(String::from(name), text(reader)?);
        at = reader.position();
    }
    Ok(reason)
}

fn write_reason(writer: &mut Writer, reason: &Reason) {
    let mut details = MapBuilder::new();
    for (name, value) in &reason.details {
        details.text(name, |w| {
            w.text(value);
        });
    }
    details.write(writer.array(2).text(&reason.code));
}

fn read_verifier_id(reader: &mut Reader<'_>) -> Result<VerifierId, Error> {
    let mut map = reader.map()?;
    let (mut developer, mut build) = (None, None);
    while let Some(key) = map.next(reader)? {
        match key {
            Key::Int(labels::VERIFIER_DEVELOPER) => developer = Some(text(reader)?),
            Key::Int(labels::VERIFIER_BUILD) => build = Some(text(reader)?),
            _ => reader.skip()?,
        }
    }
    let developer = required(developer, labels::VERIFIER_DEVELOPER)?;
    Ok(VerifierId { developer, build: required(build, labels::VERIFIER_BUILD)? })
}

fn read_tier(reader: &mut Reader<'_>) -> Result<Tier, cbor::Error> {
    let at = reader.position();
    Tier::from_number(reader.int()?).ok_or(cbor::Error::rule(at, "status is not a trust tier"))
}

fn read_vector(reader: &mut Reader<'_>) -> Result<TrustVector, Error> {
    let start = reader.position();
    let mut map = reader.map()?;
    if map.remaining() == 0 {
        return Err(cbor::Error::rule(start, "trust vector is empty").into());
    }
    let mut vector = TrustVector::new();
    let mut at = start;
    while let Some(label) = map.next_int(reader)? {
        let category = Category::ALL.into_iter().find(|category| category.label() == label);
        let category = category.ok_or(cbor::Error::new(at, Why::Unknown(label)))?;
        at = reader.position();
        let value = i8::try_from(reader.int()?).map_err(|_| cbor::Error::new(at, Why::OutOfRange))?;
        vector.set(category, value);
        at = reader.position();
    }
    Ok(vector)
}

fn required<T>(value: Option<T>, label: i64) -> Result<T, Error> {
    value.ok_or(cbor::Error::new(0, Why::MissingKey(label)).into())
}
