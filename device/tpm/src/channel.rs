use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    net::{TcpStream, ToSocketAddrs as _},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use crate::{Address, Error, response};

/// The longest that a TPM may take for one answer: slow ones make keys for seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest that one in software may take to be there.
const CONNECT: Duration = Duration::from_secs(5);

/// A TPM that commands go to, one after the other.
pub(crate) struct Channel {
    stream: Stream,
}

enum Stream {
    Device(File),
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Channel {
    pub(crate) fn open(address: &Address) -> Result<Self, Error> {
        let stream = match address {
            Address::Device(path) => OpenOptions::new().read(true).write(true).open(path).map(Stream::Device),
            Address::Unix(path) => UnixStream::connect(path).map(Stream::Unix),
            Address::Tcp { host, port } => connect(host, *port).map(Stream::Tcp),
        };
        Ok(Self { stream: stream.map_err(Error::Unreachable)? })
    }

    /// Sends a command, and gives the whole answer.
    pub(crate) fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Error> {
        let end = Instant::now() + PATIENCE;
        // The kernel wants a command in one write, and gives an answer in one read.
        self.writer(end).and_then(|writer| writer.write_all(command)).map_err(Error::Unreachable)?;
        let mut answer = vec![0; response::MAX_LEN];
        let mut filled = 0;
        loop {
            let room = answer.get_mut(filled..).unwrap_or_default();
            let count = self.reader(end).and_then(|reader| reader.read(room)).map_err(Error::Unreachable)?;
            filled += count;
            let whole = response::len(answer.get(..filled).unwrap_or_default())?;
            match whole {
                Some(whole) if filled >= whole => {
                    // More than the whole is seen by whoever reads it.
                    answer.truncate(filled);
                    return Ok(answer);
                }
                _ if count == 0 => return Err(Error::Unreachable(ErrorKind::UnexpectedEof.into())),
                _ => {}
            }
        }
    }

    fn writer(&mut self, end: Instant) -> io::Result<&mut dyn Write> {
        let left = left(end)?;
        Ok(match &mut self.stream {
            Stream::Device(file) => file,
            Stream::Unix(socket) => {
                socket.set_write_timeout(Some(left))?;
                socket
            }
            Stream::Tcp(socket) => {
                socket.set_write_timeout(Some(left))?;
                socket
            }
        })
    }

    fn reader(&mut self, end: Instant) -> io::Result<&mut dyn Read> {
        let left = left(end)?;
        Ok(match &mut self.stream {
            // The kernel has limits of its own.
            Stream::Device(file) => file,
            Stream::Unix(socket) => {
                socket.set_read_timeout(Some(left))?;
                socket
            }
            Stream::Tcp(socket) => {
                socket.set_read_timeout(Some(left))?;
                socket
            }
        })
    }
}

/// What is left of the time that an answer has; it is never nothing.
fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failed = ErrorKind::NotFound.into();
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
