//! The factory: a manufacturer's server, which makes the devices of the story and sells them to the operator.

use std::{fs, net::SocketAddr, path::Path, process::Command, sync::Arc, sync::atomic::AtomicBool};

use x509::{Certificate, pem};

use super::{
    Programs,
    catalog::Model,
    lab::{leashed, run},
    place::SERVER,
};
use crate::{Error, Process, client::Client, folder::Folder, forward, netns::Namespace, reach::reach_server};

/// Where the factory's server is, on a network of its own.
const FACTORY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8444);
/// Its folder.
const FOLDER: &str = "factory";

/// The factory, as long as it is open.
pub(crate) struct Factory {
    // Ends when it is dropped.
    _server: Process,
    pub(crate) client: Client,
}

/// What a device is made with.
pub(crate) struct Blueprint<'b> {
    pub(crate) model: Model,
    /// Serial number, which is the name of its folder.
    pub(crate) serial: &'b str,
    pub(crate) data: &'b Path,
    pub(crate) authorities: &'b Path,
    /// Bytes that its image may have.
    pub(crate) room: usize,
}

impl Factory {
    /// Opens the factory. Its devices will look for their owner at the operator's server.
    pub(crate) fn open(
        programs: &Programs,
        space: &Namespace,
        folder: &Folder,
        stop: &Arc<AtomicBool>,
    ) -> Result<Self, Error> {
        let data = folder.path(FOLDER);
        let mut command = leashed(programs, space, &programs.sextant);
        command.arg("up").arg("--data").arg(&data).args(["--listen", &FACTORY.to_string()]);
        command.args(["--role", "manufacturer", "--role", "manage", "--site", "Northlight factory"]);
        command.args(["--rendezvous", &format!("https://{SERVER}")]);
        let mut server = Process::start("factory", command, folder.root())?;
        let door = forward(space, FACTORY).map_err(Error::io("the door to the factory"))?;
        let client = reach_server(&mut server, &data, &format!("https://{door}"), stop)?.client;
        Ok(Self { _server: server, client })
    }

    /// The key by which operators know its devices, as a file.
    pub(crate) fn key_file(folder: &Folder) -> std::path::PathBuf {
        folder.path(FOLDER).join("keys/manufacturer-es256.public")
    }

    /// Makes a device, on the factory's network, and installs the release that it leaves with. Gives its UEID.
    pub(crate) fn make(
        &self,
        programs: &Programs,
        space: &Namespace,
        device: &Blueprint<'_>,
        release: &Path,
    ) -> Result<String, Error> {
        let mut make = space.command(&programs.agent);
        make.args(["make", "--di", &format!("https://{FACTORY}"), "--data"]).arg(device.data);
        make.arg("--authorities").arg(device.authorities);
        make.args(["--vendor-domain", device.model.vendor(), "--class", device.model.class()]);
        make.args(["--info", device.model.class(), "--serial", device.serial]);
        make.args(["--component", &format!("{}:{}", super::keys::COMPONENT, device.room)]);
        #[derive(serde::Deserialize)]
        struct Identification {
            ueid: String,
        }
        let printed: Identification = serde_json::from_slice(&run(make)?)
            .map_err(Error::object("what `sextant-agent make` printed"))?;
        let mut install = Command::new(&programs.agent);
        install.args(["install", "--data"]).arg(device.data).arg(release);
        run(install)?;
        Ok(printed.ueid)
    }

    /// Sells a device to the holder of a key in PEM, and gives its voucher.
    pub(crate) fn sell(&self, guid: &str, buyer: &str) -> Result<Vec<u8>, Error> {
        let path = format!("/api/v1/onboarding/made/{guid}/sell");
        self.client.bytes_for("POST", &path, "application/x-pem-file", buyer.as_bytes())
    }

    /// The authority that certifies the keys of its devices.
    pub(crate) fn authority(&self) -> Result<Certificate, Error> {
        let keys: api::OnboardingKeys = self.client.get("/api/v1/onboarding/keys")?;
        read_certificate(&keys.device_authority.unwrap_or_default())
    }
}

/// The first certificate of a text in PEM.
pub(crate) fn read_certificate(text: &str) -> Result<Certificate, Error> {
    let blocks = pem::decode(text).map_err(Error::object("a certificate in PEM"))?;
    let der = blocks.first().map(|block| block.der.as_slice()).unwrap_or_default();
    Certificate::decode(der).map_err(Error::object("a certificate"))
}

/// The operational certificate that a device has of its owner.
pub(crate) fn operational_certificate(data: &Path) -> Result<Certificate, Error> {
    let path = data.join("fdo/operational.pem");
    let text = fs::read_to_string(&path).map_err(Error::io(path.display().to_string()))?;
    read_certificate(&text)
}
