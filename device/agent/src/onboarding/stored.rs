use std::path::Path;

use cbor::{Order, Reader, Writer};
use crypto::{SignatureAlgorithm, SigningKey};
use fdo::{Credential, provision::Provision};
use zeroize::Zeroizing;

use crate::{
    Error,
    place::{Place, read, setup, write_private},
};

/// The form of the file, which another version of this code must not misread.
const FORM: u64 = 1;
/// Elements of the file.
const FIELDS: usize = 7;

/// How a device stands with its owner: everything of it is in one file, so that it is replaced in one step.
pub(crate) struct Onboarding {
    /// What it knows of its owner.
    pub(crate) credential: Credential,
    /// What the owner gave it; none as long as it waits for one.
    pub(crate) given: Option<Given>,
    /// The authority list of the first owner that gave one. No other owner's takes its place, since only its roots change it.
    pub(crate) authorities: Option<Vec<u8>>,
}

/// What an owner gave, which may be nothing but the credential.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) provision: Option<Provision>,
    pub(crate) operational: Option<Operational>,
}

/// The device's identity with its owner. It cannot be shown.
pub(crate) struct Operational {
    pub(crate) key: SigningKey,
    /// Of that key, in DER.
    pub(crate) certificate: Vec<u8>,
}

impl Onboarding {
    /// Reads it; none on a device that was not made for onboarding.
    pub(crate) fn load(data: &Path) -> Result<Option<Self>, Error> {
        let path = Place(data).credential();
        if !path.exists() {
            return Ok(None);
        }
        let bytes = Zeroizing::new(read(&path)?);
        Self::decode(&bytes).map(Some).map_err(setup(&path))
    }

    /// Puts it in force: a crash leaves what was or this.
    pub(crate) fn save(&self, data: &Path) -> Result<(), Error> {
        let path = Place(data).credential();
        write_private(&path, &self.encode().map_err(setup(&path))?)
    }

    /// What the owner gave in our own module.
    pub(crate) fn provision(&self) -> Option<&Provision> {
        self.given.as_ref()?.provision.as_ref()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Box<dyn std::error::Error>> {
        let mut reader = Reader::with_order(bytes, Order::Unique);
        reader.array_of(FIELDS)?;
        if reader.uint()? != FORM {
            return Err("the file is of another version".into());
        }
        let credential = Credential::decode(reader.bytes()?)?;
        let is_given = reader.bool()?;
        let provision = optional(&mut reader)?.map(Provision::decode).transpose()?;
        let (key, certificate) = (optional(&mut reader)?, optional(&mut reader)?);
        let authorities = optional(&mut reader)?.map(<[u8]>::to_vec);
        reader.end()?;
        let operational = match (key, certificate) {
            (Some(key), Some(certificate)) => Some(Operational {
                key: SigningKey::from_bytes(SignatureAlgorithm::Es256, key)?,
                certificate: certificate.to_vec(),
            }),
            _ => None,
        };
        Ok(Self { credential, given: is_given.then_some(Given { provision, operational }), authorities })
    }

    fn encode(&self) -> Result<Zeroizing<Vec<u8>>, fdo::provision::TooLong> {
        let given = self.given.as_ref();
        let provision =
            given.and_then(|given| given.provision.as_ref()).map(Provision::encode).transpose()?;
        let operational = given.and_then(|given| given.operational.as_ref());
        Ok(Zeroizing::new(Writer::encode(|w| {
            w.array(FIELDS).uint(FORM).bytes(&self.credential.encode()).bool(given.is_some());
            let mut write = |bytes: Option<&[u8]>| match bytes {
                Some(bytes) => _ = w.bytes(bytes),
                None => _ = w.null(),
            };
            write(provision.as_ref().map(|provision| provision.as_slice()));
            write(
                operational
                    .map(|operational| operational.key.secret_bytes())
                    .as_ref()
                    .map(|key| key.as_slice()),
            );
            write(operational.map(|operational| operational.certificate.as_slice()));
            write(self.authorities.as_deref());
        })))
    }
}

fn optional<'b>(reader: &mut Reader<'b>) -> Result<Option<&'b [u8]>, cbor::Error> {
    if reader.is_null()? { Ok(None) } else { reader.bytes().map(Some) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use fdo::{Directive, Guid, Instruction, KeyType, RendezvousInfo, provision::Network};

    use super::*;

    fn credential() -> Credential {
        let instructions = vec![Instruction::Dns("rv.example".into())];
        Credential {
            guid: Guid([7; 16]),
            device_info: "camera".into(),
            rendezvous: RendezvousInfo { directives: vec![Directive { instructions }] },
            owner: crypto::Digest::of(crypto::HashAlgorithm::Sha256, b"key"),
            owner_key_type: KeyType::Secp256r1,
        }
    }

    fn given() -> Given {
        let network = Network { ssid: "plant".into(), password: Some(Zeroizing::new("hunter2".into())) };
        let key = SigningKey::from_bytes(SignatureAlgorithm::Es256, &[5; 32]).unwrap();
        Given {
            provision: Some(Provision {
                server: "https://server.example".into(),
                networks: vec![network],
                ..Provision::default()
            }),
            operational: Some(Operational { key, certificate: vec![1, 2, 3] }),
        }
    }

    #[test]
    fn what_is_kept_is_read_again_and_no_part_of_it_is() {
        let rows = [None, Some(Given::default()), Some(given())];
        for given in rows {
            let authorities = given.as_ref().map(|_| vec![4, 5]);
            let kept = Onboarding { credential: credential(), given, authorities };
            let bytes = kept.encode().unwrap();
            let read = Onboarding::decode(&bytes).ok().unwrap();
            assert_eq!(read.encode().unwrap(), bytes);
            assert_eq!(read.credential, kept.credential);
            assert_eq!((read.given.is_some(), &read.authorities), (kept.given.is_some(), &kept.authorities));
            assert_eq!(read.provision(), kept.provision());
            for end in 0..bytes.len() {
                assert!(Onboarding::decode(&bytes[..end]).is_err(), "{end}");
            }
        }
    }

    #[test]
    fn it_is_in_one_file_that_nobody_else_may_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Onboarding::load(folder.path()).unwrap().is_none());
        crate::place::make_private_folder(&Place(folder.path()).fdo()).unwrap();
        let kept = Onboarding { credential: credential(), given: Some(given()), authorities: None };
        kept.save(folder.path()).unwrap();
        let path = Place(folder.path()).credential();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!path.with_extension("part").exists());
        let read = Onboarding::load(folder.path()).unwrap().unwrap();
        assert_eq!(read.encode().unwrap(), kept.encode().unwrap());
        // What was begun and not ended is no part of it.
        std::fs::write(path.with_extension("part"), b"torn").unwrap();
        assert!(Onboarding::load(folder.path()).unwrap().is_some());
    }
}
