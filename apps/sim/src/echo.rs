//! Servers and probes that send back what they get.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// An echo server for TCP and UDP; it ends when dropped.
#[derive(Debug)]
pub struct EchoServer {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// How soon a server notices that it is to end.
const POLL: Duration = Duration::from_millis(20);

impl EchoServer {
    pub(crate) fn start(tcp: TcpListener, udp: UdpSocket) -> io::Result<Self> {
        udp.set_read_timeout(Some(POLL))?;
        tcp.set_nonblocking(true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (one, other) = (Arc::clone(&stop), Arc::clone(&stop));
        let threads = vec![
            thread::spawn(move || echo_datagrams(&udp, &one)),
            thread::spawn(move || echo_streams(&tcp, &other)),
        ];
        Ok(Self { stop, threads })
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A server that failed has failed its probes already.
            let _ended = thread.join();
        }
    }
}

/// Whether a datagram to the address comes back in time.
pub(crate) fn is_echoed(to: SocketAddr, patience: Duration) -> bool {
    let probe = || {
        let any: SocketAddr = if to.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(any)?;
        socket.set_read_timeout(Some(patience))?;
        socket.connect(to)?;
        socket.send(b"probe")?;
        let mut buffer = [0; 16];
        let length = socket.recv(&mut buffer)?;
        io::Result::Ok(buffer.get(..length) == Some(b"probe"))
    };
    probe().unwrap_or(false)
}

fn echo_datagrams(socket: &UdpSocket, stop: &AtomicBool) {
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((length, source)) = socket.recv_from(&mut buffer) {
            let _sent = socket.send_to(&buffer[..length], source);
        }
    }
}

fn echo_streams(listener: &TcpListener, stop: &AtomicBool) {
    let mut streams: Vec<TcpStream> = Vec::new();
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((stream, _)) = listener.accept()
            && stream.set_nonblocking(true).is_ok()
        {
            streams.push(stream);
        }
        streams.retain_mut(|stream| match stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(length) => stream.write_all(&buffer[..length]).is_ok(),
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        });
        thread::sleep(Duration::from_millis(1));
    }
}
