//! The `ietf-mud:mud` container (RFC 8520, section 3).

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::Reading;
use super::cursor::{Field, Findings, Module, Object};
use crate::error::{Error, SchemaFault};
use crate::extensions;
use crate::finding::rules;
use crate::model::MudFile;
use crate::time::DateTime;
use crate::url::{MAX_URL_BYTES, MudUrl};

const MUD_VERSION: u8 = 1;
const MAX_CACHE_VALIDITY: u32 = 168;
const MAX_EXTENSION_NAME: usize = 40;
const MAX_LIST_NAME: usize = 64;
/// Texts without a limit in the modules; nothing longer is worth showing.
const MAX_TEXT: usize = 4096;

impl Reading<'_, '_> {
    /// Everything but the lists, which stand in another container.
    pub(super) fn metadata(&mut self, field: &Field<'_, '_>) -> Result<MudFile, Error> {
        let found = &mut self.findings;
        let mut mud = field.object(Module::Mud)?;
        let version = mud.need(found, Module::Mud, "mud-version")?;
        if version.u8()? != MUD_VERSION {
            return Err(version.error(SchemaFault::Version));
        }
        let url = mud.need(found, Module::Mud, "mud-url")?;
        let mud_url = MudUrl::parse(url.text()?).ok_or_else(|| url.expected("an absolute https URL"))?;
        let updated = mud.need(found, Module::Mud, "last-update")?;
        let last_update =
            DateTime::parse(updated.text()?).ok_or_else(|| updated.expected("a date-and-time"))?;
        if !last_update.has_zone() {
            found.add(&rules::NO_ZONE, &updated.path, "no time zone, read as UTC");
        }
        let is_supported = mud.need(found, Module::Mud, "is-supported")?;
        let cache_validity = mud
            .take(found, Module::Mud, "cache-validity")?
            .map(|field| field.integer(1, MAX_CACHE_VALIDITY))
            .transpose()?;
        let mut file = MudFile {
            mud_url,
            last_update,
            mud_signature: uri(found, &mut mud, "mud-signature")?,
            cache_validity,
            is_supported: is_supported.boolean()?,
            systeminfo: text(found, &mut mud, "systeminfo")?,
            mfg_name: text(found, &mut mud, "mfg-name")?,
            model_name: text(found, &mut mud, "model-name")?,
            firmware_rev: text(found, &mut mud, "firmware-rev")?,
            software_rev: text(found, &mut mud, "software-rev")?,
            documentation: uri(found, &mut mud, "documentation")?,
            extensions: extension_names(found, &mut mud)?,
            from_device_policy: policy(found, &mut mud, "from-device-policy")?,
            to_device_policy: policy(found, &mut mud, "to-device-policy")?,
            tls_profile_supported: None,
            transparency: None,
            ownership: None,
            quarantine: None,
            report_uri: None,
            attestation: None,
            acls: Vec::new(),
        };
        self.extensions(&mut mud, &mut file)?;
        mud.ignore_rest(&mut self.findings, &rules::UNKNOWN_NODE);
        Ok(file)
    }

    fn extensions(&mut self, mud: &mut Object<'_, '_>, file: &mut MudFile) -> Result<(), Error> {
        if let Some(field) = mud.take(&mut self.findings, Module::MudTls, "is-tls-dtls-profile-supported")? {
            self.declared(file, &field, extensions::TLS_PROFILE);
            file.tls_profile_supported = Some(self.text_boolean(&field)?);
        }
        if let Some(field) = mud.take(&mut self.findings, Module::Transparency, "transparency")? {
            self.declared(file, &field, extensions::TRANSPARENCY);
            file.transparency = Some(self.transparency(&field)?);
        }
        if let Some(field) = mud.take_local(&mut self.findings, "ol") {
            self.declared(file, &field, extensions::OWNERSHIP);
            file.ownership = Some(self.ownership(&field)?);
        }
        if let Some(field) = mud.take(&mut self.findings, Module::Nist, "quarantined-device-policy")? {
            self.declared(file, &field, extensions::QUARANTINE);
            file.quarantine = Some(self.quarantine(&field)?);
        }
        if let Some(field) = mud.take(&mut self.findings, Module::Reporter, "reporter")? {
            self.declared(file, &field, extensions::REPORTER);
            file.report_uri = self.reporter(&field)?;
        }
        let declared = file.extensions.iter().any(|name| extensions::ATTESTATION.contains(&name.as_str()));
        file.attestation = self.attestation(mud, declared)?;
        if let Some(field) = mud.take_local(&mut self.findings, "masa-server") {
            self.findings.add(&rules::IGNORED_EXTENSION, &field.path, "an onboarding hint, not used here");
        }
        Ok(())
    }

