use std::io;

use crate::ResponseCode;

/// Why a TPM did not do what was asked, sorted by who is to blame.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What should say where the TPM is does not.
    #[error("{0} is no address of a TPM: device:PATH, swtpm:path=PATH or swtpm:host=HOST,port=PORT")]
    Address(String),
    /// The TPM is not there, or does not answer.
    #[error("the TPM does not answer")]
    Unreachable(#[source] io::Error),
    /// What it answered is no answer to what was asked.
    #[error("the TPM's answer is malformed at byte {at}: {rule}")]
    Malformed {
        /// Offset into the answer.
        at: usize,
        /// What is wrong there.
        rule: &'static str,
    },
    /// The TPM refuses a command.
    #[error("the TPM refuses {command}: {code}")]
    Refused {
        /// The command.
        command: &'static str,
        /// Why.
        code: ResponseCode,
    },
    /// The key is not one that this TPM made since it was cleared last, or it was altered.
    #[error("the key is of another TPM, or damaged: {0}")]
    Foreign(ResponseCode),
    /// What was kept of a key is not that of a key that this crate makes.
    #[error("what was kept of the key is not that of a key bound to a TPM")]
    NotAKey,
}

impl Error {
    /// Stable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address(_) => "tpm-address-malformed",
            Self::Unreachable(_) => "tpm-unreachable",
            Self::Malformed { .. } => "tpm-answer-malformed",
            Self::Refused { .. } => "tpm-refused",
            Self::Foreign(_) => "tpm-key-foreign",
            Self::NotAKey => "tpm-key-malformed",
        }
    }
}
