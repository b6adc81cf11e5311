//! Writes a file in its canonical form (RFC 7951): module names where they belong, defaults left out, one order of
//! members. For authors; an enforcer keeps and compiles the bytes that were signed.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::address::Family;
use crate::extensions::{
    AttestationResources, Ownership, SbomRetrieval, TlsProfile, TlsVersion, Transparency,
    VulnerabilityRetrieval,
};
use crate::json::JsonWriter;
use crate::model::{
    Ace, AceBody, Acl, EthMatch, IPV4_FLAGS, IcmpMatch, IpMatch, Matches, MudFile, MudMatch, PortMatch,
    TCP_FLAGS, TcpMatch, TransportMatch, UdpMatch,
};

impl MudFile {
    /// The file as JSON. What was not understood stands in it as it was received.
    pub fn encode(&self) -> String {
        let mut writer = JsonWriter::default();
        writer.object(|w| {
            w.member("ietf-mud:mud").object(|w| self.encode_metadata(w));
            w.member("ietf-access-control-list:acls").object(|w| {
                w.member("acl").array(&self.acls, encode_acl);
            });
        });
        writer.finish()
    }

    fn encode_metadata(&self, w: &mut JsonWriter) {
        w.member("mud-version").number(1_u8);
        w.member("mud-url").string(self.mud_url.as_str());
        w.member("last-update").string(self.last_update.as_str());
        w.optional_string("mud-signature", self.mud_signature.as_ref());
        w.optional_number("cache-validity", self.cache_validity);
        w.member("is-supported").boolean(self.is_supported);
        w.optional_string("systeminfo", self.systeminfo.as_ref());
        w.optional_string("mfg-name", self.mfg_name.as_ref());
        w.optional_string("model-name", self.model_name.as_ref());
        w.optional_string("firmware-rev", self.firmware_rev.as_ref());
        w.optional_string("software-rev", self.software_rev.as_ref());
        w.optional_string("documentation", self.documentation.as_ref());
        if !self.extensions.is_empty() {
            w.member("extensions").strings(&self.extensions);
        }
        if let Some(supported) = self.tls_profile_supported {
            w.member("ietf-mud-tls:is-tls-dtls-profile-supported").boolean(supported);
        }
        if let Some(transparency) = &self.transparency {
            w.member("ietf-mud-transparency:transparency").object(|w| encode_transparency(w, transparency));
        }
        if let Some(ownership) = &self.ownership {
            w.member("ol").object(|w| encode_ownership(w, ownership));
        }
        if let Some(names) = &self.quarantine {
            w.member("nist-mud:quarantined-device-policy").object(|w| {
                w.member("enabled-ace-names").array(names, |w, name| {
                    w.object(|w| w.member("ace-name").string(name));
                });
            });
        }
        if let Some(uri) = &self.report_uri {
            let name = "ietf-mud-reporter-extension:reporter";
            w.member(name).object(|w| w.member("report-uri").string(uri));
        }
        if let Some(resources) = &self.attestation {
            for ((container, leaf), uris) in AttestationResources::LISTS.into_iter().zip(resources.lists()) {
                if !uris.is_empty() {
                    w.member(&format!("ietf-mud-rats:{container}")).object(|w| w.member(leaf).strings(uris));
                }
            }
        }
        for (name, policy) in
            [("from-device-policy", &self.from_device_policy), ("to-device-policy", &self.to_device_policy)]
        {
            let Some(lists) = policy else { continue };
            w.member(name).object(|w| {
                w.member("access-lists").object(|w| {
                    w.member("access-list").array(lists, |w, list| {
                        w.object(|w| w.member("name").string(list));
                    });
                });
            });
        }
    }
}

fn encode_transparency(w: &mut JsonWriter, transparency: &Transparency) {
    match &transparency.sbom {
        Some(SbomRetrieval::Cloud(sboms)) => w.member("sboms").array(sboms, |w, sbom| {
            w.object(|w| {
                w.member("version-info").string(&sbom.version_info);
                w.optional_string("sbom-url", sbom.sbom_url.as_ref());
            });
        }),
        Some(SbomRetrieval::LocalWellKnown(scheme)) => w.member("sbom-local-well-known").string(scheme),
        Some(SbomRetrieval::Contact(uri)) => w.member("sbom-contact-uri").string(uri),
        None => {}
    }
    w.optional_string("sbom-archive-list", transparency.archive_list.as_ref());
    match &transparency.vulnerabilities {
        Some(VulnerabilityRetrieval::Cloud(urls)) => w.member("vuln-url").strings(urls),
        Some(VulnerabilityRetrieval::Contact(uri)) => w.member("vuln-contact-uri").string(uri),
        None => {}
    }
}

