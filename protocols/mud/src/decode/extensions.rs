//! Nodes of extensions: RFC 9472, RFC 9761, draft-ietf-iotops-ol, and the private ones that are in use.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::cursor::{Field, Module, Object};
use super::{Reading, Refusal};
use crate::error::{Error, SchemaFault};
use crate::extensions::{
    AttestationResources, Ownership, Sbom, SbomRetrieval, TlsProfile, TlsVersion, Transparency,
    VulnerabilityRetrieval,
};
use crate::finding::{Finding, rules};
use crate::url::MAX_URL_BYTES;

const MAX_NAME: usize = 64;
const MAX_TEXT: usize = 4096;
/// Base64 of a certificate.
const MAX_CERTIFICATE: usize = 64 * 1024;

impl Reading<'_, '_> {
    /// `transparency` (RFC 9472).
    pub(super) fn transparency(&mut self, field: &Field<'_, '_>) -> Result<Transparency, Error> {
        let mut object = field.object(Module::Transparency)?;
        let sboms = self.tx(&mut object, "sboms")?;
        let local = self.tx(&mut object, "sbom-local-well-known")?;
        let contact = self.tx(&mut object, "sbom-contact-uri")?;
        let sbom = match (sboms, local, contact) {
            (None, None, None) => None,
            (Some(sboms), None, None) => Some(SbomRetrieval::Cloud(self.sboms(&sboms)?)),
            (None, Some(local), None) => match local.identity(Module::Transparency)? {
                scheme @ ("http" | "https" | "coap" | "coaps") => {
                    Some(SbomRetrieval::LocalWellKnown(scheme.into()))
                }
                _ => return Err(local.expected("http, https, coap or coaps")),
            },
            (None, None, Some(contact)) => {
                Some(SbomRetrieval::Contact(with_scheme(&contact, &["mailto", "http", "https", "tel"])?))
            }
            _ => return Err(object.error(SchemaFault::TwoCases("the ways to retrieve an SBOM"))),
        };
        let archive = self.tx(&mut object, "sbom-archive-list")?;
        let urls = self.tx(&mut object, "vuln-url")?;
        let contact = self.tx(&mut object, "vuln-contact-uri")?;
        let vulnerabilities = match (urls, contact) {
            (None, None) => None,
            (Some(urls), None) => {
                let urls = urls.entries()?.map(|url| with_scheme(&url, WEB_SCHEMES));
                Some(VulnerabilityRetrieval::Cloud(urls.collect::<Result<_, _>>()?))
            }
            (None, Some(contact)) => {
                let schemes = ["mailto", "http", "https", "tel"];
                Some(VulnerabilityRetrieval::Contact(with_scheme(&contact, &schemes)?))
            }
            _ => return Err(object.error(SchemaFault::TwoCases("vuln-url and vuln-contact-uri"))),
        };
        object.ignore_rest(&mut self.findings, &rules::UNKNOWN_NODE);
        let archive_list = archive.map(|field| with_scheme(&field, WEB_SCHEMES)).transpose()?;
        Ok(Transparency { sbom, archive_list, vulnerabilities })
    }

    fn sboms(&mut self, field: &Field<'_, '_>) -> Result<Vec<Sbom>, Error> {
        let mut sboms = Vec::new();
        let mut keys = BTreeSet::new();
        for entry in field.entries()? {
            let mut entry = entry.object(Module::Transparency)?;
            let key = entry.need(&mut self.findings, Module::Transparency, "version-info")?;
            let version_info = key.string(0, MAX_TEXT)?;
            if !keys.insert(version_info.clone()) {
                return Err(key.error(SchemaFault::DuplicateKey(version_info)));
            }
            let sbom_url =
                self.tx(&mut entry, "sbom-url")?.map(|url| with_scheme(&url, WEB_SCHEMES)).transpose()?;
            entry.ignore_rest(&mut self.findings, &rules::UNKNOWN_NODE);
            sboms.push(Sbom { version_info, sbom_url });
        }
        Ok(sboms)
    }

    fn tx<'p, 'a>(
        &mut self,
        object: &mut Object<'p, 'a>,
        name: &'static str,
    ) -> Result<Option<Field<'p, 'a>>, Error> {
        object.take(&mut self.findings, Module::Transparency, name)
    }

