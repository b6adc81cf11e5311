//! What the program of service information works with: certificates, files, and our own module.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
};

use crypto::{Digest, HashAlgorithm, Hasher};
use fdo::{
    provision,
    service_info::{
        Advance, BackendFault, Contents, CustomSteps, ModuleFault, ObjectId, Outcome, Outgoing, ServiceFault,
        Sink,
        modules::{CertificateFormat, CsrError, Issuer},
    },
};
use x509::{CertificateBuilder, CertificationRequest, KP_CLIENT_AUTH, Name, Validity};

use crate::{
    app::onboarding::plan::{ATTEST, PROVISION, Plan},
    keys::{self, Authority},
};

/// How long operational certificates are good, in seconds. A device asks for the next one in another onboarding.
const CERTIFICATE_SECONDS: i64 = 2 * 365 * 24 * 3600;

/// What our own module heard and may say.
pub(super) struct OwnModule<'p> {
    pub(super) plan: &'p Plan,
    /// Whether the device's evidence, from an earlier message, is enough.
    pub(super) attested: bool,
    /// Evidence that came with this message.
    pub(super) evidence: Option<Vec<u8>>,
    /// Why the device did not take what it was given.
    pub(super) refused: Option<String>,
}

/// Evidence came.
const HEARD: u8 = 1;
/// The device was told.
const TOLD: u8 = 2;
/// It took everything.
const TAKEN: u8 = 3;
/// It took nothing.
const LEFT: u8 = 4;

impl CustomSteps for OwnModule<'_> {
    fn advance(
        &mut self,
        id: ObjectId,
        state: &mut Vec<u8>,
        out: &mut Outgoing,
    ) -> Result<Advance, ServiceFault> {
        match (id, state.first().copied()) {
            (ATTEST, Some(HEARD)) if self.attested => Ok(Advance::Done(Outcome::Done(0))),
            (PROVISION, None) => {
                out.push(provision::MODULE, provision::PROVISION, self.plan.provision.to_vec())?;
                *state = vec![TOLD];
                Ok(Advance::Wait)
            }
            (PROVISION, Some(TAKEN)) => Ok(Advance::Done(Outcome::Done(0))),
            (PROVISION, Some(LEFT)) => Ok(Advance::Done(Outcome::Failed(-1))),
            _ => Ok(Advance::Wait),
        }
    }

    fn receive(
        &mut self,
        id: ObjectId,
        state: &mut Vec<u8>,
        (message, value): (&str, &[u8]),
        _out: &mut Outgoing,
    ) -> Result<(), ServiceFault> {
        let mut reader = cbor::Reader::new(value);
        match (id, message, state.first().copied()) {
            (ATTEST, provision::EVIDENCE, None) => {
                self.evidence = Some(reader.bytes().map_err(ModuleFault::from)?.to_vec());
                *state = vec![HEARD];
            }
            (PROVISION, provision::PROVISIONED, Some(TOLD)) => {
                let said = reader.text().map_err(ModuleFault::from)?;
                *state = vec![if said == provision::ACCEPTED { TAKEN } else { LEFT }];
                if said != provision::ACCEPTED {
                    self.refused = Some(said.chars().filter(|c| !c.is_control()).take(64).collect());
                }
            }
            (_, provision::EVIDENCE | provision::PROVISIONED, _) => {
                return Err(ModuleFault::OutOfOrder.into());
            }
            _ => return Err(ModuleFault::MessageUnknown.into()),
        }
        Ok(())
    }
}

/// Certifies the operational key of one device.
pub(super) struct OperationalIssuer<'a> {
    pub(super) authority: &'a Authority,
    /// Whom the certificate names: the device's UEID in hexadecimal digits.
    pub(super) ueid: String,
    /// When it is, in seconds since 1970.
    pub(super) now: i64,
}