fn encode_ownership(w: &mut JsonWriter, ownership: &Ownership) {
    if !ownership.owners.is_empty() {
        w.member("owners").strings(&ownership.owners);
    }
    w.optional_string("spdx-tag", ownership.spdx_tag.as_ref());
}

fn encode_acl(w: &mut JsonWriter, acl: &Acl) {
    w.object(|w| {
        w.member("name").string(&acl.name);
        w.optional_string("type", acl.acl_type.map(|t| t.name()));
        w.member("aces").object(|w| w.member("ace").array(&acl.aces, encode_ace));
    });
}

fn encode_ace(w: &mut JsonWriter, ace: &Ace) {
    let matches = match &ace.body {
        AceBody::Matches(matches) => matches,
        AceBody::Refused { entry, .. } => return w.raw(entry),
    };
    w.object(|w| {
        w.member("name").string(&ace.name);
        w.member("matches").object(|w| encode_matches(w, matches));
        w.member("actions").object(|w| w.member("forwarding").string(ace.forwarding.name()));
    });
}

fn encode_matches(w: &mut JsonWriter, matches: &Matches) {
    if let Some(eth) = &matches.eth {
        w.member("eth").object(|w| encode_eth(w, eth));
    }
    if let Some(ip) = &matches.ip {
        w.member(ip.family.name()).object(|w| encode_ip(w, ip));
    }
    match &matches.transport {
        Some(TransportMatch::Tcp(tcp)) => w.member("tcp").object(|w| encode_tcp(w, tcp)),
        Some(TransportMatch::Udp(udp)) => w.member("udp").object(|w| encode_udp(w, udp)),
        Some(TransportMatch::Icmp(icmp)) => w.member("icmp").object(|w| encode_icmp(w, icmp)),
        None => {}
    }
    if matches.mud != MudMatch::default() {
        w.member("ietf-mud:mud").object(|w| encode_abstractions(w, &matches.mud));
    }
    if !matches.tls.is_empty() {
        w.member("ietf-acl-tls:client-profiles").object(|w| {
            w.member("tls-dtls-profile").array(&matches.tls, encode_tls);
        });
    }
}

fn encode_eth(w: &mut JsonWriter, eth: &EthMatch) {
    for (name, address) in [
        ("destination-mac-address", eth.destination),
        ("destination-mac-address-mask", eth.destination_mask),
        ("source-mac-address", eth.source),
        ("source-mac-address-mask", eth.source_mask),
    ] {
        w.optional_string(name, address.map(|a| a.to_string()));
    }
    w.optional_string("ethertype", eth.ethertype.map(|number| format!("0x{number:04x}")));
}

fn encode_ip(w: &mut JsonWriter, ip: &IpMatch) {
    w.optional_number("dscp", ip.dscp);
    w.optional_number("ecn", ip.ecn);
    w.optional_number("length", ip.length);
    w.optional_number("ttl", ip.ttl);
    w.optional_number("protocol", ip.protocol);
    w.optional_number("ihl", ip.ihl);
    w.optional_string("flags", ip.flags.map(|bits| flag_names(bits, &IPV4_FLAGS)));
    w.optional_number("offset", ip.offset);
    w.optional_number("identification", ip.identification);
    w.optional_number("flow-label", ip.flow_label);
    let [source, destination] = match ip.family {
        Family::V4 => ["source-ipv4-network", "destination-ipv4-network"],
        Family::V6 => ["source-ipv6-network", "destination-ipv6-network"],
    };
    w.optional_string(source, ip.source.map(|prefix| prefix.to_string()));
    w.optional_string(destination, ip.destination.map(|prefix| prefix.to_string()));
    w.optional_string("ietf-acldns:src-dnsname", ip.src_dnsname.as_ref().map(|host| host.to_string()));
    w.optional_string("ietf-acldns:dst-dnsname", ip.dst_dnsname.as_ref().map(|host| host.to_string()));
}

