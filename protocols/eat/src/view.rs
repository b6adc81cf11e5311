//! What evidence says, whatever its format: for those who compare it with expected values.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use crypto::{Digest, HashAlgorithm};

use crate::{
    CarriedClaims, CcaPlatformClaims, CcaRealmClaims, Claims, Content, DebugStatus, Lifecycle, Measurement,
    Nonce, PsaClaims, SoftwareComponent, SubmodulePath, VerifiedCcaToken, VerifiedEvidence, VerifiedPsaToken,
    VerifiedToken, verify::below,
};

/// Where a view comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EvidenceFormat {
    /// Evidence of this product's profile.
    Sextant,
    /// An entity attestation token of any other profile.
    Eat,
    /// A PSA token.
    Psa,
    /// The platform part of a CCA token.
    CcaPlatform,
    /// The realm part of a CCA token.
    CcaRealm,
    /// A TPM quote.
    Tpm,
}

/// Verified evidence in one form. Only verified things make one, and claims whose protection the caller named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceView {
    /// Where it comes from.
    pub format: EvidenceFormat,
    /// Which device: UEID, instance id, or what the format has in their place.
    pub instance: Option<Vec<u8>>,
    /// Which kind of device: implementation id, or model of hardware.
    pub implementation: Option<Vec<u8>>,
    /// Security lifecycle of the root of trust.
    pub lifecycle: Option<Lifecycle>,
    /// Whether it can be debugged.
    pub debug: Option<DebugStatus>,
    /// The nonces it answers.
    pub nonces: Vec<Nonce>,
    /// What tells one boot session from all others.
    pub boot_seed: Option<Vec<u8>>,
    /// What was measured.
    pub items: Vec<MeasuredItem>,
    /// Measurements in formats that are not read here, such as CoSWID.
    pub contents: Vec<Content>,
}

/// One measured thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredItem {
    /// Its name or kind, as far as the format has one.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Who is responsible for it, as identifiers of keys.
    pub signers: Vec<Vec<u8>>,
    /// Its digests, each by another algorithm.
    pub digests: Vec<Digest>,
    /// Its value, where it is none of a known digest.
    pub raw: Option<Vec<u8>>,
}

impl EvidenceView {
    pub(crate) fn new(format: EvidenceFormat) -> Self {
        Self {
            format,
            instance: None,
            implementation: None,
            lifecycle: None,
            debug: None,
            nonces: Vec::new(),
            boot_seed: None,
            items: Vec::new(),
            contents: Vec::new(),
        }
    }
}

impl From<&VerifiedEvidence<'_>> for EvidenceView {
    fn from(evidence: &VerifiedEvidence<'_>) -> Self {
        let claims = evidence.claims();
        Self {
            instance: Some(claims.ueid.as_bytes().into()),
            implementation: Some(claims.class.into()),
            debug: Some(claims.dbgstat),
            nonces: Vec::from([claims.nonce.clone()]),
            boot_seed: Some(claims.bootseed.clone()),
            contents: Vec::from([Content::bytes(
                crate::evidence::COSWID_FORMAT,
                claims.measurement.as_slice(),
            )]),
            ..Self::new(EvidenceFormat::Sextant)
        }
    }
}

impl From<&VerifiedToken> for EvidenceView {
    /// The outermost token; for what is in it, see [`EvidenceView::of_token`].
    fn from(token: &VerifiedToken) -> Self {
        Self::of_claims(token.claims())
    }
}

impl From<&CarriedClaims> for EvidenceView {
    /// As good as what protected them on their way.
    fn from(claims: &CarriedClaims) -> Self {
        Self::of_claims(claims.claims())
    }
}

impl EvidenceView {
    /// A token and all that was verified with it, each by its path: claims-sets of a signer, nested tokens, detached
    /// sets. Nothing is inherited, so each is to be appraised for itself.
    pub fn of_token(token: &VerifiedToken) -> BTreeMap<SubmodulePath, Self> {
        let mut views = BTreeMap::new();
        let inner = token.inner().iter().map(|(path, inner)| (path.clone(), &inner.claims));
        let detached = token.detached().iter().map(|(path, claims)| (path.clone(), claims));
        let mut left: Vec<(SubmodulePath, &Claims)> = inner.chain(detached).collect();
        left.push((SubmodulePath::new(), token.claims()));
        while let Some((path, claims)) = left.pop() {
            for (name, submodule) in &claims.submods {
                if let Some(claims) = submodule.claims() {
                    left.push((below(&path, name), claims));
                }
            }
            views.insert(path, Self::of_claims(claims));
        }
        views
    }

