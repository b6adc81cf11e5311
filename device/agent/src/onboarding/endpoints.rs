use fdo::provision::Provision;
use ureq::tls::Certificate;

use crate::{Error, RunOptions, http::certificates};

/// Whom the device talks to. What the command line says goes before what the owner gave.
#[derive(Debug)]
pub(crate) struct Endpoints {
    /// Base URL of the server.
    pub(crate) server: String,
    /// Certificates the server's must descend from.
    pub(crate) anchors: Vec<Certificate<'static>>,
    /// Base URLs of the gateway, as options.
    pub(crate) gateways: Vec<String>,
}

impl Endpoints {
    pub(crate) fn of(options: &RunOptions, given: Option<&Provision>) -> Result<Self, Error> {
        let missing = |name: &str| Error::Usage(format!("--{name} is missing, and no owner gave it"));
        let server = options.server.clone().or_else(|| given.map(|given| given.server.clone()));
        let anchors = match (&options.ca, given) {
            (Some(path), _) => certificates(path)?,
            (None, Some(given)) => {
                let anchors = given.server_anchors.iter();
                anchors.map(|der| Certificate::from_der(der).to_owned()).collect()
            }
            (None, None) => Vec::new(),
        };
        if anchors.is_empty() {
            return Err(missing("ca"));
        }
        let gateway = given.and_then(|given| given.gateway.clone());
        let gateways = match options.gateways.as_slice() {
            [] => gateway.into_iter().collect(),
            gateways => gateways.to_vec(),
        };
        Ok(Self { server: server.ok_or_else(|| missing("server"))?, anchors, gateways })
    }
}
