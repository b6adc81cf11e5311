//! Tokens within tokens, each verified with a key of its own (RFC 9711, sections 4.2.18 and 5).

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::cell::Cell;

use cose::MacKey;
use crypto::PublicKey;

use crate::{
    Bundle, Claims, Distrust, Error, NestedToken, Nonce, Submodule, Token,
    token::{TAG_BUNDLE, check_nonce},
};

/// How many tokens may be nested in one, at all depths together.
pub const MAX_NESTED_TOKENS: usize = 16;

/// How deep tokens may be nested in one.
pub const MAX_TOKEN_NESTING: usize = 4;

/// The names of submodules that lead from the outermost token to a claims-set or token within it.
pub type SubmodulePath = Vec<String>;

/// What a token is verified with.
#[derive(Clone, Copy, Debug)]
pub enum TokenKey<'k> {
    /// A public key.
    Signature(&'k PublicKey),
    /// A key shared with the attester.
    Mac(&'k MacKey),
}

/// Where the keys of tokens are found: endorsements, as the caller believes them.
pub trait TokenKeys {
    /// Puts each key that an attester may have signed a token with to `check`, until one holds. An error where none does,
    /// and where the attester is not known; without a key that held, the token is refused whatever this gives.
    fn verify(&self, token: &TokenHint<'_>, check: TokenCheck<'_>) -> Result<(), Error>;
}

/// Verifies one token with a key.
pub type TokenCheck<'c> = &'c dyn Fn(TokenKey<'_>) -> Result<(), Error>;

/// What a token says of itself, which nobody vouches for yet.
#[derive(Clone, Copy, Debug)]
pub struct TokenHint<'t> {
    /// Where it is nested; empty for the outermost one.
    pub path: &'t [String],
    /// COSE number of its algorithm.
    pub alg: i64,
    /// Its key identifier.
    pub kid: Option<&'t [u8]>,
    /// Certificates of its signer in DER, end entity first.
    pub certificates: &'t [&'t [u8]],
    /// Its claims.
    pub claims: &'t Claims,
}

/// A token signed by its attester's key in answer to our nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    claims: Claims,
    inner: BTreeMap<SubmodulePath, InnerToken>,
    detached: BTreeMap<SubmodulePath, Claims>,
}

/// A token within a verified one, verified with a key of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InnerToken {
    /// Its claims.
    pub claims: Claims,
    /// Whether it answers the nonce itself. Where it does not, only the surrounding token's signer says that it is
    /// from now (RFC 9711, section 4.2.18.1: claims are not inherited).
    pub fresh: bool,
}

impl<'k> From<&'k PublicKey> for TokenKey<'k> {
    fn from(key: &'k PublicKey) -> Self {
        Self::Signature(key)
    }
}

impl<'k> From<&'k MacKey> for TokenKey<'k> {
    fn from(key: &'k MacKey) -> Self {
        Self::Mac(key)
    }
}

impl VerifiedToken {
    pub(crate) fn new(claims: Claims) -> Self {
        Self { claims, inner: BTreeMap::new(), detached: BTreeMap::new() }
    }

    /// The claims of the outermost token.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The claims of the outermost token, without what is in it.
    pub fn into_claims(self) -> Claims {
        self.claims
    }

    /// Every nested token that was verified, by the path to it.
    pub fn inner(&self) -> &BTreeMap<SubmodulePath, InnerToken> {
        &self.inner
    }

    /// Every detached claims-set that the digest in a verified token covers, by the path to that digest.
    pub fn detached(&self) -> &BTreeMap<SubmodulePath, Claims> {
        &self.detached
    }
}

/// Verifies a token and all that is nested in it.
pub(crate) fn all(token: Token<'_>, keys: &dyn TokenKeys, expected: &Nonce) -> Result<VerifiedToken, Error> {
    let claims = check(token, &[], keys)?;
    check_nonce(&claims.nonces, expected)?;
    nested(VerifiedToken::new(claims), keys, expected)
}

/// Verifies a bundle: its main token, that every set in it is covered by a digest in that, and all that is nested.
pub(crate) fn bundle(
    bundle: &Bundle,
    keys: &dyn TokenKeys,
    expected: &Nonce,
) -> Result<VerifiedToken, Error> {
    let claims = check(bundle.main()?, &[], keys)?;
    check_nonce(&claims.nonces, expected)?;
    let mut token = VerifiedToken::new(claims);
    token.detached = sets(bundle, &token.claims, &[])?;
    nested(token, keys, expected)
}

