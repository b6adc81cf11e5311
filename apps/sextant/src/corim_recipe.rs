//! What a reference integrity manifest is made of, as a person writes it (docs/expected-values.md), and the manifest that
//! comes of it.

use std::path::{Path, PathBuf};

use corim::{
    Class, ClassId, Comid, Corim, CryptoKey, Digest, DigestAlgorithm, Entity, Environment, Instance,
    KeyTriple, MeasuredElement, Measurement, MeasurementValues, Profile, Svn, Tag, TagId, TagIdentity,
    Triples, Validity, ValuesTriple, Version, VersionScheme,
};
use crypto::HashAlgorithm;
use serde::Deserialize;

use crate::{
    clock,
    commands::authority,
    failure::Failure,
    files::{self, Input},
    keys::KeyFile,
    node::from_hex,
};

/// A recipe.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Recipe {
    id: String,
    profile: Option<String>,
    not_before: Option<String>,
    not_after: Option<String>,
    /// Who makes the manifest.
    creator: Option<String>,
    /// CoSWID tags that go along.
    #[serde(default)]
    coswid: Vec<PathBuf>,
    #[serde(default)]
    comid: Vec<ComidRecipe>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ComidRecipe {
    id: String,
    #[serde(default)]
    version: u64,
    creator: Option<String>,
    #[serde(default)]
    reference: Vec<ValuesRecipe>,
    #[serde(default)]
    endorsed: Vec<ValuesRecipe>,
    #[serde(default)]
    attest_key: Vec<KeyRecipe>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct EnvironmentRecipe {
    class_id: Option<String>,
    vendor: Option<String>,
    model: Option<String>,
    layer: Option<u64>,
    index: Option<u64>,
    /// A UEID in hexadecimal digits.
    instance: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ValuesRecipe {
    environment: EnvironmentRecipe,
    measurement: Vec<MeasurementRecipe>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRecipe {
    environment: EnvironmentRecipe,
    /// A public key, in any form.
    key: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct MeasurementRecipe {
    element: Option<String>,
    name: Option<String>,
    version: Option<String>,
    scheme: Option<i64>,
    svn: Option<u64>,
    min_svn: Option<u64>,
    /// Digests such as `sha-256:…`.
    #[serde(default)]
    digests: Vec<String>,
    /// A file whose SHA-256 is one more digest.
    file: Option<PathBuf>,
    /// Identifier of the key that signed the image, in hexadecimal digits.
    signer_id: Option<String>,
}

impl Recipe {
    /// The manifest. Paths are relative to the folder of the recipe.
    pub(crate) fn compose(self, path: &Path) -> Result<Corim, Failure> {
        let mut tags = Vec::new();
        for tag in &self.coswid {
            let input = Input::read(&files::beside(path, tag))?;
            let tag = match coswid::Received::decode(&input.bytes) {
                Ok(coswid::Received::Unsigned(tag)) => tag,
                Ok(coswid::Received::Signed(_)) => {
                    return Err(Failure::new(format!(
                        "{}: a signed tag does not go into a manifest",
                        input.name
                    ))
                    .help("the manifest's own signature covers its tags"));
                }
                Err(error) => return Err(input.failure("not a software identity tag", &error)),
            };
            tags.push(Tag::Coswid(tag.encode()));
        }
        for comid in self.comid {
            tags.push(Tag::Comid(comid.compose(path)?));
        }
        let mut corim = Corim::new(TagId::Text(self.id), tags);
        corim.profile = self.profile.map(Profile::Uri);
        let not_before = self.not_before.as_deref().map(time).transpose()?;
        let not_after = self.not_after.as_deref().map(time).transpose()?;
        corim.validity = match (not_before, not_after) {
            (not_before, Some(not_after)) => Some(Validity { not_before, not_after }),
            (None, None) => None,
            (Some(_), None) => return Err(Failure::new("`not-before` needs `not-after`")),
        };
        let creator = self.creator.map(|name| Entity::new(name, [Entity::MANIFEST_CREATOR]));
        corim.entities.extend(creator);
        Ok(corim)
    }
}

impl ComidRecipe {
    fn compose(self, path: &Path) -> Result<Comid, Failure> {
        let values = |recipes: Vec<ValuesRecipe>| -> Result<Vec<ValuesTriple>, Failure> {
            let compose = |recipe: ValuesRecipe| {
                let measurements = recipe.measurement.into_iter().map(|one| one.compose(path));
                Ok(ValuesTriple {
                    environment: recipe.environment.compose()?,
                    measurements: measurements.collect::<Result<_, Failure>>()?,
                })
            };
            recipes.into_iter().map(compose).collect()
        };
        let key = |recipe: KeyRecipe| {
            Ok(KeyTriple {
                environment: recipe.environment.compose()?,
                keys: vec![attestation_key(&files::beside(path, &recipe.key))?],
                element: None,
                authorized_by: Vec::new(),
            })
        };
        let triples = Triples {
            reference: values(self.reference)?,
            endorsed: values(self.endorsed)?,
            attest_key: self.attest_key.into_iter().map(key).collect::<Result<_, Failure>>()?,
            ..Triples::default()
        };
        let identity = TagIdentity { id: TagId::Text(self.id), version: self.version };
        let mut comid = Comid::new(identity, triples);
        let roles = [Entity::TAG_CREATOR, Entity::CREATOR];
        comid.entities.extend(self.creator.map(|name| Entity::new(name, roles)));
        Ok(comid)
    }
}

impl EnvironmentRecipe {
    fn compose(self) -> Result<Environment, Failure> {
        let id = self.class_id.as_deref().map(class_id).transpose()?;
        let class =
            Class { id, vendor: self.vendor, model: self.model, layer: self.layer, index: self.index };
        let instance = self.instance.as_deref().map(|digits| hex(digits, "instance")).transpose()?;
        Ok(Environment {
            class: (class != Class::default()).then_some(class),
            instance: instance.map(Instance::Ueid),
            group: None,
        })
    }
}

impl MeasurementRecipe {
    fn compose(self, path: &Path) -> Result<Measurement, Failure> {
        let mut digests = self.digests.iter().map(|text| digest(text)).collect::<Result<Vec<_>, _>>()?;
        if let Some(file) = &self.file {
            let input = Input::read(&files::beside(path, file))?;
            digests.push(crypto::Digest::of(HashAlgorithm::Sha256, &input.bytes).into());
        }
        let svn = match (self.svn, self.min_svn) {
            (Some(_), Some(_)) => return Err(Failure::new("a measurement has `svn` or `min-svn`, not both")),
            (svn, min) => svn.map(Svn::Exact).or(min.map(Svn::Min)),
        };
        let scheme = self.scheme.map(VersionScheme::Id);
        let signer = self.signer_id.as_deref().map(|digits| hex(digits, "signer-id")).transpose()?;
        let values = MeasurementValues {
            version: self.version.map(|version| Version { version, scheme }),
            svn,
            digests,
            name: self.name,
            cryptokeys: signer.map(CryptoKey::Bytes).into_iter().collect(),
            ..MeasurementValues::default()
        };
        let element = self.element.map(|name| match name.parse() {
            Ok(number) => MeasuredElement::Number(number),
            Err(_) => MeasuredElement::Name(name),
        });
        Ok(Measurement { key: element, ..Measurement::new(values) })
    }
}

/// A public key as manifests name it. Of RSA it is one of a TPM, which is good for nothing else here.
fn attestation_key(path: &Path) -> Result<CryptoKey, Failure> {
    let input = Input::read(path)?;
    let text = String::from_utf8_lossy(&input.bytes).into_owned();
    let forms = [
        CryptoKey::PkixKey(text.clone()),
        CryptoKey::PkixCertificate(text),
        CryptoKey::CoseKey(input.bytes.clone()),
        CryptoKey::CertificateDer(input.bytes.clone()),
    ];
    let spki = match forms.iter().find_map(CryptoKey::rsa_public_key) {
        Some(key) => key.to_spki_der(),
        None => KeyFile::decode(&input.bytes).map_err(|error| error.failure(&input))?.public.to_spki_der(),
    };
    Ok(CryptoKey::PkixKey(x509::pem::encode("PUBLIC KEY", &spki)))
}

fn time(text: &str) -> Result<i64, Failure> {
    clock::parse_time(text).map_err(|expected| Failure::new(format!("`{text}`: {expected}")))
}

fn hex(digits: &str, what: &str) -> Result<Vec<u8>, Failure> {
    from_hex(digits).ok_or_else(|| Failure::new(format!("`{what}`: expected hexadecimal digits")))
}

/// A UUID, or bytes in hexadecimal digits.
pub(crate) fn class_id(text: &str) -> Result<ClassId, Failure> {
    match authority::parse_uuid(text).filter(|_| text.contains('-')) {
        Some(uuid) => Ok(ClassId::Uuid(*uuid.as_bytes())),
        None => hex(text, "class-id").map(ClassId::Bytes),
    }
}

fn digest(text: &str) -> Result<Digest, Failure> {
    let fail =
        || Failure::new(format!("`{text}`: expected a digest such as sha-256:, with its hexadecimal digits"));
    let (name, digits) = text.split_once(':').ok_or_else(fail)?;
    let algorithm = HashAlgorithm::from_name(name).ok_or_else(fail)?;
    let id = i64::try_from(algorithm.named_info_id()).map_err(|_| fail())?;
    Digest::new(DigestAlgorithm::Id(id), &from_hex(digits).ok_or_else(fail)?).ok_or_else(fail)
}