    fn declared(&mut self, file: &MudFile, field: &Field<'_, '_>, name: &str) {
        if !file.extensions.iter().any(|declared| declared == name) {
            let message = alloc::format!("extension {name:?} is used but not listed in `extensions`");
            self.findings.add(&rules::UNDECLARED_EXTENSION, &field.path, message);
        }
    }

    /// The example in RFC 9761 writes its boolean as a string, and so do files made after it.
    fn text_boolean(&mut self, field: &Field<'_, '_>) -> Result<bool, Error> {
        let Ok(text) = field.text() else { return field.boolean() };
        let value = match text {
            "true" => true,
            "false" => false,
            _ => return Err(field.expected("a boolean")),
        };
        self.findings.add(&rules::TEXT_BOOLEAN, &field.path, "a boolean is written without quotes");
        Ok(value)
    }
}

fn text(found: &mut Findings, mud: &mut Object<'_, '_>, name: &'static str) -> Result<Option<String>, Error> {
    mud.take(found, Module::Mud, name)?.map(|field| field.string(0, MAX_TEXT)).transpose()
}

/// A URI reference. Which scheme makes sense is a question for the linter.
fn uri(found: &mut Findings, mud: &mut Object<'_, '_>, name: &'static str) -> Result<Option<String>, Error> {
    let Some(field) = mud.take(found, Module::Mud, name)? else { return Ok(None) };
    let text = field.string(1, MAX_URL_BYTES)?;
    if text.bytes().all(|b| b.is_ascii_graphic()) { Ok(Some(text)) } else { Err(field.expected("a URI")) }
}

fn extension_names(found: &mut Findings, mud: &mut Object<'_, '_>) -> Result<Vec<String>, Error> {
    let Some(field) = mud.take(found, Module::Mud, "extensions")? else { return Ok(Vec::new()) };
    // The limit counts bytes of UTF-8 (RFC 8520, section 17.8), the module says characters: the smaller one holds.
    let (min, max) = (1, MAX_EXTENSION_NAME);
    let name = |field: Field<'_, '_>| {
        let name = field.string(min, max)?;
        if name.len() <= max { Ok(name) } else { Err(field.error(SchemaFault::Length { min, max })) }
    };
    field.entries()?.map(name).collect()
}

/// `from-device-policy` and `to-device-policy`: names of lists.
fn policy(
    found: &mut Findings,
    mud: &mut Object<'_, '_>,
    name: &'static str,
) -> Result<Option<Vec<String>>, Error> {
    let Some(policy) = mud.take(found, Module::Mud, name)? else { return Ok(None) };
    let mut policy = policy.object(Module::Mud)?;
    let mut names = Vec::new();
    let mut keys = BTreeSet::new();
    if let Some(lists) = policy.take(found, Module::Mud, "access-lists")? {
        let mut lists = lists.object(Module::Mud)?;
        if let Some(list) = lists.take(found, Module::Mud, "access-list")? {
            for entry in list.entries()? {
                let mut entry = entry.object(Module::Mud)?;
                let key = entry.need(found, Module::Mud, "name")?;
                let name = key.string(1, MAX_LIST_NAME)?;
                if !keys.insert(name.clone()) {
                    return Err(key.error(SchemaFault::DuplicateKey(name)));
                }
                names.push(name);
                entry.ignore_rest(found, &rules::UNKNOWN_NODE);
            }
        }
        lists.ignore_rest(found, &rules::UNKNOWN_NODE);
    }
    policy.ignore_rest(found, &rules::UNKNOWN_NODE);
    Ok(Some(names))
}
