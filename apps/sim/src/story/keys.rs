//! The key ceremony: everyone in the story makes a key, and says whom to believe.

use crypto::{SignatureAlgorithm, SigningKey};
use suit::{Authority, AuthorityList, AuthorityPolicy, ComponentId, Role, Uuid};
use trust::{DraftImage, DraftMud, Release, ReleaseAnchors, ReleaseDraft};
use x509::{Certificate, CertificateBuilder, Name, Validity, cms};

use super::catalog::{Model, Version};
use crate::{AppSettings, Error, app_image, now_ms};

/// Whoever makes a product: one key for manifests, another for MUD files.
pub(crate) struct Maker {
    pub(crate) author: SigningKey,
    pub(crate) kid: Vec<u8>,
    pub(crate) mud_signer: SigningKey,
    pub(crate) certificate: Certificate,
}

/// The keys of the story.
pub(crate) struct Keys {
    pub(crate) northlight: Maker,
    pub(crate) brightwork: Maker,
    /// Of whoever owns the devices.
    pub(crate) operator: SigningKey,
    /// Of whoever may change the authority list; it signs nothing in the story.
    pub(crate) root: SigningKey,
    /// Of whoever runs the network.
    pub(crate) network: SigningKey,
    /// Of somebody whom nobody asked.
    pub(crate) stranger: SigningKey,
}

/// A release as its maker gives it away.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) version: Version,
    pub(crate) envelope: Vec<u8>,
    pub(crate) digest: String,
    pub(crate) release: Release,
}

/// Whose signatures a release gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signatures {
    None,
    Author,
    AuthorAndOperator,
    /// The author of the other maker's products, and the operator.
    OtherAuthor,
}

/// Name of the key of the owner of the devices.
const OPERATOR_KID: &[u8] = b"operator";
/// How long the certificates of MUD signers are good for, in seconds.
const CERTIFICATE_LIFETIME: i64 = 30 * 24 * 3600;
/// Name of the one component of the story's devices.
pub(crate) const COMPONENT: &str = "app";

impl Keys {
    pub(crate) fn generate() -> Result<Self, Error> {
        Ok(Self {
            northlight: Maker::new("Northlight", b"northlight")?,
            brightwork: Maker::new("Brightwork", b"brightwork")?,
            operator: new_key()?,
            root: new_key()?,
            network: new_key()?,
            stranger: new_key()?,
        })
    }

    pub(crate) fn maker(&self, model: Model) -> &Maker {
        match model {
            Model::PorchCam => &self.northlight,
            Model::DeskPlug => &self.brightwork,
        }
    }

    /// Who may sign what: each maker for its own devices, and always the operator too.
    pub(crate) fn authorities(&self) -> Result<AuthorityList, Error> {
        let author = |model: Model| {
            let maker = self.maker(model);
            let mut entry =
                Authority::new(maker.author.public_key().clone(), &maker.kid, model.vendor(), Role::Author);
            entry.vendor = Some(Uuid::vendor(model.vendor()));
            entry
        };
        let operator =
            Authority::new(self.operator.public_key().clone(), OPERATOR_KID, "operator", Role::Operator);
        let root = Authority::new(self.root.public_key().clone(), b"root", "root", Role::Root);
        let policy = AuthorityPolicy { operators: 1, ..AuthorityPolicy::default() };
        AuthorityList::new(policy, vec![author(Model::PorchCam), author(Model::DeskPlug), operator, root])
            .map_err(Error::object("the authority list cannot be made"))
    }

    pub(crate) fn anchors(&self) -> Result<ReleaseAnchors, Error> {
        Ok(ReleaseAnchors { authorities: self.authorities()?, mud_issuers: Vec::new() })
    }

    /// Makes and signs a release around an application.
    pub(crate) fn publish(&self, version: Version, program: &[u8]) -> Result<Published, Error> {
        let envelope =
            self.sign(&self.draft(version, program)?, Signatures::AuthorAndOperator, version.model)?;
        let release = Release::accept(&envelope, &self.anchors()?, now()).map_err(Error::object(format!(
            "{} {} is refused",
            version.model.class(),
            version.number
        )))?;
        let digest = hex(release.manifest_digest().as_bytes());
        Ok(Published { version, envelope, digest, release })
    }

