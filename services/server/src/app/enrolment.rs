//! Lists of devices to enrol: JSON or rows of comma-separated values. One bad row refuses the list.

use std::collections::HashSet;

use api::{Base64Url, EnrolDevice, EnrolKey};
use cose::Key;
use crypto::{HashAlgorithm, PublicKey, SignatureAlgorithm};
use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};
use serde_json::{Value, json};
use store::{DeviceId, NewDevice};

use crate::app::{App, Failure};

/// Devices in one list.
pub(crate) const MAX_ROWS: usize = 10_000;
/// Longest name, model or group in bytes.
const MAX_TEXT: usize = 128;
/// Columns of a list in rows.
const COLUMNS: [&str; 5] = ["name", "model", "group", "ueid", "key"];

impl App {
    /// Enrols all devices of a list, or none.
    pub(crate) async fn enrol(&self, list: Vec<EnrolDevice>, actor: &str) -> Result<Vec<DeviceId>, Failure> {
        if list.is_empty() || list.len() > MAX_ROWS {
            return Err(Failure::Malformed(format!(
                "a list has 1 to {MAX_ROWS} devices, this one {}",
                list.len()
            )));
        }
        let mut devices = Vec::with_capacity(list.len());
        let (mut ids, mut names) = (HashSet::new(), HashSet::new());
        for (index, row) in list.into_iter().enumerate() {
            let device =
                read(row).map_err(|what| Failure::Malformed(format!("device {}: {what}", index + 1)))?;
            if !ids.insert(device.id.clone()) || !names.insert(device.name.clone()) {
                return Err(Failure::Malformed(format!(
                    "device {}: its ueid or name stands twice",
                    index + 1
                )));
            }
            devices.push(device);
        }
        let thumbprints: HashSet<Vec<u8>> = devices.iter().map(|device| device.thumbprint.clone()).collect();
        let ids = devices.iter().map(|device| device.id.clone()).collect();
        self.store.enrol(devices, actor, self.now()).await?;
        // Whoever had one of these keys before shares it now, and must not stay trusted for as long as its result lasts.
        for thumbprint in thumbprints {
            let holders = self.store.devices_with_key(&thumbprint).await?;
            if holders.len() > 1 {
                for device in &holders {
                    self.reappraise(&device.id).await?;
                }
            }
        }
        Ok(ids)
    }
}

/// Reads rows of comma-separated values (RFC 4180) with a head row.
pub(crate) fn read_csv(text: &str) -> Result<Vec<EnrolDevice>, Failure> {
    let mut rows = records(text)?.into_iter();
    let head = rows.next().unwrap_or_default();
    let mut places = [None; 5];
    for (place, column) in head.iter().enumerate() {
        let known = COLUMNS.iter().position(|name| name.eq_ignore_ascii_case(column.trim()));
        let slot = known.and_then(|known| places.get_mut(known));
        match slot {
            Some(slot @ None) => *slot = Some(place),
            _ => {
                return Err(Failure::Malformed(format!(
                    "row 1: column `{column}` is unknown or stands twice"
                )));
            }
        }
    }
    for (name, place) in COLUMNS.iter().zip(places) {
        if place.is_none() && *name != "group" {
            return Err(Failure::Malformed(format!("row 1: column `{name}` is missing")));
        }
    }
    rows.enumerate()
        .map(|(index, row)| {
            if row.len() != head.len() {
                let what =
                    format!("row {}: it has {} fields, the head has {}", index + 2, row.len(), head.len());
                return Err(Failure::Malformed(what));
            }
            let field = |column: usize| {
                places[column].and_then(|place| row.get(place)).map_or("", |text| text.trim()).to_owned()
            };
            Ok(EnrolDevice {
                name: field(0),
                model: field(1),
                group: field(2),
                ueid: field(3),
                key: EnrolKey::Text(field(4)),
            })
        })
        .collect()
}

/// A public key in JWK form (RFC 7517, RFC 8037).
pub(crate) fn to_jwk(key: &PublicKey, kid: &[u8]) -> Value {
    let kid = Base64Url::encode(kid);
    let alg = match key.algorithm() {
        SignatureAlgorithm::Ed25519 => "EdDSA",
        algorithm => algorithm.name(),
    };
    match (key.ec2_coordinates(), key.ed25519_bytes()) {
        (Some((x, y)), _) => {
            let crv = if alg == "ES384" { "P-384" } else { "P-256" };
            json!({ "kty": "EC", "crv": crv, "x": Base64Url::encode(x), "y": Base64Url::encode(y), "alg": alg, "kid": kid })
        }
        (None, Some(x)) => {
            json!({ "kty": "OKP", "crv": "Ed25519", "x": Base64Url::encode(&x), "alg": alg, "kid": kid })
        }
        (None, None) => {
            json!({ "kty": "AKP", "alg": alg, "pub": Base64Url::encode(key.as_bytes()), "kid": kid })
        }
    }
}