    /// `ol` (draft-ietf-iotops-ol).
    pub(super) fn ownership(&mut self, field: &Field<'_, '_>) -> Result<Ownership, Error> {
        let mut object = field.object(Module::Root)?;
        let owners = match object.take_local(&mut self.findings, "owners") {
            Some(owners) => {
                owners.entries()?.map(|owner| owner.string(1, MAX_TEXT)).collect::<Result<_, _>>()?
            }
            None => Vec::new(),
        };
        let spdx_tag = object.take_local(&mut self.findings, "spdx-tag");
        let spdx_tag = spdx_tag.map(|tag| tag.string(1, MAX_TEXT)).transpose()?;
        object.ignore_rest(&mut self.findings, &rules::UNKNOWN_NODE);
        Ok(Ownership { owners, spdx_tag })
    }

    /// `quarantined-device-policy`: names of the entries that stay in force.
    pub(super) fn quarantine(&mut self, field: &Field<'_, '_>) -> Result<Vec<String>, Error> {
        let mut object = field.object(Module::Nist)?;
        let list = object.need(&mut self.findings, Module::Nist, "enabled-ace-names")?;
        let mut names = Vec::new();
        for entry in list.entries()? {
            let mut entry = entry.object(Module::Nist)?;
            let name = entry.need(&mut self.findings, Module::Nist, "ace-name")?;
            names.push(name.string(1, MAX_NAME)?);
            entry.ignore_rest(&mut self.findings, &rules::UNKNOWN_NODE);
        }
        object.ignore_rest(&mut self.findings, &rules::UNKNOWN_NODE);
        Ok(names)
    }

    /// `reporter` (draft-lear-opsawg-mud-reporter).
    pub(super) fn reporter(&mut self, field: &Field<'_, '_>) -> Result<Option<String>, Error> {
        let mut object = field.object(Module::Reporter)?;
        let uri = object.take(&mut self.findings, Module::Reporter, "report-uri")?;
        object.ignore_rest(&mut self.findings, &rules::UNKNOWN_NODE);
        uri.map(|uri| with_scheme(&uri, &["https", "http", "coap", "coaps"])).transpose()
    }

    /// `ras`, `rim` and `edt` (draft-ietf-iotops-mud-rats). Gives nothing when none of them is there.
    pub(super) fn attestation(
        &mut self,
        mud: &mut Object<'_, '_>,
        declared: bool,
    ) -> Result<Option<AttestationResources>, Error> {
        let mut resources = AttestationResources::default();
        let mut present = false;
        for ((container, leaf), uris) in AttestationResources::LISTS.into_iter().zip(resources.lists_mut()) {
            let Some(field) = mud.take(&mut self.findings, Module::Rats, container)? else { continue };
            if !present && !declared {
                let message =
                    "places for attestation are given, but no extension for them is listed in `extensions`";
                self.findings.add(&rules::UNDECLARED_EXTENSION, &field.path, message);
            }
            present = true;
            let mut object = field.object(Module::Rats)?;
            if let Some(list) = object.take(&mut self.findings, Module::Rats, leaf)? {
                *uris =
                    list.entries()?.map(|uri| with_scheme(&uri, WEB_SCHEMES)).collect::<Result<_, _>>()?;
            }
            object.ignore_rest(&mut self.findings, &rules::UNKNOWN_NODE);
        }
        Ok(Some(resources).filter(|resources| *resources != AttestationResources::default()))
    }

    /// `client-profiles` (RFC 9761). A node inside that is not understood could restrict further, so the entry that
    /// carries it is refused.
    pub(super) fn tls_profiles(&mut self, field: &Field<'_, '_>) -> Result<Vec<TlsProfile>, Refusal> {
        let mut object = field.object(Module::AclTls)?;
        let mut profiles: Vec<TlsProfile> = Vec::new();
        if let Some(list) = self.tls_node(&mut object, "tls-dtls-profile")? {
            for entry in list.entries()? {
                let profile = self.tls_profile(&entry)?;
                if profiles.iter().any(|p| p.name == profile.name) {
                    return Err(entry.error(SchemaFault::DuplicateKey(profile.name)).into());
                }
                profiles.push(profile);
            }
        }
        all_understood(&object)?;
        Ok(profiles)
    }