    pub(crate) fn draft(&self, version: Version, program: &[u8]) -> Result<ReleaseDraft, Error> {
        let maker = self.maker(version.model);
        let settings = AppSettings {
            product: version.model.class().to_owned(),
            version: version.number.to_owned(),
            flows: version.app_flows(),
        };
        let component = ComponentId::new(&[COMPONENT]).expect("one short segment is a component id");
        Ok(ReleaseDraft {
            vendor_domain: version.model.vendor().to_owned(),
            class_name: version.model.class().to_owned(),
            name: version.model.software().to_owned(),
            version: version.number.to_owned(),
            version_scheme: coswid::VersionScheme::Semver,
            sequence_number: version.sequence,
            tag_id: None,
            supersedes: None,
            links: Vec::new(),
            images: vec![DraftImage {
                component,
                content: app_image(program, &settings),
                version: None,
                uri: None,
                invoke: true,
            }],
            mud: Some(maker.network_needs(version)?),
        })
    }

    pub(crate) fn sign(
        &self,
        draft: &ReleaseDraft,
        signed: Signatures,
        model: Model,
    ) -> Result<Vec<u8>, Error> {
        let mut envelope = draft.build().map_err(Error::object("a release cannot be made"))?;
        let (own, other) = match model {
            Model::PorchCam => (&self.northlight, &self.brightwork),
            Model::DeskPlug => (&self.brightwork, &self.northlight),
        };
        match signed {
            Signatures::None => {}
            Signatures::Author | Signatures::AuthorAndOperator => {
                envelope.sign(&own.author, Some(&own.kid));
            }
            Signatures::OtherAuthor => {
                envelope.sign(&other.author, Some(&other.kid));
            }
        }
        if matches!(signed, Signatures::AuthorAndOperator | Signatures::OtherAuthor) {
            envelope.sign(&self.operator, Some(OPERATOR_KID));
        }
        Ok(envelope.to_bytes())
    }
}

impl Maker {
    fn new(name: &str, kid: &[u8]) -> Result<Self, Error> {
        let mud_signer = new_key()?;
        let certificate = certificate(name, &mud_signer)?;
        Ok(Self { author: new_key()?, kid: kid.to_vec(), mud_signer, certificate })
    }

    fn network_needs(&self, version: Version) -> Result<DraftMud, Error> {
        let signature = cms::sign_detached(version.mud, &self.mud_signer, &self.certificate, &[], now())
            .map_err(Error::object("a MUD file cannot be signed"))?;
        Ok(DraftMud {
            url: version.model.mud_url().to_owned(),
            file: version.mud.to_vec(),
            signature,
            signer: self.mud_signer.public_key().clone(),
        })
    }
}

/// A new ES256 key.
pub(crate) fn new_key() -> Result<SigningKey, Error> {
    let mut filled = Ok(());
    let mut fill = |bytes: &mut [u8]| filled = getrandom::fill(bytes);
    let key = SigningKey::generate(SignatureAlgorithm::Es256, &mut fill)
        .map_err(Error::object("no key can be made"));
    filled.map_err(Error::object("the operating system gives no random bytes"))?;
    key
}

/// A certificate for a signer of MUD files. The manifest pins the key, so it stands for itself.
fn certificate(name: &str, key: &SigningKey) -> Result<Certificate, Error> {
    let failed = || Error::object("a certificate cannot be made");
    let subject: Name = format!("CN={name} MUD").parse().map_err(failed())?;
    let validity = Validity { not_before: now() - 3600, not_after: now() + CERTIFICATE_LIFETIME };
    CertificateBuilder::new(subject, key.public_key(), &[1], validity).self_signed(key).map_err(failed())
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    (now_ms() / 1000).cast_signed()
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Error::object("the operating system gives no random bytes"))?;
    Ok(bytes)
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    trust::device_name(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::catalog::{CAM_1_0, CAM_1_1, PLUG_1_0, PLUG_1_1};

    #[test]
    fn every_release_of_the_story_is_accepted_and_differs_in_what_it_needs() {
        let keys = Keys::generate().unwrap();
        for (old, new) in [(CAM_1_0, CAM_1_1), (PLUG_1_0, PLUG_1_1)] {
            let old = keys.publish(old, b"program").unwrap();
            let new = keys.publish(new, b"program").unwrap();
            assert_ne!(old.digest, new.digest);
            assert!(!new.release.network_change(&old.release).gained.is_empty());
        }
    }

    #[test]
    fn a_release_needs_its_own_author_and_the_operator() {
        let keys = Keys::generate().unwrap();
        let anchors = keys.anchors().unwrap();
        let draft = keys.draft(CAM_1_0, b"program").unwrap();
        for (signed, code) in [
            (Signatures::None, trust::Code::UnsignedManifest),
            (Signatures::Author, trust::Code::OperatorSignatureMissing),
            (Signatures::OtherAuthor, trust::Code::AuthorOutOfScope),
        ] {
            let envelope = keys.sign(&draft, signed, Model::PorchCam).unwrap();
            assert_eq!(Release::accept(&envelope, &anchors, now()).unwrap_err().code, code, "{signed:?}");
        }
    }
}