/// Verifies one token alone and gives its claims.
fn check(token: Token<'_>, path: &[String], keys: &dyn TokenKeys) -> Result<Claims, Error> {
    let hint = TokenHint {
        path,
        alg: token.alg(),
        kid: token.kid(),
        certificates: &token.certificates(),
        claims: token.unverified(),
    };
    let held = Cell::new(false);
    keys.verify(&hint, &|key| {
        token.check(key)?;
        held.set(true);
        Ok(())
    })?;
    if !held.get() {
        return Err(cose::Error::from(cose::Distrust::NoKey).into());
    }
    Ok(token.into_claims())
}

/// The sets of a bundle, each held against the digest of its name.
fn sets(bundle: &Bundle, claims: &Claims, path: &[String]) -> Result<BTreeMap<SubmodulePath, Claims>, Error> {
    let mut detached = BTreeMap::new();
    for (name, set) in bundle.sets() {
        let Some(Submodule::Detached(digest)) = claims.submods.get(name) else {
            return Err(Distrust::UncoveredSet.into());
        };
        if !digest.matches(set) {
            return Err(Distrust::DetachedDigest.into());
        }
        detached.insert(below(path, name), bundle.decode_set(set)?);
    }
    Ok(detached)
}

/// A token that waits to be verified.
struct Pending {
    path: SubmodulePath,
    token: NestedToken,
    depth: usize,
}

/// Verifies what is nested, outer tokens before those in them: nobody's word on what is inside is taken before his own
/// signature was verified.
fn nested(mut outer: VerifiedToken, keys: &dyn TokenKeys, expected: &Nonce) -> Result<VerifiedToken, Error> {
    let mut pending = find(&[], &outer.claims, 1);
    for (path, claims) in &outer.detached {
        pending.extend(find(path, claims, 1));
    }
    while let Some(Pending { path, token, depth }) = pending.pop() {
        if depth > MAX_TOKEN_NESTING || outer.inner.len() == MAX_NESTED_TOKENS {
            return Err(Distrust::NestedTokens.into());
        }
        let (claims, detached) = match &token {
            NestedToken::Cbor(bytes) if !is_bundle(bytes) => {
                (check(Token::decode_cwt(bytes)?, &path, keys)?, BTreeMap::new())
            }
            NestedToken::Jwt(text) => {
                (check(Token::decode_jwt(text.as_bytes())?, &path, keys)?, BTreeMap::new())
            }
            NestedToken::Cbor(bytes) => within_bundle(&Bundle::decode_cbor(bytes)?, &path, keys)?,
            NestedToken::JsonBundle(text) => {
                within_bundle(&Bundle::decode_json(text.as_bytes())?, &path, keys)?
            }
        };
        pending.extend(find(&path, &claims, depth + 1));
        for (path, claims) in &detached {
            pending.extend(find(path, claims, depth + 1));
        }
        let fresh = claims.nonces.contains(expected);
        outer.inner.insert(path, InnerToken { claims, fresh });
        outer.detached.extend(detached);
    }
    Ok(outer)
}

fn within_bundle(
    bundle: &Bundle,
    path: &[String],
    keys: &dyn TokenKeys,
) -> Result<(Claims, BTreeMap<SubmodulePath, Claims>), Error> {
    let claims = check(bundle.main()?, path, keys)?;
    let detached = sets(bundle, &claims, path)?;
    Ok((claims, detached))
}

/// The tokens nested in the claims of one signer.
fn find(path: &[String], claims: &Claims, depth: usize) -> Vec<Pending> {
    let mut found = Vec::new();
    let mut left = Vec::from([(path.to_vec(), claims)]);
    while let Some((path, claims)) = left.pop() {
        for (name, submodule) in &claims.submods {
            match submodule {
                Submodule::Claims(claims) => left.push((below(&path, name), claims)),
                Submodule::Token(token) => {
                    found.push(Pending { path: below(&path, name), token: token.clone(), depth });
                }
                Submodule::Detached(_) => {}
            }
        }
    }
    found
}

pub(crate) fn below(path: &[String], name: &str) -> SubmodulePath {
    path.iter().cloned().chain([name.into()]).collect()
}

pub(crate) fn is_bundle(bytes: &[u8]) -> bool {
    cbor::Reader::new(bytes).is_tag(TAG_BUNDLE) == Ok(true)
}
