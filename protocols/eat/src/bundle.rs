use alloc::{collections::BTreeMap, string::String, vec::Vec};

use cbor::{Key, MapBuilder, Order, Reader, Reason, Writer};

use crate::{
    Claims, Error, JsonError, NestedToken, Nonce, Token, TokenKeys, VerifiedToken,
    json::Value,
    members::bytes_of,
    token::{MAX_TOKEN_LEN, TAG_BUNDLE},
    verify,
};

/// How many bytes a bundle may have.
pub const MAX_BUNDLE_LEN: usize = 4 * MAX_TOKEN_LEN;

/// How many detached claims-sets a bundle may have.
pub const MAX_DETACHED_SETS: usize = 64;

/// Detached EAT bundle (RFC 9711, section 5): a token, and claims-sets whose digests are in it. Well-formed and trusted
/// by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    main: NestedToken,
    form: Form,
    /// The bytes of each set, as its digest covers them.
    sets: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Cbor,
    Json,
}

impl Bundle {
    /// Decodes either form, told apart by the first byte.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        match bytes.first() {
            Some(b'[' | b' ' | b'\t' | b'\r' | b'\n') => Self::decode_json(bytes),
            _ => Self::decode_cbor(bytes),
        }
    }

    /// Decodes `602([token, {+ name => bytes}])`.
    pub fn decode_cbor(bytes: &[u8]) -> Result<Self, Error> {
        check_len(bytes)?;
        let mut reader = Reader::with_order(bytes, Order::Unique);
        if !reader.is_tag(TAG_BUNDLE)? {
            return Err(cbor::Error::rule(0, "bundle is not tagged").into());
        }
        reader.array_of(2)?;
        let at = reader.position();
        let main = NestedToken::decode(&mut reader)?;
        check_main(&main).map_err(|rule| cbor::Error::rule(at, rule))?;
        let at = reader.position();
        let mut map = reader.map()?;
        if !(1..=MAX_DETACHED_SETS).contains(&map.remaining()) {
            return Err(cbor::Error::rule(at, "bundle has not 1 to 64 sets").into());
        }
        let mut sets = BTreeMap::new();
        let mut at = reader.position();
        while let Some(key) = map.next(&mut reader)? {
            let Key::Text(name) = key else {
                return Err(cbor::Error::rule(at, "map key is not a text").into());
            };
            sets.insert(name.into(), reader.bytes()?.into());
            at = reader.position();
        }
        reader.end()?;
        Ok(Self { main, form: Form::Cbor, sets })
    }

    /// Decodes the JSON form: an array of a token and an object of sets in base64url.
    pub fn decode_json(bytes: &[u8]) -> Result<Self, Error> {
        check_len(bytes)?;
        let value = Value::parse(bytes)?;
        let Some([main, Value::Object(members)]) = value.as_array() else {
            return Err(JsonError::at(0, "bundle is not an array of a token and sets").into());
        };
        let main = NestedToken::from_json(main)?;
        check_main(&main).map_err(|rule| JsonError::at(0, rule))?;
        if !(1..=MAX_DETACHED_SETS).contains(&members.len()) {
            return Err(JsonError::at(0, "bundle has not 1 to 64 sets").into());
        }
        let set = |(name, set): &(String, Value)| Ok((name.clone(), bytes_of(set, "bundle")?));
        let sets = members.iter().map(set).collect::<Result<_, Error>>()?;
        Ok(Self { main, form: Form::Json, sets })
    }

    /// A bundle in CBOR of a token that was signed over the digests of these sets.
    pub fn new(main: NestedToken, sets: &BTreeMap<String, Claims>) -> Self {
        let sets = sets.iter().map(|(name, claims)| (name.clone(), claims.encode())).collect();
        Self { main, form: Form::Cbor, sets }
    }

    /// The encoding in its own form.
    pub fn encode(&self) -> Vec<u8> {
        match self.form {
            Form::Cbor => Writer::encode(|w| {
                w.tag(TAG_BUNDLE).array(2);
                self.main.encode(w);
                let mut map = MapBuilder::new();
                for (name, set) in &self.sets {
                    map.text(name, |w| {
                        w.bytes(set);
                    });
                }
                map.write(w);
            }),
            Form::Json => {
                let set = |(name, set): (&String, &Vec<u8>)| (name.clone(), crate::members::base64(set));
                let sets = Value::Object(self.sets.iter().map(set).collect());
                Value::Array(Vec::from([self.main.to_json(), sets])).to_text().into_bytes()
            }
        }
    }

    /// Verifies the main token and every token nested in it, and that each set is the one of the digest of its name.
    /// A set without a digest refuses the whole.
    pub fn verify_all(&self, keys: &dyn TokenKeys, expected: &Nonce) -> Result<VerifiedToken, Error> {
        verify::bundle(self, keys, expected)
    }

    /// The token that holds the digests, which nobody vouches for yet.
    pub fn main(&self) -> Result<Token<'_>, Error> {
        match &self.main {
            NestedToken::Cbor(bytes) => Token::decode_cwt(bytes),
            NestedToken::Jwt(text) => Token::decode_jwt(text.as_bytes()),
            NestedToken::JsonBundle(_) => Err(JsonError::at(0, NESTED).into()),
        }
    }

    /// The sets by name, as received: nobody vouches for them yet.
    pub fn sets(&self) -> impl Iterator<Item = (&String, &Vec<u8>)> {
        self.sets.iter()
    }

    /// The claims of one set.
    pub fn decode_set(&self, set: &[u8]) -> Result<Claims, Error> {
        match self.form {
            Form::Cbor => {
                let normal = cbor::normalize(set, MAX_TOKEN_LEN)?;
                Claims::decode(&mut Reader::new(&normal))
            }
            Form::Json => Claims::decode_json(set),
        }
    }
}

const NESTED: &str = "main token is a bundle";

fn check_main(main: &NestedToken) -> Result<(), &'static str> {
    match main {
        NestedToken::JsonBundle(_) => Err(NESTED),
        NestedToken::Cbor(bytes) if verify::is_bundle(bytes) => Err(NESTED),
        _ => Ok(()),
    }
}

fn check_len(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() > MAX_BUNDLE_LEN {
        return Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_BUNDLE_LEN }).into());
    }
    Ok(())
}
