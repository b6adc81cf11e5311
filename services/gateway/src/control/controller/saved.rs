//! Policies in the journal.

use mud::MudUrl;
use trust::Access;

use crate::control::hex::{self, hex};
use crate::control::state::{FilePolicy, PolicyKey, PolicySource};
use crate::control::{SavedFilePolicy, SavedPolicy};
use crate::{PolicyId, Strength};

pub(super) fn saved_policy(key: &PolicyKey, id: PolicyId) -> SavedPolicy {
    SavedPolicy {
        number: id.number(),
        release: key.release().map(|release| hex(release.as_bytes())).unwrap_or_default(),
        file: match &key.source {
            PolicySource::Release(_) => None,
            PolicySource::File(file) => Some(SavedFilePolicy {
                url: file.url.to_string(),
                digest: hex(file.digest.as_bytes()),
                strong: file.strength == Strength::Strong,
            }),
        },
        overrides: key.overrides.iter().map(|digest| hex(digest.as_bytes())).collect(),
        access: Some(key.access.as_str().to_owned()).filter(|_| key.access != Access::Release),
    }
}

pub(super) fn policy(saved: &SavedPolicy) -> Option<(PolicyKey, PolicyId)> {
    let source = match &saved.file {
        None => PolicySource::Release(hex::release(&saved.release)?),
        Some(file) => PolicySource::File(FilePolicy {
            url: MudUrl::parse(&file.url)?,
            digest: hex::release(&file.digest)?,
            strength: if file.strong { Strength::Strong } else { Strength::Weak },
        }),
    };
    let overrides = saved.overrides.iter().map(|text| hex::release(text)).collect::<Option<_>>()?;
    let access = saved.access.as_deref().map_or(Some(Access::Release), Access::from_text)?;
    Some((PolicyKey { source, overrides, access }, PolicyId::staged(saved.number)?))
}
