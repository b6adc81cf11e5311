//! Devices without attestation, and the MUD files of their URLs.

use super::{DigestChip, Figure, Frame, Posture, Sentence, Stamp, Text};

/// `/network`.
#[derive(Clone, Debug)]
pub struct NetworkPage {
    /// What is around it.
    pub frame: Frame,
    /// Short facts under the heading.
    pub facts: Vec<Text>,
    /// Files that a person has to look at, those first that devices have.
    pub waiting: Vec<WaitingFile>,
    /// The MUD URLs, in their order.
    pub models: Vec<NetworkModelRow>,
    /// Devices without attestation.
    pub devices: Vec<NetworkDeviceRow>,
    /// How many devices are not shown.
    pub more: Option<Figure>,
}

/// A file that waits for a person, beside the one in force.
#[derive(Clone, Debug)]
pub struct WaitingFile {
    /// The URL that devices have.
    pub url: Text,
    /// The gateway that holds it.
    pub gateway: Text,
    /// Its digest, which an approval names.
    pub digest: Option<DigestChip>,
    /// Who signed it.
    pub signer: Text,
    /// Why it waits.
    pub reasons: Vec<Sentence>,
    /// Flows that it permits and the one in force does not.
    pub gained: Vec<Text>,
    /// Flows that it permits no longer.
    pub lost: Vec<Text>,
}

/// A MUD URL at a gateway.
#[derive(Clone, Debug)]
pub struct NetworkModelRow {
    /// The URL.
    pub url: Text,
    /// What its file says of the device.
    pub what: Option<Text>,
    /// The gateway.
    pub gateway: Text,
    /// Whose word the file is, and who signed it.
    pub by: Text,
    /// What is odd: the last fault, why a file was refused.
    pub odd: Vec<Sentence>,
    /// Flows that its file permits.
    pub allowed: Vec<Text>,
    /// Where its SBOM, vulnerability reports and attestation resources are.
    pub pointers: Vec<Text>,
    /// Devices that have it.
    pub devices: Figure,
    /// When it is asked for again.
    pub next: Stamp,
    /// What became of its files.
    pub state: Text,
    /// The posture whose badge that borrows.
    pub looks_like: Posture,
}

/// A device without attestation.
#[derive(Clone, Debug)]
pub struct NetworkDeviceRow {
    /// Its MAC address.
    pub mac: Text,
    /// Its addresses.
    pub addresses: Text,
    /// Its URL, and how that is known.
    pub url: Text,
    /// What stands against it, or is odd about it.
    pub odd: Vec<Sentence>,
    /// Packets of it that were dropped within a day.
    pub dropped: Figure,
    /// What it tried last that was dropped.
    pub last_drop: Option<Sentence>,
    /// What it may reach.
    pub access: Text,
    /// The posture whose badge that borrows.
    pub looks_like: Posture,
}
