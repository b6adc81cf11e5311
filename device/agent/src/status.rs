use std::{fs, io, path::Path};

use device_core::{BootState, Device, Installed, Slot, Storage};
use serde::{Deserialize, Serialize};

use crate::setup::hex;

/// What the agent writes into `status.json` after each step, for people and tests to read. Nothing reads it to decide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The device.
    pub ueid: String,
    /// How often it booted.
    pub boot_count: u64,
    /// The release that runs; none in recovery.
    pub running: Option<ReleaseStatus>,
    /// What is completely installed in each slot.
    pub slots: [Option<ReleaseStatus>; 2],
    /// The highest committed sequence number.
    pub sequence: u64,
    /// The newest answer of the verifier.
    pub attestation: Option<AttestationStatus>,
    /// Code of why the device's key did not sign when it was asked for evidence last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_failure: Option<String>,
    /// Whether the gateway took the newest result.
    pub admitted: bool,
    /// Manifest digest and reason code of the newest refusal.
    pub refusal: Option<(String, String)>,
    /// Version of the list of authorities it obeys.
    pub authorities_version: u64,
    /// Digest of that list.
    pub authorities: String,
    /// Reason code of the newest change of that list which was refused, until one is made.
    pub authority_refusal: Option<String>,
    /// Whether the update server has not been heard of for ten of its periods.
    #[serde(default)]
    pub update_source_silent: bool,
    /// Reason code of the newest answer of the update server that was not believed, until one is.
    #[serde(default)]
    pub answer_refusal: Option<String>,
    /// Process id of the release's program.
    pub payload: Option<u32>,
    /// How often an installation was begun since the agent started.
    pub installations: u64,
    /// Why the newest installation did not go on, as a reason code; nothing after one that went well.
    #[serde(default)]
    pub problem: Option<String>,
    /// How a device of a manufacturer stands with its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onboarding: Option<OnboardingStatus>,
}

/// How a device stands with its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnboardingStatus {
    /// How the device's voucher calls it.
    pub guid: String,
    /// `waiting` for the owner, or `onboarded`.
    pub state: String,
    /// Code of why the newest attempt failed; nothing once the device is onboarded.
    pub failure: Option<String>,
    /// How often a server was asked since the agent started: one that may know the owner, or that may be it.
    pub attempts: u64,
}

/// A release in a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseStatus {
    /// `a` or `b`.
    pub slot: String,
    /// Its manifest digest.
    pub manifest: String,
    /// Its sequence number.
    pub sequence: u64,
    /// Whether it is on trial.
    pub trial: bool,
}

/// An answer of the verifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttestationStatus {
    /// `affirming`, `warning`, `contraindicated` or `none`.
    pub status: String,
    /// Seconds since 1970 when it was made.
    pub at: i64,
    /// Seconds since 1970 when it ends.
    pub expires_at: Option<i64>,
    /// Reason codes.
    pub reasons: Vec<String>,
}

impl Status {
    /// Takes over what the device knows of itself.
    pub(crate) fn refresh<S: Storage>(&mut self, device: &Device<S>) {
        let state = device.state();
        self.ueid = device.identity().ueid.to_string();
        self.boot_count = state.boot_count;
        self.sequence = state.sequence;
        self.running = device.running().map(|running| ReleaseStatus {
            slot: name(running.slot),
            manifest: hex(running.manifest.as_bytes()),
            sequence: running.sequence,
            trial: running.on_trial,
        });
        self.slots =
            [Slot::A, Slot::B].map(|slot| state.installed(slot).map(|found| release(state, slot, found)));
        self.authorities_version = device.authorities().version();
        self.authorities = hex(device.authorities_digest().as_bytes());
        let refusal = state.refusals.last();
        self.refusal = refusal.map(|refusal| (hex(refusal.manifest.as_bytes()), refusal.code.clone()));
    }

    /// Writes the file so that whoever reads it sees the old or the new one.
    pub(crate) fn write(&self, data: &Path) -> io::Result<()> {
        let part = data.join("status.part");
        fs::write(&part, serde_json::to_vec_pretty(self)?)?;
        fs::rename(&part, data.join("status.json"))
    }
}

fn release(state: &BootState, slot: Slot, installed: &Installed) -> ReleaseStatus {
    ReleaseStatus {
        slot: name(slot),
        manifest: hex(installed.manifest.as_bytes()),
        sequence: installed.sequence,
        trial: state.trial.is_some_and(|trial| trial.slot == slot),
    }
}

fn name(slot: Slot) -> String {
    match slot {
        Slot::A => "a".into(),
        Slot::B => "b".into(),
    }
}