impl Issuer for OperationalIssuer<'_> {
    fn authorities(&mut self, format: CertificateFormat) -> Result<Vec<u8>, CsrError> {
        match format {
            CertificateFormat::Pkix => Ok(self.authority.certificate.as_der().to_vec()),
            CertificateFormat::Pkcs7 => Err(CsrError::UnsupportedFormat),
        }
    }

    fn issue(&mut self, request: &[u8]) -> Result<Vec<u8>, CsrError> {
        let request = CertificationRequest::decode(request).and_then(|request| request.verify());
        let request = request.map_err(|_| CsrError::BadRequest)?;
        // What the device calls itself there is passed over: who it is, it proved before.
        let name: Name = format!("CN={}", self.ueid).parse().map_err(|_| CsrError::BadRequest)?;
        let validity =
            Validity { not_before: self.now, not_after: self.now.saturating_add(CERTIFICATE_SECONDS) };
        let serial = keys::serial_number();
        let issued = CertificateBuilder::new(name, request.public_key(), &serial, validity)
            .extended_key_usage(KP_CLIENT_AUTH)
            .issued_by(&self.authority.certificate, &self.authority.signing);
        issued.map(|certificate| certificate.as_der().to_vec()).map_err(|_| CsrError::BadRequest)
    }
}

/// Files of a template.
pub(super) struct Files<'p>(pub(super) &'p Plan);

impl Files<'_> {
    fn get(&self, id: ObjectId) -> Result<&Vec<u8>, BackendFault> {
        usize::try_from(id.0).ok().and_then(|number| self.0.contents.get(number)).ok_or(BackendFault)
    }
}

impl Contents for Files<'_> {
    fn len(&self, id: ObjectId) -> Result<u64, BackendFault> {
        Ok(self.get(id)?.len() as u64)
    }

    fn read(&self, id: ObjectId, offset: u64, bytes: &mut [u8]) -> Result<(), BackendFault> {
        let offset = usize::try_from(offset).map_err(|_| BackendFault)?;
        let end = offset.checked_add(bytes.len()).ok_or(BackendFault)?;
        bytes.copy_from_slice(self.get(id)?.get(offset..end).ok_or(BackendFault)?);
        Ok(())
    }

    fn sha384(&self, id: ObjectId) -> Result<[u8; 48], BackendFault> {
        let digest = Digest::of(HashAlgorithm::Sha384, self.get(id)?);
        digest.as_bytes().try_into().map_err(|_| BackendFault)
    }
}

/// Where files of one device go: a folder of its own.
pub(super) struct Arrivals<'p> {
    pub(super) plan: &'p Plan,
    pub(super) folder: PathBuf,
}

impl Arrivals<'_> {
    /// The file that is not whole yet.
    fn path(&self, id: ObjectId) -> Result<PathBuf, BackendFault> {
        // Names were checked to be plain when the program was made.
        Ok(self.folder.join(self.plan.file_name(id).ok_or(BackendFault)? + ".part"))
    }

    fn told<T>(&self, result: std::io::Result<T>) -> Result<T, BackendFault> {
        result.map_err(|error| {
            tracing::error!(folder = %self.folder.display(), %error, "what a device sends cannot be kept");
            BackendFault
        })
    }

    fn open(&self, id: ObjectId) -> Result<File, BackendFault> {
        let path = self.path(id)?;
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        self.told(made)?;
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        self.told(file)
    }
}

impl Sink for Arrivals<'_> {
    fn write_at(&mut self, id: ObjectId, offset: u64, bytes: &[u8]) -> Result<(), BackendFault> {
        let mut file = self.open(id)?;
        // What stands behind came in an earlier session.
        let written = file
            .set_len(offset)
            .and_then(|()| file.seek(SeekFrom::Start(offset)))
            .and_then(|_| file.write_all(bytes));
        self.told(written)
    }

    fn sha384(&mut self, id: ObjectId, len: u64) -> Result<[u8; 48], BackendFault> {
        let mut file = self.open(id)?.take(len);
        let (mut hasher, mut buffer) = (Hasher::new(HashAlgorithm::Sha384), vec![0; 64 * 1024]);
        loop {
            let read = self.told(file.read(&mut buffer))?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
        }
        hasher.finish().as_bytes().try_into().map_err(|_| BackendFault)
    }

    fn finish(&mut self, id: ObjectId, len: u64) -> Result<(), BackendFault> {
        let (part, file) = (self.path(id)?, self.open(id)?);
        let whole = file.set_len(len).and_then(|()| file.sync_all());
        self.told(whole)?;
        let renamed = fs::rename(&part, part.with_extension(""));
        self.told(renamed)
    }
}
