//! What the server remembers: SQL, and nothing else holds SQL.
//!
//! One file a noun. Each mutation and its audit record commit together, and are on the disk before the call returns;
//! concurrent mutations share one transaction and so one flush. It decides nothing and believes nothing: objects come
//! and go as the bytes that were received, and whoever reads them verifies them again.
//!
//! The engine is embedded SQLite in WAL mode: one writing connection, several reading ones.

#![forbid(unsafe_code)]

mod alarms;
mod audit;
mod authorities;
mod campaigns;
mod decisions;
mod denied;
mod device_flows;
mod devices;
mod dns_uses;
mod error;
mod flow_uses;
mod foreign;
mod gateways;
mod holds;
mod ids;
mod made;
mod network;
mod objects;
mod onboarding_lists;
mod onboarding_plans;
mod onboardings;
mod open;
mod overrides;
mod redirects;
mod releases;
mod reports;
mod results;
mod rules;
mod sessions;
mod tokens;
mod violations;
mod writer;

#[cfg(test)]
mod tests;

// Public interface
pub use alarms::{Alarm, Withheld};
pub use audit::{AuditBreak, AuditEntry, AuditHead, AuditRecord};
pub use authorities::{AuthorityUpdateRecord, AuthorityVersion, NewAuthorityUpdate};
pub use campaigns::{Campaign, CampaignChange, CampaignDevice, DeviceChange, NewCampaign, Offer, Remainder};
pub use decisions::{DecisionRecord, NewDecision, Redecision};
pub use denied::Denied;
pub use device_flows::{DeviceFlow, MAX_DEVICE_FLOWS};
pub use devices::{BeforeAttesting, Device, DeviceFilter, NewDevice};
pub use dns_uses::DnsUse;
pub use error::Error;
pub use flow_uses::{CountedFlows, FlowUse};
pub use foreign::ForeignResult;
pub use gateways::{Applied, Binding, Gateway, GatewayDevice, GatewayReport, Refused, Staged, StagedRelease};
pub use holds::Hold;
pub use ids::{
    ActionId, AdvisoryId, CampaignId, DecisionId, DeviceId, EndorsementId, Guid, NotAnId, ReleaseId,
    ReportId, ResultId, ScanId, SessionId, Timestamp, VoucherId,
};
pub use made::MadeDevice;
pub use network::Told;
pub use objects::{Kind, NewObject, ObjectId, ObjectRecord};
pub use onboarding_lists::OnboardingFilter;
pub use onboarding_plans::{OnboardingTemplate, Registered};
pub use onboardings::{
    NewOnboarding, Onboarded, Onboarding, OnboardingEvent, OnboardingFailure, OnboardingState,
    RegistrationState,
};
pub use open::Store;
pub use overrides::Override;
pub use redirects::{Redirect, RedirectQuota, Unregistered};
pub use releases::{ExpectedValue, NewRelease, Release};
pub use reports::{MAX_REPORTS, NewReport, ReportGroup, ReportRecord};
pub use results::{NewResult, ResultRecord};
pub use rules::{NewRules, Rules};
pub use sessions::Challenge;
pub use tokens::Token;
pub use violations::Violation;
pub use writer::Change;
