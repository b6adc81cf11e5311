//! Entity attestation tokens (RFC 9711), with all that is in them: each part for itself, since nothing is inherited.

use alloc::{
    borrow::ToOwned,
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::cell::RefCell;

use corim::{
    Class, ClassId, Element, Environment, Instance, MeasurementValues, RawValue, Version, VersionScheme,
};
use coswid::{MeasuredFile, Tag};
use eat::{
    Bundle, Claims, Content, ContentBody, MAX_SUBMODS, MAX_TOKEN_LEN, MeasuredComponent, Measurement,
    NestedToken, Nonce, OuterProtection, PsaToken, SignedCmw, Submodule, SubmodulePath, Token, TokenCheck,
    TokenHint, TokenKeys, UnprotectedClaims, VerifiedToken,
};

use super::{Attester, arm, elements::element, is_psa, keys, malformed};
use crate::{Beliefs, Code, EndorsedKey, KeyBinding, Measured, Reason};

/// Content-Format of CoSWID (RFC 9393, section 8.2).
const COSWID_FORMAT: u16 = 258;

/// How far the clock of a device may be from ours, in seconds, where a token has times. Fresh it is by its nonce.
const MAX_CLOCK_SKEW: i64 = 60;

/// Media types of unprotected claims-sets (RFC 9781; RFC 9782).
const UNPROTECTED: [&str; 3] =
    ["application/uccs+cbor", "application/eat-ucs+cbor", "application/eat-ucs+json"];

/// The name of the outermost token in results; its parts follow behind slashes.
const NAME: &str = "EAT";

/// A claims-set and who vouches for it.
struct Part<'c> {
    path: SubmodulePath,
    claims: &'c Claims,
    environment: Environment,
    by: EndorsedKey,
    /// Whether it is part of the claims of another.
    carried: bool,
}

/// Finds the keys of tokens by what they say of themselves, and remembers which held.
struct Finder<'a> {
    beliefs: &'a Beliefs<'a>,
    found: RefCell<BTreeMap<SubmodulePath, EndorsedKey>>,
    refusal: RefCell<Option<Reason>>,
}

pub(super) fn verify(
    token: &Token<'_>,
    beliefs: &Beliefs<'_>,
    nonce: &Nonce,
) -> Result<Vec<Attester>, Reason> {
    let finder = Finder::new(beliefs);
    let verified = token.clone().verify_all(&finder, nonce);
    let verified = verified.map_err(|error| finder.refused(error))?;
    attesters(&verified, &finder, nonce)
}

/// A token and the claims-sets whose digests are in it.
pub(super) fn bundle(bundle: &Bundle, beliefs: &Beliefs<'_>, nonce: &Nonce) -> Result<Vec<Attester>, Reason> {
    let finder = Finder::new(beliefs);
    let verified = bundle.verify_all(&finder, nonce);
    let verified = verified.map_err(|error| finder.refused(error))?;
    attesters(&verified, &finder, nonce)
}

/// An unprotected claims-set within a signed wrapper, which is what protects it (RFC 9781, section 3).
pub(super) fn carried(
    wrapper: &SignedCmw<'_>,
    beliefs: &Beliefs<'_>,
    nonce: &Nonce,
) -> Result<Vec<Attester>, Reason> {
    let records = wrapper.unverified().records();
    let [(_, record)] = records.as_slice() else {
        return Err(malformed("a signed wrapper is read around one message"));
    };
    let kind = record.kind.media_type().ok_or_else(|| malformed("the type in the wrapper is not known"))?;
    let unprotected = match kind.essence() {
        essence if !is_unprotected(essence) => {
            return Err(malformed("a signed wrapper is read around an unprotected claims-set"));
        }
        essence if essence.ends_with("json") => UnprotectedClaims::decode_json(&record.value),
        _ => UnprotectedClaims::decode(&record.value),
    };
    let unprotected = unprotected.map_err(keys::refused)?;
    let environment = environment(unprotected.unverified());
    let keys = keys::of(beliefs, &environment, &[])?;
    let (_, by) = keys::first(&keys, EndorsedKey::for_tokens, |key| wrapper.clone().verify(key))?;
    let claims =
        unprotected.carried_by(OuterProtection::SignedEnvelope, Some(nonce)).map_err(keys::refused)?;
    let claims = claims.claims();
    if claims.submods.values().any(|submodule| submodule.claims().is_none()) {
        return Err(malformed("an unprotected claims-set holds a token"));
    }
    let by = by.clone();
    let root = Part { path: Vec::new(), claims, environment, by, carried: false };
    walk(root, None, &Finder::new(beliefs), nonce)
}

/// Whether evidence of this media type is unprotected.
pub(super) fn is_unprotected(essence: &str) -> bool {
    UNPROTECTED.contains(&essence)
}

fn attesters(token: &VerifiedToken, finder: &Finder<'_>, nonce: &Nonce) -> Result<Vec<Attester>, Reason> {
    let by = finder.key(&[])?;
    let environment = environment(token.claims());
    let root = Part { path: Vec::new(), claims: token.claims(), environment, by, carried: false };
    walk(root, Some(token), finder, nonce)
}