    /// Claims that were verified. Their measurements stay contents, as only the caller knows the formats of a profile:
    /// see [`crate::MeasuredComponentFormats`].
    pub(crate) fn of_claims(claims: &Claims) -> Self {
        Self {
            instance: claims.ueid.as_ref().map(|ueid| ueid.as_bytes().into()),
            implementation: claims.hwmodel.clone(),
            debug: claims.dbgstat,
            nonces: claims.nonces.clone(),
            boot_seed: claims.bootseed.clone(),
            contents: claims.measurements.clone(),
            ..Self::new(EvidenceFormat::Eat)
        }
    }
}

impl From<&VerifiedPsaToken> for EvidenceView {
    fn from(token: &VerifiedPsaToken) -> Self {
        let claims: &PsaClaims = token.claims();
        Self {
            instance: Some(claims.instance_id.as_bytes().into()),
            implementation: Some(claims.implementation_id.into()),
            lifecycle: Some(claims.lifecycle),
            nonces: Vec::from([claims.nonce.clone()]),
            boot_seed: claims.boot_seed.clone(),
            items: claims.components.iter().map(|component| MeasuredItem::of(component, None)).collect(),
            ..Self::new(EvidenceFormat::Psa)
        }
    }
}

impl EvidenceView {
    /// The platform and the realm of a CCA token, each for itself: their expected values come from different makers.
    pub fn of_cca(token: &VerifiedCcaToken) -> [Self; 2] {
        let platform: &CcaPlatformClaims = token.platform();
        let realm: &CcaRealmClaims = token.realm();
        let default = Some(platform.hash_algorithm);
        let components = platform.components.iter().map(|component| MeasuredItem::of(component, default));
        let initial = MeasuredItem::measured("rim", realm.hash_algorithm, &realm.initial_measurement);
        let extensible = realm.extensible_measurements.iter().enumerate().map(|(index, measurement)| {
            MeasuredItem::measured(format!("rem{index}"), realm.hash_algorithm, measurement)
        });
        [
            Self {
                instance: Some(platform.instance_id.as_bytes().into()),
                implementation: Some(platform.implementation_id.into()),
                lifecycle: Some(platform.lifecycle),
                items: components.collect(),
                ..Self::new(EvidenceFormat::CcaPlatform)
            },
            Self {
                instance: Some(realm.personalisation.into()),
                nonces: Vec::from([realm.challenge.clone()]),
                items: core::iter::once(initial).chain(extensible).collect(),
                ..Self::new(EvidenceFormat::CcaRealm)
            },
        ]
    }
}

impl MeasuredItem {
    fn of(component: &SoftwareComponent, default: Option<HashAlgorithm>) -> Self {
        let digest = component.digest(default);
        Self {
            name: component.measurement_type.clone(),
            version: component.version.clone(),
            signers: Vec::from([component.signer_id.clone()]),
            digests: digest.into_iter().collect(),
            raw: digest.is_none().then(|| component.measurement.clone()),
        }
    }

    /// A measurement without version or signer.
    pub(crate) fn measured(name: impl Into<String>, algorithm: HashAlgorithm, measurement: &[u8]) -> Self {
        let digest = Digest::new(algorithm, measurement);
        Self {
            name: Some(name.into()),
            version: None,
            signers: Vec::new(),
            digests: digest.into_iter().collect(),
            raw: digest.is_none().then(|| measurement.into()),
        }
    }
}

impl From<&crate::MeasuredComponent> for MeasuredItem {
    fn from(component: &crate::MeasuredComponent) -> Self {
        let (digests, raw) = match &component.measurement {
            Measurement::Digest(digest) => (Vec::from([*digest]), None),
            Measurement::Raw(raw) => (Vec::new(), Some(raw.clone())),
        };
        Self {
            name: Some(component.name.clone()),
            version: component.version.as_ref().map(|version| version.text.clone()),
            signers: component.authorities.clone(),
            digests,
            raw,
        }
    }
}
