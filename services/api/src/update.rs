//! The device side of the update API: hawkBit's Direct Device Integration, as far as one artifact a release needs it.

use serde::{Deserialize, Serialize};

use crate::Base64Url;

/// What a device may say when it polls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollQuery {
    /// SHA-256 of the list of authorities it obeys, hexadecimal: the answer names the change that follows, if any.
    #[serde(default)]
    pub authorities: Option<String>,
    /// 16 bytes that nobody could foretell: the answer is signed over them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Base64Url>,
}

/// Answer to a poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// When to poll again.
    pub config: PollConfig,
    /// What there is to do.
    #[serde(rename = "_links", default)]
    pub links: PollLinks,
    /// The same, signed over the nonce that came with the question. It is ours: other clients of this API pass over it.
    #[serde(rename = "updateAnswer", default, skip_serializing_if = "Option::is_none")]
    pub update_answer: Option<Base64Url>,
}

/// Settings of the device's client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollConfig {
    /// When to poll again.
    pub polling: Polling,
}

/// When to poll again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Polling {
    /// `HH:MM:SS`.
    pub sleep: String,
}

/// What there is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollLinks {
    /// A release to install.
    #[serde(rename = "deploymentBase", default, skip_serializing_if = "Option::is_none")]
    pub deployment_base: Option<Href>,
    /// A signed change of the device's list of authorities. It is ours: other clients of this API pass over it.
    #[serde(rename = "authorityUpdate", default, skip_serializing_if = "Option::is_none")]
    pub authority_update: Option<Href>,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Href {
    /// Where it leads.
    pub href: String,
}

/// What to install.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentAction {
    /// Action id.
    pub id: String,
    /// What and how.
    pub deployment: Deployment,
}

/// What to install and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// `forced`.
    pub download: String,
    /// `forced`.
    pub update: String,
    /// One chunk a release.
    pub chunks: Vec<Chunk>,
}

/// A part of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// `bApp`.
    pub part: String,
    /// Version for people.
    pub version: String,
    /// Model.
    pub name: String,
    /// Its files: one.
    pub artifacts: Vec<Artifact>,
}

/// A file to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// `release.suit`.
    pub filename: String,
    /// Digests of the file. They guard against damage: whether to believe the file, its signatures say.
    pub hashes: Hashes,
    /// Its size in bytes.
    pub size: u64,
    /// Where it is.
    #[serde(rename = "_links")]
    pub links: ArtifactLinks,
}

/// Digests of a file in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashes {
    /// SHA-256.
    pub sha256: String,
}

/// Where a file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactLinks {
    /// Where it is.
    pub download: Href,
}

/// What a device reports of an action. A report is never proof: success is what was attested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// Action id.
    #[serde(default)]
    pub id: String,
    /// How far it came.
    pub status: FeedbackStatus,
}

/// How far an action came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackStatus {
    /// The step.
    pub execution: Execution,
    /// How it ended.
    pub result: FeedbackResult,
    /// Reason codes.
    #[serde(default)]
    pub details: Vec<String>,
}

/// How an action ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackResult {
    /// How it ended.
    pub finished: Finished,
}

/// A step of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Execution {
    /// It is being worked on.
    Proceeding,
    /// The files are being fetched.
    Download,
    /// The files are there.
    Downloaded,
    /// It waits for its time.
    Scheduled,
    /// It goes on after a break.
    Resumed,
    /// It is over.
    Closed,
    /// It was given up.
    Canceled,
    /// The device will not do it.
    Rejected,
}

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finished {
    /// Not yet.
    None,
    /// As it should.
    Success,
    /// Badly.
    Failure,
}
