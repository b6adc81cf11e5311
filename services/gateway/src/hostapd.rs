//! An access point's control socket: the way to put a device off a shared medium, where no port can be closed.
//!
//! hostapd takes commands as datagrams on a Unix socket, one for each wireless interface, and answers each. Commands are made of
//! addresses only, never of anybody's text.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Mac;

/// hostapd, by one of its control sockets.
#[derive(Clone, Debug)]
pub struct AccessPoint {
    socket: PathBuf,
}

/// Why an access point did not do as asked.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum AccessPointError {
    /// It refused the command.
    #[error("the access point refused {command:?}: {answer:?}")]
    Refused {
        /// What it was asked.
        command: String,
        /// What it said.
        answer: String,
    },
    /// It does not answer.
    #[error("{what} at {}", socket.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// Where.
        socket: PathBuf,
        /// What the platform said.
        #[source]
        source: io::Error,
    },
}

impl AccessPoint {
    /// The access point whose control socket is at this path: `ctrl_interface` of its configuration, then the interface.
    pub fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Ends a device's association and takes no other from it, until [`AccessPoint::admit`].
    pub fn eject(&self, mac: Mac) -> Result<(), AccessPointError> {
        // First the list, so that it is not back before it is on it.
        self.done(&format!("DENY_ACL ADD_MAC {mac}"))?;
        self.done(&format!("DEAUTHENTICATE {mac}"))
    }

    /// Takes a device again. One that was never ejected is left as it is.
    pub fn admit(&self, mac: Mac) -> Result<(), AccessPointError> {
        if self.ejected()?.contains(&mac) { self.done(&format!("DENY_ACL DEL_MAC {mac}")) } else { Ok(()) }
    }

    /// The devices that it takes no association from.
    pub fn ejected(&self) -> Result<Vec<Mac>, AccessPointError> {
        let answer = self.command("DENY_ACL SHOW")?;
        Ok(answer.lines().filter_map(|line| Mac::parse(line.split(' ').next()?)).collect())
    }

    fn done(&self, command: &str) -> Result<(), AccessPointError> {
        let answer = self.command(command)?;
        if answer == "OK\n" {
            return Ok(());
        }
        Err(AccessPointError::Refused { command: command.to_owned(), answer: answer.trim_end().to_owned() })
    }

    fn command(&self, command: &str) -> Result<String, AccessPointError> {
        let failed = |what| move |source| AccessPointError::Io { what, socket: self.socket.clone(), source };
        let socket = bind().map_err(failed("opening a socket for the access point"))?;
        socket.connect(&self.socket).map_err(failed("reaching the access point"))?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(failed("reaching the access point"))?;
        socket.send(command.as_bytes()).map_err(failed("asking the access point"))?;
        let mut buffer = vec![0; MAX_ANSWER];
        let length = socket.recv(&mut buffer).map_err(failed("waiting for the access point"))?;
        buffer.truncate(length);
        Ok(String::from_utf8_lossy(&buffer).into_owned())
    }
}

/// A socket with a name that hostapd can answer to and that no file is left of. No two processes draw the same one.
fn bind() -> io::Result<UnixDatagram> {
    let mut number = [0; 16];
    getrandom::fill(&mut number)?;
    let name = format!("sextant-hostapd-{:032x}", u128::from_be_bytes(number));
    UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

/// hostapd answers from its main loop, at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// More than its answers have.
const MAX_ANSWER: usize = 64 * 1024;
