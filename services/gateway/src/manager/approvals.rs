//! The network operator's approvals of files, as far as they are in force.

use crypto::Digest;
use mud::MudUrl;
use trust::Scope;

use super::unattested::UEID_EUI;
use crate::Mac;

/// Approvals of files that are in force.
#[derive(Clone, Debug, Default)]
pub struct Approvals(pub(crate) Vec<(Scope, String, Digest)>);

impl Approvals {
    /// Whether a file of a URL is approved.
    pub fn file(&self, url: &MudUrl, digest: &Digest) -> bool {
        self.0.iter().any(|(scope, approved, file)| {
            *scope == Scope::Site && approved == url.as_str() && file == digest
        })
    }

    /// Whether a device may go from one URL to another with this file.
    pub fn moves(&self, mac: Mac, from: &MudUrl, to: &MudUrl, digest: &Digest) -> bool {
        let ueid = [&[UEID_EUI], mac.0.as_slice()].concat();
        self.0.iter().any(|(scope, approved, file)| {
            let touches = match scope {
                Scope::Site => false,
                Scope::Device(device) => *device == ueid,
                Scope::Model(model) => model == from.as_str(),
            };
            touches && approved == to.as_str() && file == digest
        })
    }
}
