//! Writes a policy as JSON, for enforcers that are other programs, for people, and for comparing policies as text.

use alloc::string::{String, ToString};

use crate::encode::encode_tls;
use crate::json::JsonWriter;
use crate::policy::{Entry, ExtraMatch, Policy, Protocol, Remote, Verdict};
use crate::ports::Ports;

impl Policy {
    /// The policy as JSON: equal policies give equal texts.
    pub fn encode_json(&self) -> String {
        let mut writer = JsonWriter::default();
        writer.object(|w| w.member("entries").array(&self.entries, encode_entry));
        writer.finish()
    }
}

fn encode_entry(w: &mut JsonWriter, entry: &Entry) {
    w.object(|w| {
        w.member("direction").string(entry.direction.name());
        w.member("family").string(entry.family.name());
        w.member("remote").object(|w| encode_remote(w, &entry.remote));
        match entry.protocol {
            Protocol::Any => w.member("protocol").string("any"),
            Protocol::Tcp => w.member("protocol").string("tcp"),
            Protocol::Udp => w.member("protocol").string("udp"),
            Protocol::Other(number) => w.member("protocol").number(number),
            Protocol::Icmp { icmp_type, code } => {
                w.member("protocol").string("icmp");
                w.optional_number("icmp-type", icmp_type);
                w.optional_number("icmp-code", code);
            }
        }
        encode_ports(w, "remote-ports", &entry.remote_ports);
        encode_ports(w, "device-ports", &entry.device_ports);
        if let Some(extra) = &entry.extra {
            w.member("extra").object(|w| encode_extra(w, extra));
        }
        if !entry.tls.is_empty() {
            w.member("tls").array(&entry.tls, encode_tls);
        }
        w.member("verdict").string(match entry.verdict {
            Verdict::Accept => "accept",
            Verdict::Drop => "drop",
            Verdict::Reject => "reject",
        });
        if entry.default {
            w.member("default").boolean(true);
        } else {
            w.member("acl").string(&entry.ace.acl);
        }
        w.member("ace").string(&entry.ace.ace);
    });
}

fn encode_remote(w: &mut JsonWriter, remote: &Remote) {
    match remote {
        Remote::Any => w.member("any").boolean(true),
        Remote::Prefix(prefix) => w.member("prefix").string(&prefix.to_string()),
        Remote::Name(name) => w.member("name").string(name),
        Remote::Controller(class) => w.member("controller").string(class),
        Remote::MyController => w.member("my-controller").boolean(true),
        Remote::Manufacturer(host) => w.member("manufacturer").string(host),
        Remote::SameManufacturer => w.member("same-manufacturer").boolean(true),
        Remote::Model(url) => w.member("model").string(url),
        Remote::LocalNetworks => w.member("local-networks").boolean(true),
    }
}

fn encode_ports(w: &mut JsonWriter, name: &str, ports: &Ports) {
    if !ports.is_any() {
        w.member(name).string(&ports.to_string());
    }
}

fn encode_extra(w: &mut JsonWriter, extra: &ExtraMatch) {
    w.optional_number("dscp", extra.dscp);
    w.optional_number("ecn", extra.ecn);
    w.optional_number("ttl", extra.ttl);
    w.optional_number("length", extra.length);
    w.optional_number("flow-label", extra.flow_label);
    w.optional_number("tcp-flags", extra.tcp_flags);
    w.optional_string("remote-mac", extra.remote_mac.map(|mac| mac.to_string()));
}