/// Every part; the outermost is the first.
fn walk(
    root: Part<'_>,
    token: Option<&VerifiedToken>,
    finder: &Finder<'_>,
    nonce: &Nonce,
) -> Result<Vec<Attester>, Reason> {
    let (mut attesters, mut left) = (Vec::new(), Vec::from([root]));
    while let Some(part) = left.pop() {
        let timely = part.claims.check_time(finder.beliefs.now, MAX_CLOCK_SKEW);
        timely.map_err(|distrust| keys::refused(distrust.into()))?;
        let attester = part.attester(finder.beliefs)?;
        let environment = attester.measured.environment.clone();
        attesters.push(attester);
        for (name, submodule) in &part.claims.submods {
            let path: SubmodulePath = part.path.iter().chain([name]).cloned().collect();
            let same_signer = |claims| Part {
                environment: part.environment_of(name, claims, &environment),
                path: path.clone(),
                claims,
                by: part.by.clone(),
                carried: true,
            };
            match submodule {
                Submodule::Claims(claims) => left.push(same_signer(claims)),
                Submodule::Detached(_) => match token.and_then(|token| token.detached().get(&path)) {
                    Some(claims) => left.push(same_signer(claims)),
                    None => attesters.push(Attester::refused(&called(&path), Code::SubmoduleMissing.into())),
                },
                Submodule::Token(nested) => {
                    let inner = token.and_then(|token| token.inner().get(&path));
                    let inner = inner.ok_or_else(|| malformed("a nested token was not verified"))?;
                    if !inner.fresh {
                        // Whoever put it there may have kept it from better days.
                        attesters.push(Attester::refused(&called(&path), Code::ReplayedNonce.into()));
                    } else if let (NestedToken::Cbor(bytes), true) = (nested, names_psa(&inner.claims)) {
                        let token = PsaToken::decode(bytes).map_err(keys::refused)?;
                        let nested = arm::psa(&token, finder.beliefs, nonce)?.into_iter();
                        attesters.extend(nested.map(|nested| Attester { name: called(&path), ..nested }));
                    } else {
                        left.push(Part {
                            environment: self::environment(&inner.claims),
                            by: finder.key(&path)?,
                            path,
                            claims: &inner.claims,
                            carried: false,
                        });
                    }
                }
            }
        }
    }
    let names: BTreeSet<&str> = attesters.iter().map(|attester| attester.name.as_str()).collect();
    if names.len() != attesters.len() || names.len() > MAX_SUBMODS {
        return Err(malformed("a token has two parts of one name, or more than a result has room for"));
    }
    Ok(attesters)
}

impl Part<'_> {
    fn attester(&self, beliefs: &Beliefs<'_>) -> Result<Attester, Reason> {
        let profile = match &self.claims.profile {
            Some(eat::Profile::Uri(uri)) => Some(uri.clone()),
            _ => None,
        };
        let environment = self.environment.clone();
        let (elements, files) = measured(self.claims, beliefs)?;
        // Other measurements beside files belong to no release that knows files alone.
        let files = if files.len() == elements.len() { files } else { Vec::new() };
        let name = called(&self.path);
        let attester = match self.carried {
            // It is of an environment of its own, of which the endorsement of its signer's key says nothing.
            true => Attester {
                binding: Some(KeyBinding::Whole),
                ..Attester::signed(&name, environment, elements, &self.by)
            },
            false => Attester::new(&name, environment, elements, &self.by),
        };
        Ok(Attester { profile, files, debug: self.claims.dbgstat, carried: self.carried, ..attester })
    }

    /// The environment of a claims-set in this part. One that names no model or device of its own is what this part
    /// calls it: class and instance of this part, and behind a slash the name.
    fn environment_of(&self, name: &str, claims: &Claims, whole: &Environment) -> Environment {
        let own = environment(claims);
        if own != Environment::default() {
            return own;
        }
        let below = |id: &[u8]| [id, b"/", name.as_bytes()].concat();
        let class = whole.class.as_ref().and_then(|class| class.id.as_ref()).map(|id| match id {
            ClassId::Oid(id) | ClassId::Bytes(id) => below(id),
            ClassId::Uuid(id) => below(id),
            ClassId::OlderImplementationId(id) => below(id),
        });
        let instance = whole.instance.as_ref().and_then(|instance| match instance {
            Instance::Ueid(id) | Instance::Bytes(id) => Some(below(id)),
            Instance::Uuid(id) => Some(below(id)),
            Instance::Key(_) => None,
        });
        Environment {
            class: class.map(|id| Class { id: Some(ClassId::Bytes(id)), ..Class::default() }),
            instance: instance.map(Instance::Bytes),
            group: None,
        }
    }
}