    fn tls_profile(&mut self, field: &Field<'_, '_>) -> Result<TlsProfile, Refusal> {
        let mut object = field.object(Module::AclTls)?;
        let name = object.need(&mut self.findings, Module::AclTls, "name")?.string(1, MAX_NAME)?;
        let mut profile = TlsProfile { name, ..TlsProfile::default() };
        let names = TlsProfile::NUMBER_LISTS;
        for (name, numbers) in names.into_iter().zip(profile.number_lists_mut()) {
            *numbers = self.leaf_list(&mut object, name, |f| f.u16())?;
        }
        profile.psk_key_exchange_modes = self.leaf_list(&mut object, "psk-key-exchange-mode", |f| f.u8())?;
        profile.tls_versions = self.leaf_list(&mut object, "supported-tls-version", |f| version(f, "tls"))?;
        profile.dtls_versions =
            self.leaf_list(&mut object, "supported-dtls-version", |f| version(f, "dtls"))?;
        profile.application_protocols =
            self.leaf_list(&mut object, "application-protocol", |f| f.string(1, 255))?;
        profile.certificate_authorities =
            self.leaf_list(&mut object, "certificate-authorities", |f| f.string(1, MAX_TEXT))?;
        profile.accept_list_ta_certs = self.leaf_list(&mut object, "accept-list-ta-cert", |field| {
            let text = field.string(1, MAX_CERTIFICATE)?;
            base64_length(&text).map(|_| text).ok_or_else(|| field.expected("base64"))
        })?;
        all_understood(&object)?;
        Ok(profile)
    }

    /// A node by the name in the module, or that in the example of the RFC, which authors copy.
    pub(super) fn tls_node<'p, 'a>(
        &mut self,
        object: &mut Object<'p, 'a>,
        name: &'static str,
    ) -> Result<Option<Field<'p, 'a>>, Error> {
        let found = object.take(&mut self.findings, Module::AclTls, name)?;
        let Some((_, other)) = TlsProfile::EXAMPLE_NAMES.into_iter().find(|(known, _)| *known == name) else {
            return Ok(found);
        };
        let Some(copied) = object.take(&mut self.findings, Module::AclTls, other)? else { return Ok(found) };
        if found.is_some() {
            return Err(copied.error(SchemaFault::DuplicateMember(name)));
        }
        self.findings.add(&rules::TLS_NODE_NAME, &copied.path, alloc::format!("the node is called `{name}`"));
        Ok(Some(copied))
    }

    fn leaf_list<T>(
        &mut self,
        object: &mut Object<'_, '_>,
        name: &'static str,
        read: impl Fn(&Field<'_, '_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        match self.tls_node(object, name)? {
            Some(list) => list.entries()?.map(|field| read(&field)).collect(),
            None => Ok(Vec::new()),
        }
    }
}

const WEB_SCHEMES: &[&str] = &["coap", "coaps", "http", "https"];

fn version(field: &Field<'_, '_>, family: &str) -> Result<TlsVersion, Error> {
    let text = field.text()?;
    let text = text.strip_prefix("iana-tls-profile:").unwrap_or(text);
    match text.strip_prefix(family) {
        Some("12") => Ok(TlsVersion::V1_2),
        Some("13") => Ok(TlsVersion::V1_3),
        _ => Err(field.expected("a protocol version")),
    }
}

fn with_scheme(field: &Field<'_, '_>, schemes: &[&str]) -> Result<String, Error> {
    let text = field.string(1, MAX_URL_BYTES)?;
    let known = text
        .split_once(':')
        .is_some_and(|(scheme, rest)| schemes.contains(&&*scheme.to_ascii_lowercase()) && !rest.is_empty());
    if known && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(text);
    }
    Err(field.expected("a URI of an allowed scheme"))
}

/// Refuses the entry when a node inside of its matches was not understood.
pub(super) fn all_understood(object: &Object<'_, '_>) -> Result<(), Refusal> {
    match object.rest().next() {
        None => Ok(()),
        Some((name, field)) => Err(Refusal::Ace(Finding::new(
            &rules::UNKNOWN_MATCH,
            field.path.pointer(),
            alloc::format!("match {name:?} is not understood; without it the entry would match more"),
        ))),
    }
}

/// Number of bytes that a base64 text stands for (RFC 4648, section 4); `None` when it is none.
pub(super) fn base64_length(text: &str) -> Option<usize> {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    let valid = body.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'));
    (valid && padding <= 2 && text.len().is_multiple_of(4)).then(|| text.len() / 4 * 3 - padding)
}
