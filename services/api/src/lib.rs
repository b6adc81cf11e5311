//! The types of the HTTP faces: what server, gateway, agent, command line and tests say to each other in JSON.
//!
//! They carry signed objects as bytes and believe none of them. They decide nothing, and speak no HTTP themselves.

#![forbid(unsafe_code)]

mod advisories;
mod alarms;
mod base64url;
mod campaigns;
mod components;
mod criteria;
mod devices;
mod endorsements;
mod flows;
mod foreign;
mod gateways;
mod media;
mod network;
mod objects;
mod onboarding;
mod reason;
mod releases;
mod reports;
mod restriction;
mod scans;
mod session;
mod update;
mod vouchers;

#[cfg(test)]
mod tests;

// Public interface
pub use advisories::{Advisory, ComponentMatch, ComponentMatches, ReleaseFlaw};
pub use alarms::{Alarm, Withheld};
pub use base64url::Base64Url;
pub use campaigns::{Campaign, CampaignDevice, CampaignState, DeviceProgress, NewCampaign};
pub use components::{ComparedComponent, ComparedRelease, Comparison, ExpectedComponent, MeasuredComponent};
pub use criteria::{Denied, Deny, NewRules, Rules, Trial, TrialDevice, TrialResult};
pub use devices::{
    Answer, Device, DeviceDetail, EnrolDevice, EnrolKey, Enrolled, EventOfDevice, Hold, HoldRequest,
    NetworkState, Page, ResultSummary,
};
pub use endorsements::{Endorsement, ProvisioningDiscovery, ProvisioningEndpoints, ProvisioningSession};
pub use flows::{DeclaredFlow, DeviceFlows, Dropped, FlowRecord, ReleaseFlows, Why};
pub use foreign::{ForeignDetail, ForeignPart, ForeignResult, KeyBinding};
pub use gateways::{
    Applied, Binding, DnsUse, Gateway, GatewayDevice, GatewayRelease, GatewayReport, GatewayState,
    GatewayStatus, Profile, Refused, Staged, Used, Violation,
};
pub use media::{
    AUTHORITIES, CHALLENGE_SESSION, COSE, CSV, DISCOVERY, EVIDENCE, PROBLEM, PROVISIONING_SESSION,
    SUIT_ENVELOPE, SUIT_REPORT, VOUCHER,
};
pub use network::{
    CheckMud, ModelState, MudCheck, NetworkAccess, NetworkDevice, NetworkFile, NetworkModel, OfGateway,
    OfferedFile, Pointer,
};
pub use objects::{
    AuditLine, AuthoritiesVersion, AuthorityUpdate, DecisionBundle, NewToken, Override, Token,
};
pub use onboarding::{
    MadeDevice, OnboardedDevice, Onboarding, OnboardingCommand, OnboardingEvent, OnboardingFailure,
    OnboardingFetch, OnboardingFile, OnboardingKeys, OnboardingPlan, OnboardingRegistration,
    OnboardingRequirement, OnboardingTemplate, OnboardingUpload, OperationalCredential, Redirect,
    VoucherImport, WirelessNetwork,
};
pub use reason::{Problem, Reason};
pub use releases::{Accepted, ExpectedValue, Release, Revoke};
pub use reports::{ReleaseReports, Report, ReportFault, ReportPlace, ReportVerdict, ReportedFailure};
pub use restriction::{Restriction, read as read_restriction};
pub use scans::Scan;
pub use session::{Discovery, Endpoints, Epoch, Evidence, Session, SessionStatus};
pub use update::{
    Artifact, ArtifactLinks, Chunk, Deployment, DeploymentAction, Execution, Feedback, FeedbackResult,
    FeedbackStatus, Finished, Hashes, Href, Poll, PollConfig, PollLinks, PollQuery, Polling,
};
pub use vouchers::Voucher;
