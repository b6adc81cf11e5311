//! A whole gateway with its server and a web server that has the file of one model, the plug.

use std::net::{IpAddr, TcpListener};
use std::path::Path;

use api::{Base64Url, GatewayState, ModelState, MudCheck, NetworkModel};
use gateway::Mac;
use gateway::control::{Config, Gateway};
use tempfile::TempDir;
use trust::Override;

use crate::lab::{Lab, at};
use crate::live::{SERVER, config, now};
use crate::maker::{MAKER_CA, OTHER_CA, announces, authority, digest, signed_by, uses};
use crate::server::{Identity, Server};
use crate::site::{OPERATOR, answer, key, text};
use crate::web::Web;

pub(crate) const HOST: &str = "203.0.113.12";
pub(crate) const PORT: u16 = 9443;
pub(crate) const ONE: (&str, u16) = ("203.0.113.10", 443);
pub(crate) const TWO: (&str, u16) = ("203.0.113.11", 443);

pub(crate) fn plug() -> String {
    format!("https://{HOST}:{PORT}/plug.json")
}

/// Settings that believe the maker, and give devices what their files permit.
fn settings(folder: &Path) {
    for seed in [MAKER_CA, OTHER_CA] {
        std::fs::write(folder.join(format!("{seed}.der")), authority(seed, now()).as_der()).unwrap();
    }
    let text = format!(
        "tls-ca = \"web.pem\"\n[announced]\nmode = \"hold\"\nanchors = [\"{MAKER_CA}.der\", \"{OTHER_CA}.der\"]\n\
         accept = [\"dhcpv4\", \"dhcpv6\", \"lldp\"]\nweak-access = \"as-file\"\naddresses = \"allow\"\n"
    );
    std::fs::write(folder.join("sources.toml"), text).unwrap();
}

/// A web server that has the files of makers, and what a gateway and its server start from.
pub(crate) struct House {
    directory: TempDir,
    pub(crate) web: Web,
    pub(crate) config: Config,
    pub(crate) identity: Identity,
}

impl House {
    pub(crate) fn new(lab: &Lab) -> Self {
        let directory = tempfile::tempdir().unwrap();
        settings(directory.path());
        let listener = lab.wan.enter(|| TcpListener::bind(at(HOST, PORT))).unwrap();
        let web = Web::start(listener, &[HOST], &directory.path().join("web.pem"));
        let config = config(directory.path());
        let identity = Identity::new(SERVER, &config.ca);
        Self { directory, web, config, identity }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// The gateway, and its server, which has nothing to say yet.
    pub(crate) fn open(&self, lab: &Lab) -> (Gateway, Server) {
        let gateway = lab.gw.enter(|| Gateway::start(self.config.clone()).unwrap());
        let server = Server::start(&lab.wan, at(SERVER, 8443), &self.identity);
        server.say(answer(&[], vec![]));
        (gateway, server)
    }

    /// A version of the plug's file takes the place of the one before.
    pub(crate) fn publish(&self, file: &str, authority: u8) {
        self.web.publish("/plug.json", file, &signed_by(file, authority, "CN=Maker", now()));
    }
}

/// The server answers with overrides, and that the plug's file has to be looked for anew.
pub(crate) fn says(server: &Server, overrides: &[Override], check: bool) {
    let checks = check.then(|| MudCheck { url: plug(), at_ms: now() * 1000 });
    let overrides = overrides.iter().map(|one| Base64Url(one.sign(&key(OPERATOR)))).collect();
    server.say(GatewayState { overrides, checks: checks.into_iter().collect(), ..answer(&[], vec![]) });
}

/// A device says whose file is about it, and uses its address.
pub(crate) fn arrives(gateway: &Gateway, mac: Mac, address: IpAddr, url: &str) {
    gateway.controller().heard(&announces(mac, url), now());
    gateway.controller().heard(&uses(mac, address, now() + 3600), now());
}

/// What a model is told as, once it has what it takes.
pub(crate) fn hears(
    server: &Server,
    what: &str,
    at: &str,
    pick: impl Fn(&NetworkModel) -> bool,
) -> NetworkModel {
    server.hears(what, |report| {
        report.models.iter().flatten().find(|model| model.url == at && pick(model)).cloned()
    })
}

pub(crate) fn has(model: &NetworkModel, file: &str) -> bool {
    model.in_force.as_ref().is_some_and(|in_force| in_force.digest == text(digest(file).as_bytes()))
}

pub(crate) fn holds_for(model: &NetworkModel, code: &str) -> bool {
    let offered = model.offered.iter().flat_map(|offered| &offered.reasons);
    model.state == ModelState::Waiting && offered.into_iter().any(|reason| reason.code == code)
}
