use serde::{Deserialize, Serialize};

/// Every component of a device, expected beside measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// The release that gives what is expected; none where nothing is left to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<ComparedRelease>,
    /// The components: those of the release in its order, then what was measured besides.
    pub components: Vec<ComparedComponent>,
}

/// The release that measured components are compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparedRelease {
    /// Its manifest digest, hexadecimal.
    pub release: String,
    /// Its version.
    pub version: String,
    /// Why this one: `matched`, `named` by the evidence, or `nearest` to what was measured.
    pub chosen: String,
}

/// One component: in the release, in what was measured, or in both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparedComponent {
    /// Its name.
    pub component: String,
    /// What the release says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<ExpectedComponent>,
    /// What the device measured of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<MeasuredComponent>,
    /// What the two are to each other: `same`, `differs`, `missing`, `absent` (it need not be there), `unknown`, `extra` (the
    /// policy lets it pass), `twice` or `denied`.
    pub verdict: String,
}

/// What a release says of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedComponent {
    /// The digest, with the name of its algorithm.
    pub digest: String,
    /// Size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether it must be measured.
    pub required: bool,
}

/// What a device measured of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredComponent {
    /// The digest, with the name of its algorithm; none where it was given in a form that proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}
