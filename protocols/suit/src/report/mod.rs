//! SUIT reports (REP): what a processor did, signed, read, and replayed against the manifests it did it with.

mod container;
mod decode;
mod known;
mod locate;
mod properties;
mod property;
mod replay;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use cbor::{MapBuilder, Writer};
use crypto::Digest;

pub use container::{ReportError, SignedReport, VerifiedReport};
pub use locate::{Located, locate};
pub use properties::Properties;
pub use property::Property;
pub use replay::{Finding, Replay, Subject, Verdict, replay};

use crate::{
    Capabilities, ComponentId, Section,
    digest::encode_digest,
    labels::{manifest, report},
};

/// Why a manifest was not processed to its end (REP, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing went wrong.
    Ok,
    /// The bytes could not be decoded.
    CborParse,
    /// The kind of COSE object is not supported.
    CoseUnsupported,
    /// An algorithm is not supported.
    AlgorithmUnsupported,
    /// Nobody who may signed it, or it is not what was signed.
    Unauthorised,
    /// A command is not supported.
    CommandUnsupported,
    /// A component is not one of the device.
    ComponentUnsupported,
    /// The signers may not change a component.
    ComponentUnauthorised,
    /// A parameter is not supported.
    ParameterUnsupported,
    /// A severed member is needed and not here.
    SeveringUnsupported,
    /// A condition was not met.
    ConditionFailed,
    /// A directive failed.
    OperationFailed,
    /// The processor is about to hand over to the image.
    InvokePending,
}

impl Reason {
    const ALL: [Self; 13] = [
        Self::Ok,
        Self::CborParse,
        Self::CoseUnsupported,
        Self::AlgorithmUnsupported,
        Self::Unauthorised,
        Self::CommandUnsupported,
        Self::ComponentUnsupported,
        Self::ComponentUnauthorised,
        Self::ParameterUnsupported,
        Self::SeveringUnsupported,
        Self::ConditionFailed,
        Self::OperationFailed,
        Self::InvokePending,
    ];

    /// The reason with a number.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// Number in the registry.
    pub fn code(self) -> i64 {
        match self {
            Self::Ok => 0,
            Self::CborParse => 1,
            Self::CoseUnsupported => 2,
            Self::AlgorithmUnsupported => 3,
            Self::Unauthorised => 4,
            Self::CommandUnsupported => 5,
            Self::ComponentUnsupported => 6,
            Self::ComponentUnauthorised => 7,
            Self::ParameterUnsupported => 8,
            Self::SeveringUnsupported => 9,
            Self::ConditionFailed => 10,
            Self::OperationFailed => 11,
            Self::InvokePending => 12,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::CborParse => "cbor-parse",
            Self::CoseUnsupported => "cose-unsupported",
            Self::AlgorithmUnsupported => "alg-unsupported",
            Self::Unauthorised => "unauthorised",
            Self::CommandUnsupported => "command-unsupported",
            Self::ComponentUnsupported => "component-unsupported",
            Self::ComponentUnauthorised => "component-unauthorised",
            Self::ParameterUnsupported => "parameter-unsupported",
            Self::SeveringUnsupported => "severing-unsupported",
            Self::ConditionFailed => "condition-failed",
            Self::OperationFailed => "operation-failed",
            Self::InvokePending => "invoke-pending",
        })
    }
}

/// SUIT_Report (REP, section 4): what a processor did with a manifest, without the signature around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Where the full manifest lives; empty when it does not say.
    pub reference_uri: String,
    /// Digest of the manifest.
    pub manifest_digest: Digest,
    /// Nonce of whoever asked for the report.
    pub nonce: Option<Vec<u8>>,
    /// What happened, in order.
    pub entries: Vec<Entry>,
    /// How it ended.
    pub outcome: Outcome,
    /// What the processor can do, for whoever asked for it.
    pub capabilities: Option<Capabilities>,
}

/// How processing ended (REP, section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every section of the procedure ran to its end.
    Success,
    /// It did not.
    Failure {
        /// A number for debugging, with a meaning to the processor alone. Ours is that of the reason.
        code: i64,
        /// Why.
        reason: Reason,
        /// The command it failed at.
        record: Record,
    },
}

/// One entry of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A command and how it ended.
    Record(Record),
    /// Properties of a component.
    Claims(SystemPropertyClaims),
}

/// SUIT_Record (REP, section 4.1): a place in a manifest, and what was measured there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Component indices that lead from the root manifest to the manifest; empty for the root itself.
    pub manifest_id: Vec<u32>,
    /// The section; none for the shared sequence of common.
    pub section: Option<Section>,
    /// Byte offset of the command in its section.
    pub offset: u32,
    /// Component the command applied to.
    pub component: u32,
    /// What was measured.
    pub properties: Properties,
}

/// SUIT_System_Property_Claims (REP, section 4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemPropertyClaims {
    /// The component.
    pub component: ComponentId,
    /// What was measured of it.
    pub properties: Properties,
}

impl Report {
    /// Whether processing ended well.
    pub fn is_success(&self) -> bool {
        self.outcome == Outcome::Success
    }

    /// The encoded report map, to be carried in an EAT or signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut map = MapBuilder::new();
        map.int(report::REFERENCE, |w| {
            w.array(2).text(&self.reference_uri);
            encode_digest(&self.manifest_digest, w);
        });
        map.int_if(report::NONCE, self.nonce.as_deref(), |w, nonce| {
            w.bytes(nonce);
        });
        map.int(report::RECORDS, |w| {
            w.array(self.entries.len());
            self.entries.iter().for_each(|entry| entry.encode(w));
        });
        map.int(report::RESULT, |w| match &self.outcome {
            Outcome::Success => {
                w.bool(true);
            }
            Outcome::Failure { code, reason, record } => {
                let mut failure = MapBuilder::new();
                failure.int(report::RESULT_CODE, |w| {
                    w.int(*code);
                });
                failure.int(report::RESULT_RECORD, |w| record.encode(w));
                failure.int(report::RESULT_REASON, |w| {
                    w.int(reason.code());
                });
                failure.write(w);
            }
        });
        map.int_if(report::CAPABILITIES, self.capabilities.as_ref(), |w, capabilities| {
            capabilities.encode(w);
        });
        map.into_bytes()
    }
}

impl Entry {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Record(record) => record.encode(writer),
            Self::Claims(claims) => {
                let mut map = properties_map(&claims.properties);
                map.int(report::CLAIM_COMPONENT_ID, |w| claims.component.encode(w));
                map.write(writer);
            }
        }
    }
}

impl Record {
    fn encode(&self, writer: &mut Writer) {
        writer.array(5).array(self.manifest_id.len());
        for index in &self.manifest_id {
            writer.uint(u64::from(*index));
        }
        writer.int(self.section.map_or(manifest::COMMON, Section::label));
        writer.uint(u64::from(self.offset)).uint(u64::from(self.component));
        properties_map(&self.properties).write(writer);
    }
}

fn properties_map(properties: &[Property]) -> MapBuilder {
    let mut map = MapBuilder::new();
    for property in properties {
        map.int(property.label(), |w| property.encode(w));
    }
    map
}
