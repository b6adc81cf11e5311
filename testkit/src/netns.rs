//! Virtual networks: namespaces, links, probes and servers, for tests and demonstrations that need root.
//!
//! Everything is called after the process, and is removed when its [`Network`] is dropped, also by a panic.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Namespaces that exist as long as this does.
#[derive(Debug)]
pub struct Network {
    prefix: String,
    spaces: Vec<Namespace>,
}

/// A network namespace.
#[derive(Clone, Debug)]
pub struct Namespace {
    name: String,
}

/// An echo server in a namespace; it ends when dropped.
#[derive(Debug)]
pub struct Server {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Network {
    /// An empty network, or `None` after saying aloud that this needs root.
    pub fn new() -> Option<Self> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: network namespaces need root");
            return None;
        }
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        Some(Self { prefix: format!("sx{}-{serial}", std::process::id()), spaces: Vec::new() })
    }

    /// Adds a namespace with its loopback up and without duplicate address detection.
    ///
    /// # Panics
    /// As all set-up here: a network that cannot be made must stop the test.
    pub fn add(&mut self, name: &str) -> Namespace {
        let space = Namespace { name: format!("{}-{name}", self.prefix) };
        run(Command::new("ip").args(["netns", "add", &space.name]));
        self.spaces.push(space.clone());
        space.sysctl("net.ipv6.conf.default.accept_dad", "0");
        space.sysctl("net.ipv6.conf.all.accept_dad", "0");
        space.ip("link set lo up");
        space
    }

    /// Joins two namespaces by a pair of links, which come up.
    pub fn link(&self, a: (&Namespace, &str), b: (&Namespace, &str)) {
        let (a_name, b_name) = (&a.0.name, &b.0.name);
        let line = format!("link add {} netns {a_name} type veth peer name {} netns {b_name}", a.1, b.1);
        run(Command::new("ip").args(line.split(' ')));
        a.0.ip(&format!("link set {} up", a.1));
        b.0.ip(&format!("link set {} up", b.1));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for space in &self.spaces {
            // One that is gone already is what we want.
            let _status =
                Command::new("ip").args(["netns", "del", &space.name]).stderr(Stdio::null()).status();
        }
    }
}

impl Namespace {
    /// Its name, as `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs something on a thread in the namespace. Sockets and children made there belong to it.
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let outcome = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let path = format!("/run/netns/{}", self.name);
                let space = std::fs::File::open(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
                move_into_link_name_space(std::os::fd::AsFd::as_fd(&space), Some(LinkNameSpaceType::Network))
                    .unwrap_or_else(|e| panic!("entering {path}: {e}"));
                act()
            });
            thread.join()
        });
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Runs a command in the namespace.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]).args(arguments).stdin(Stdio::null());
        command.output().unwrap_or_else(|e| panic!("ip netns exec {program}: {e}"))
    }

    /// `ip <line>` in the namespace, which must succeed.
    pub fn ip(&self, line: &str) {
        run(Command::new("ip").args(["-n", &self.name]).args(line.split(' ')));
    }

    /// Sets a kernel parameter of the namespace, which must exist.
    pub fn sysctl(&self, key: &str, value: &str) {
        let output = self.command("sysctl", &["-qw", &format!("{key}={value}")]);
        assert!(output.status.success(), "{key}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A bridge whose ports do not hear each other: what they say to each other has to be routed.
    pub fn add_bridge(&self, name: &str, mac: &str) {
        self.ip(&format!("link add {name} address {mac} type bridge mcast_snooping 0"));
        self.ip(&format!("link set {name} up"));
        self.sysctl(&format!("net.ipv4.conf.{name}.proxy_arp_pvlan"), "1");
        self.sysctl(&format!("net.ipv4.conf.{name}.send_redirects"), "0");
    }

    /// Makes a link an isolated port of a bridge.
    pub fn enslave(&self, port: &str, bridge: &str) {
        self.ip(&format!("link set {port} master {bridge}"));
        run(Command::new("bridge").args(["-n", &self.name, "link", "set", "dev", port, "isolated", "on"]));
    }

    /// Whether a TCP connection to the address is accepted in time.
    pub fn tcp(&self, to: SocketAddr, patience: Duration) -> bool {
        self.enter(|| TcpStream::connect_timeout(&to, patience).is_ok())
    }

    /// A TCP connection from the namespace.
    pub fn connect(&self, to: SocketAddr, patience: Duration) -> std::io::Result<TcpStream> {
        self.enter(|| TcpStream::connect_timeout(&to, patience))
    }

    /// Whether a datagram to the address is echoed in time.
    pub fn udp(&self, to: SocketAddr, patience: Duration) -> bool {
        self.enter(|| {
            let any: SocketAddr = if to.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
            let Ok(socket) = UdpSocket::bind(any) else { return false };
            let mut buffer = [0; 16];
            socket.set_read_timeout(Some(patience)).is_ok()
                && socket.connect(to).is_ok()
                && socket.send(b"probe").is_ok()
                && socket.recv(&mut buffer).is_ok_and(|length| buffer.starts_with(b"probe") && length == 5)
        })
    }

    /// Whether the address answers an echo request within a second.
    pub fn ping(&self, to: IpAddr) -> bool {
        self.command("ping", &["-n", "-c", "1", "-W", "1", &to.to_string()]).status.success()
    }

    /// Echoes TCP and UDP at an address of the namespace, from that address.
    pub fn echo(&self, at: SocketAddr) -> Server {
        let (tcp, udp) = self.enter(|| (TcpListener::bind(at), UdpSocket::bind(at)));
        let tcp = tcp.unwrap_or_else(|e| panic!("tcp {at}: {e}"));
        let udp = udp.unwrap_or_else(|e| panic!("udp {at}: {e}"));
        let stop = Arc::new(AtomicBool::new(false));
        let threads = vec![echo_datagrams(udp, &stop), echo_streams(tcp, &stop)];
        Server { stop, threads }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A server that failed has failed its probes already.
            let _ended = thread.join();
        }
    }
}

fn echo_datagrams(socket: UdpSocket, stop: &Arc<AtomicBool>) -> JoinHandle<()> {
    let stop = Arc::clone(stop);
    socket.set_read_timeout(Some(POLL)).unwrap_or_else(|e| panic!("{e}"));
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while !stop.load(Ordering::Relaxed) {
            if let Ok((length, source)) = socket.recv_from(&mut buffer) {
                let _sent = socket.send_to(&buffer[..length], source);
            }
        }
    })
}

fn echo_streams(listener: TcpListener, stop: &Arc<AtomicBool>) -> JoinHandle<()> {
    let stop = Arc::clone(stop);
    listener.set_nonblocking(true).unwrap_or_else(|e| panic!("{e}"));
    std::thread::spawn(move || {
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
            std::thread::sleep(Duration::from_millis(1));
        }
    })
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// How soon a server notices that it is to end.
const POLL: Duration = Duration::from_millis(20);