fn read(row: EnrolDevice) -> Result<NewDevice, String> {
    for (name, text) in [("name", &row.name), ("model", &row.model)] {
        if text.trim().is_empty() {
            return Err(format!("{name} is empty"));
        }
    }
    for (name, text) in [("name", &row.name), ("model", &row.model), ("group", &row.group)] {
        if text.len() > MAX_TEXT || text.chars().any(char::is_control) {
            return Err(format!("{name} is longer than {MAX_TEXT} bytes or holds control characters"));
        }
    }
    let id: DeviceId =
        row.ueid.parse().map_err(|_| "ueid is not 7 to 33 bytes in hexadecimal digits".to_owned())?;
    if row.name.parse::<DeviceId>().is_ok() {
        return Err("name looks like a ueid".to_owned());
    }
    let public = read_key(&row.key).ok_or("key is no public COSE_Key, JWK or PEM")?;
    let key = Key::from_public(&public);
    let thumbprint = key.thumbprint(HashAlgorithm::Sha256).as_bytes().to_vec();
    Ok(NewDevice { id, name: row.name, model: row.model, group: row.group, key: key.encode(), thumbprint })
}

fn read_key(key: &EnrolKey) -> Option<PublicKey> {
    match key {
        EnrolKey::Jwk(jwk) => read_jwk(jwk),
        EnrolKey::Text(text) if text.trim_start().starts_with("-----BEGIN") => {
            let spki = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).ok()?;
            PublicKey::from_spki_der(&spki).ok()
        }
        EnrolKey::Text(text) => {
            let key = Key::decode(&Base64Url::decode(text.trim())?).ok()?;
            // A private key does not belong into a list that travels.
            key.secret().is_none().then(|| key.public().clone())
        }
    }
}

fn read_jwk(jwk: &Value) -> Option<PublicKey> {
    let member = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| member(name).and_then(Base64Url::decode);
    if jwk.get("d").is_some() {
        return None;
    }
    match (member("kty")?, member("crv")?) {
        ("EC", "P-256") => PublicKey::from_ec2(SignatureAlgorithm::Es256, &bytes("x")?, &bytes("y")?).ok(),
        ("EC", "P-384") => PublicKey::from_ec2(SignatureAlgorithm::Es384, &bytes("x")?, &bytes("y")?).ok(),
        ("OKP", "Ed25519") => PublicKey::from_ed25519(&bytes("x")?).ok(),
        _ => None,
    }
}

fn records(text: &str) -> Result<Vec<Vec<String>>, Failure> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut field = String::new();
    let mut chars = text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable();
    let (mut quoted, mut was_quoted) = (false, false);
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                field.push('"');
                chars.next();
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() && !was_quoted => (quoted, was_quoted) = (true, true),
            ',' if !quoted => {
                row.push(std::mem::take(&mut field));
                was_quoted = false;
            }
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                was_quoted = false;
                // An empty line is no row.
                if row.len() > 1 || row.iter().any(|field| !field.is_empty()) {
                    rows.push(std::mem::take(&mut row));
                }
                row.clear();
                if rows.len() > MAX_ROWS + 1 {
                    return Err(Failure::Malformed(format!("a list has at most {MAX_ROWS} rows")));
                }
            }
            '"' => {
                return Err(Failure::Malformed(format!(
                    "row {}: a quote stands inside a field",
                    rows.len() + 1
                )));
            }
            c => field.push(c),
        }
    }
    if quoted {
        return Err(Failure::Malformed(format!("row {}: a quote is not closed", rows.len() + 1)));
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rows_in_any_order_of_columns() {
        let rows =
            read_csv("\u{feff}ueid,Name,model,key\r\n0102,\"a, \"\"b\"\"\",m,k\r\n\r\n03,c,m,k").unwrap();
        let read: Vec<_> =
            rows.iter().map(|row| (row.ueid.as_str(), row.name.as_str(), row.group.as_str())).collect();
        assert_eq!(read, [("0102", "a, \"b\"", ""), ("03", "c", "")]);
    }

    #[test]
    fn refuses_rows_that_break_a_rule() {
        for (text, what) in [
            ("", "row 1: column `name` is missing"),
            ("name,model,ueid,key,colour\n", "row 1: column `colour` is unknown or stands twice"),
            ("name,model,ueid,key,name\n", "row 1: column `name` is unknown or stands twice"),
            ("name,model,ueid,key\na,b,c\n", "row 2: it has 3 fields, the head has 4"),
            ("name,model,ueid,key\na,b\"x,c,d\n", "row 2: a quote stands inside a field"),
            ("name,model,ueid,key\na,\"b,c,d\n", "row 2: a quote is not closed"),
        ] {
            match read_csv(text) {
                Err(Failure::Malformed(found)) => assert_eq!(found, what, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn jwk_reads_what_it_writes_and_no_private_key() {
        let mut fill = |bytes: &mut [u8]| bytes.fill(7);
        for algorithm in [SignatureAlgorithm::Es256, SignatureAlgorithm::Es384, SignatureAlgorithm::Ed25519] {
            let key = crypto::SigningKey::generate(algorithm, &mut fill).unwrap();
            let key = key.public_key();
            let mut jwk = to_jwk(key, b"kid");
            assert_eq!(read_jwk(&jwk).as_ref(), Some(key));
            jwk["d"] = json!("AQ");
            assert_eq!(read_jwk(&jwk), None);
        }
    }
}