impl<'a> Finder<'a> {
    fn new(beliefs: &'a Beliefs<'a>) -> Self {
        Self { beliefs, found: RefCell::default(), refusal: RefCell::default() }
    }

    /// The key that held for a token.
    fn key(&self, path: &[String]) -> Result<EndorsedKey, Reason> {
        let found = self.found.borrow().get(path).cloned();
        found.ok_or_else(|| Code::UnknownDevice.into())
    }

    /// Why a token is not believed: what was found of its keys tells more than that none held.
    fn refused(&self, error: eat::Error) -> Reason {
        let known = self.refusal.borrow_mut().take();
        match (known, keys::refused(error)) {
            (Some(known), reason) if reason.code == Code::UnknownDevice => known,
            (_, reason) => reason,
        }
    }
}

impl TokenKeys for Finder<'_> {
    fn verify(&self, token: &TokenHint<'_>, check: TokenCheck<'_>) -> Result<(), eat::Error> {
        let none = || eat::Error::from(cose::Error::from(cose::Distrust::NoKey));
        let keys = match keys::of(self.beliefs, &environment(token.claims), token.certificates) {
            Ok(keys) => keys,
            Err(reason) => {
                self.refusal.replace(Some(reason));
                return Err(none());
            }
        };
        let mut refusal = none();
        for key in keys {
            let Some(public) = key.for_tokens() else { continue };
            match check(public.into()) {
                Ok(()) => {
                    self.found.borrow_mut().insert(token.path.to_owned(), key.into_owned());
                    return Ok(());
                }
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }
}

/// The environment of a token: its UEID, and its model as class.
fn environment(claims: &Claims) -> Environment {
    let class = claims
        .hwmodel
        .as_ref()
        .map(|model| Class { id: Some(ClassId::Bytes(model.clone())), ..Class::default() });
    let instance = claims.ueid.as_ref().map(|ueid| Instance::Ueid(ueid.as_bytes().to_vec()));
    Environment { class, instance, group: None }
}

/// What a part is called in results.
fn called(path: &[String]) -> String {
    let mut name = String::from(NAME);
    for part in path {
        name.push('/');
        name.push_str(part);
    }
    name
}

fn names_psa(claims: &Claims) -> bool {
    matches!(&claims.profile, Some(eat::Profile::Uri(uri)) if is_psa(uri))
}

/// What the measurements in a token say: CoSWID evidence tags, each file by its path, and measured components by their
/// names. Measurements in other formats are refused: passing over one would be to judge a part.
fn measured(claims: &Claims, beliefs: &Beliefs<'_>) -> Result<(Vec<Element>, Vec<Measured>), Reason> {
    let (mut elements, mut files) = (Vec::new(), Vec::new());
    for content in &claims.measurements {
        let component = beliefs.components.map(|formats| formats.component(content)).transpose();
        if let Some(component) = component.map_err(keys::refused)?.flatten() {
            elements.push(measured_component(&component)?);
        } else {
            files.extend(measured_files(content)?);
        }
    }
    elements.extend(files.iter().map(|file: &Measured| {
        let digests = file.digest.iter().map(|digest| (*digest).into()).collect();
        element(&file.name, MeasurementValues { digests, ..MeasurementValues::default() })
    }));
    Ok((elements, files))
}

fn measured_files(content: &Content) -> Result<Vec<Measured>, Reason> {
    let ContentBody::Bytes(bytes) = &content.body else {
        return Err(malformed("a measurement is text"));
    };
    if content.format != COSWID_FORMAT || bytes.len() > MAX_TOKEN_LEN {
        return Err(
            malformed("a measurement is of a format that is not read").with("content-format", content.format)
        );
    }
    let tag = Tag::decode(bytes).map_err(malformed)?;
    let file = |file: MeasuredFile<'_>| match file.digest {
        Some(_) => Ok(Measured { name: file.path(), digest: file.digest, size: file.size }),
        None => Err(malformed("a measured file has no digest that counts")),
    };
    tag.measured_files().into_iter().map(file).collect()
}

/// A measured component (draft-ietf-rats-eat-measured-component). What its authorities and flags mean, only a profile says,
/// and none is known here.
fn measured_component(component: &MeasuredComponent) -> Result<Element, Reason> {
    if component.needs_profile() {
        return Err(keys::refused(eat::Distrust::Profile.into()));
    }
    let (digests, raw_value) = match &component.measurement {
        Measurement::Digest(digest) => (Vec::from([(*digest).into()]), None),
        Measurement::Raw(raw) => (Vec::new(), Some(RawValue::Plain(raw.clone()))),
    };
    let version = component.version.as_ref().map(|version| Version {
        version: version.text.clone(),
        scheme: version.scheme.as_ref().map(|scheme| match scheme {
            eat::VersionScheme::Int(id) => VersionScheme::Id(*id),
            eat::VersionScheme::Text(name) => VersionScheme::Name(name.clone()),
        }),
    });
    let values = MeasurementValues { digests, raw_value, version, ..MeasurementValues::default() };
    Ok(element(&component.name, values))
}