fn encode_tcp(w: &mut JsonWriter, tcp: &TcpMatch) {
    w.optional_number("sequence-number", tcp.sequence_number);
    w.optional_number("acknowledgement-number", tcp.acknowledgement_number);
    w.optional_number("data-offset", tcp.data_offset);
    w.optional_number("reserved", tcp.reserved);
    w.optional_string("flags", tcp.flags.map(|bits| flag_names(bits, &TCP_FLAGS)));
    w.optional_number("window-size", tcp.window_size);
    w.optional_number("urgent-pointer", tcp.urgent_pointer);
    w.optional_string("options", tcp.options.as_ref());
    encode_port(w, "source-port", tcp.source_port);
    encode_port(w, "destination-port", tcp.destination_port);
    w.optional_string("ietf-mud:direction-initiated", tcp.direction_initiated.map(|d| d.name()));
}

fn encode_udp(w: &mut JsonWriter, udp: &UdpMatch) {
    w.optional_number("length", udp.length);
    encode_port(w, "source-port", udp.source_port);
    encode_port(w, "destination-port", udp.destination_port);
}

fn encode_icmp(w: &mut JsonWriter, icmp: &IcmpMatch) {
    w.optional_number("type", icmp.icmp_type);
    w.optional_number("code", icmp.code);
    w.optional_string("rest-of-header", icmp.rest_of_header.as_ref());
}

fn encode_port(w: &mut JsonWriter, name: &str, port: Option<PortMatch>) {
    let Some(port) = port else { return };
    w.member(name).object(|w| match port {
        PortMatch::Range(lower, upper) => {
            w.member("lower-port").number(lower);
            w.member("upper-port").number(upper);
        }
        PortMatch::Operator(operator, port) => {
            w.member("operator").string(operator.name());
            w.member("port").number(port);
        }
    });
}

fn encode_abstractions(w: &mut JsonWriter, mud: &MudMatch) {
    let empty = |w: &mut JsonWriter, name, present| {
        if present {
            w.member(name).raw("[null]");
        }
    };
    w.optional_string("manufacturer", mud.manufacturer.as_ref().map(|host| host.to_string()));
    empty(w, "same-manufacturer", mud.same_manufacturer);
    w.optional_string("model", mud.model.as_ref().map(|url| url.as_str()));
    empty(w, "local-networks", mud.local_networks);
    w.optional_string("controller", mud.controller.as_ref());
    empty(w, "my-controller", mud.my_controller);
}

pub(crate) fn encode_tls(w: &mut JsonWriter, profile: &TlsProfile) {
    let versions = |w: &mut JsonWriter, name: &str, family: &str, versions: &Vec<TlsVersion>| {
        if !versions.is_empty() {
            let names = versions.iter().map(|version| match version {
                TlsVersion::V1_2 => format!("{family}12"),
                TlsVersion::V1_3 => format!("{family}13"),
            });
            w.member(name).strings(names);
        }
    };
    let strings = |w: &mut JsonWriter, name: &str, values: &Vec<String>| {
        if !values.is_empty() {
            w.member(name).strings(values);
        }
    };
    w.object(|w| {
        w.member("name").string(&profile.name);
        versions(w, "supported-tls-version", "tls", &profile.tls_versions);
        versions(w, "supported-dtls-version", "dtls", &profile.dtls_versions);
        for (name, numbers) in TlsProfile::NUMBER_LISTS.into_iter().zip(profile.number_lists()) {
            if !numbers.is_empty() {
                w.member(name).array(numbers, |w, number| w.number(*number));
            }
        }
        if !profile.psk_key_exchange_modes.is_empty() {
            w.member("psk-key-exchange-mode").array(&profile.psk_key_exchange_modes, |w, m| w.number(*m));
        }
        strings(w, "accept-list-ta-cert", &profile.accept_list_ta_certs);
        strings(w, "application-protocol", &profile.application_protocols);
        strings(w, "certificate-authorities", &profile.certificate_authorities);
    });
}

fn flag_names(bits: u8, names: &[(&str, u8)]) -> String {
    let set: Vec<&str> = names.iter().filter(|(_, bit)| bits & bit != 0).map(|(name, _)| *name).collect();
    set.join(" ")
}
