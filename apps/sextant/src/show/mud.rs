use mud::{
    Compiled, Finding, MudFile, Parsed, Policy, PolicyDiff, Sbom, SbomRetrieval, Severity, Transparency,
    VulnerabilityRetrieval, displayable,
};

use crate::node::{Map, Node};

/// A MUD file and what it permits.
pub(crate) fn file(parsed: &Parsed, compiled: &Compiled) -> Map {
    let file = &parsed.file;
    let names = Node::list(compiled.policy.names());
    Map::new()
        .with("kind", "MUD file")
        .then(metadata(file))
        .with("lists", file.acls.len())
        .with("entries", compiled.policy.entries.len())
        .with("breadth", compiled.policy.breadth().score)
        .unless_empty("names", names)
        .with("policy", policy(&compiled.policy))
        .unless_empty("findings", findings(parsed.findings.iter().chain(&compiled.findings)))
}

fn metadata(file: &MudFile) -> Map {
    let shown = |text: &Option<String>| text.as_deref().map(|text| Node::shown(displayable(text)));
    Map::new()
        .with("url", file.mud_url.as_str())
        .with("last_update", crate::clock::date(file.last_update.unix_seconds()))
        .maybe("signature", file.mud_signature.as_deref())
        .with("supported", file.is_supported)
        .maybe("systeminfo", shown(&file.systeminfo))
        .maybe("manufacturer", shown(&file.mfg_name))
        .maybe("model", shown(&file.model_name))
        .unless_empty("extensions", Node::list(&file.extensions))
        .then(extensions(file))
}

/// What extensions say that a person may want to follow up.
fn extensions(file: &MudFile) -> Map {
    let lists = |lists: &[(&str, &Vec<String>)]| {
        let texts =
            lists.iter().map(|(name, uris)| (*name, Node::list(uris.iter().map(|uri| displayable(uri)))));
        texts.fold(Map::new(), |map, (name, list)| map.unless_empty(name, list))
    };
    let ownership = file.ownership.as_ref().map(|ownership| {
        lists(&[("owners", &ownership.owners)])
            .maybe("licence", ownership.spdx_tag.as_deref().map(displayable))
    });
    let attestation = file.attestation.as_ref().map(|places| {
        lists(&[
            ("verifiers", &places.verifiers),
            ("reference_values", &places.reference_values),
            ("endorsements", &places.endorsements),
        ])
    });
    Map::new()
        .maybe("transparency", file.transparency.as_ref().map(transparency))
        .maybe("tls_profiles", file.tls_profile_supported)
        .maybe("ownership", ownership)
        .maybe("attestation", attestation)
        .maybe("reports_to", file.report_uri.as_deref())
        .maybe("kept_in_quarantine", file.quarantine.as_ref().map(Node::list))
}

fn transparency(transparency: &Transparency) -> Map {
    let map = match &transparency.sbom {
        Some(SbomRetrieval::Cloud(sboms)) => {
            let one = |sbom: &Sbom| {
                let version = Map::new().with("version", displayable(&sbom.version_info));
                version.maybe("url", sbom.sbom_url.as_deref())
            };
            Map::new().with("sboms", sboms.iter().map(one).collect::<Vec<_>>())
        }
        Some(SbomRetrieval::LocalWellKnown(scheme)) => Map::new().with("sbom_on_the_device", scheme.as_str()),
        Some(SbomRetrieval::Contact(uri)) => Map::new().with("sbom_contact", uri.as_str()),
        None => Map::new(),
    };
    let map = map.maybe("sbom_archive", transparency.archive_list.as_deref());
    match &transparency.vulnerabilities {
        Some(VulnerabilityRetrieval::Cloud(urls)) => map.with("vulnerabilities", Node::list(urls)),
        Some(VulnerabilityRetrieval::Contact(uri)) => map.with("vulnerability_contact", uri.as_str()),
        None => map,
    }
}

/// The flows of a policy, one a line.
pub(crate) fn policy(policy: &Policy) -> Node {
    Node::List(policy.entries.iter().map(entry).collect())
}

/// What a new policy gains and loses.
pub(crate) fn diff(diff: &PolicyDiff) -> Map {
    Map::new()
        .with("gained", Node::List(diff.gained.iter().map(entry).collect()))
        .with("lost", Node::List(diff.lost.iter().map(entry).collect()))
        .unless_empty("remotes_gained", Node::list(&diff.remotes_gained))
        .unless_empty("remotes_lost", Node::list(&diff.remotes_lost))
}

/// Findings, each with its place.
pub(crate) fn findings<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Node {
    let one = |finding: &Finding| {
        Map::new()
            .with("rule", finding.code)
            .with("severity", severity(finding.severity))
            .with("path", finding.path.as_str())
            .with("message", finding.message.as_str())
    };
    Node::from(findings.into_iter().map(one).collect::<Vec<_>>())
}

/// The word for a severity.
pub(crate) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::AceRefused => "entry refused",
        Severity::NeedsApproval => "needs approval",
    }
}

/// A flow and the entry of the file it comes from.
pub(crate) fn entry(entry: &mud::Entry) -> Node {
    let origin =
        if entry.default { "default".to_owned() } else { format!("{}/{}", entry.ace.acl, entry.ace.ace) };
    Node::Text(format!("{entry} ({origin})"))
}
