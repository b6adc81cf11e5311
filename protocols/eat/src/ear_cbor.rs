//! Attestation results in CBOR.

use alloc::{string::String, vec::Vec};

use cbor::{Key, MapBuilder, Reader, Reason as Why, Type, Writer};

use crate::{
    Appraisal, AttestationResult, Category, Error, MAX_SUBMODS, Nonce, Reason, Tier, TrustVector, Ueid,
    VerifierId,
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
    write_map(&mut map, labels::SUBMODS, &result.submods, write_appraisal);
    map.into_bytes()
}

fn read_appraisal(reader: &mut Reader<'_>) -> Result<Appraisal, Error> {
    let at = reader.position();
    let mut map = reader.map()?;
    let (mut status, mut vector, mut policy_ids, mut nonce, mut profile) =
        (None, None, Vec::new(), None, None);
    let (mut release, mut reasons) = (None, Vec::new());
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
            Key::Int(labels::EAR_VERIFIER_CLAIMS) => (release, reasons) = read_verifier_claims(reader)?,
            _ => reader.skip()?,
        }
    }
    let status = status.ok_or(cbor::Error::new(at, Why::MissingKey(labels::EAR_STATUS)))?;
    Ok(Appraisal { status, vector, policy_ids, nonce, profile, release, reasons })
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
    let mut claims = MapBuilder::new();
    claims.int_if(labels::RELEASE, appraisal.release.as_ref(), |w, digest| {
        w.bytes(digest);
    });
    if !appraisal.reasons.is_empty() {
        claims.int(labels::REASONS, |w| write_array(w, &appraisal.reasons, write_reason));
    }
    if !claims.is_empty() {
        map.int(labels::EAR_VERIFIER_CLAIMS, |w| claims.write(w));
    }
    map.write(writer);
}

fn read_verifier_claims(reader: &mut Reader<'_>) -> Result<(Option<Vec<u8>>, Vec<Reason>), Error> {
    let mut map = reader.map()?;
    let (mut release, mut reasons) = (None, Vec::new());
    while let Some(key) = map.next(reader)? {
        match key {
            Key::Int(labels::RELEASE) => release = Some(reader.bytes()?.into()),
            Key::Int(labels::REASONS) => reasons = array(reader, read_reason)?,
            _ => reader.skip()?,
        }
    }
    Ok((release, reasons))
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
