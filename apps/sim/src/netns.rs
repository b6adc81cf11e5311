//! Virtual networks: namespaces and the links between them, for demonstrations and tests that need root.
//!
//! Everything is called after the process, and is removed when its [`Network`] is dropped. What a process left that could
//! not tidy up is removed when the next network is made.

use std::{
    fs::{self, File},
    io,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use rustix::{
    process::{Pid, Signal, kill_process},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use crate::echo::{self, EchoServer};
use crate::icmp;

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

/// Whether this process may make virtual networks: it is root, and the programs that make them are there.
pub fn is_possible() -> bool {
    let starts = |program: &str| {
        let mut asked = Command::new(program);
        asked.arg("-V").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        asked.status().is_ok_and(|status| status.success())
    };
    rustix::process::geteuid().is_root() && ["ip", "nft", "bridge"].into_iter().all(starts)
}

/// Where named namespaces are.
const SPACES: &str = "/run/netns";
/// Files that a namespace has in place of those of the machine.
const FILES: &str = "/etc/netns";
/// First letters of every name.
const MARK: &str = "sx";

impl Network {
    /// An empty network, after removing what ended processes left behind. Needs root.
    pub fn new() -> io::Result<Self> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        if !rustix::process::geteuid().is_root() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "network namespaces need root"));
        }
        remove_stale();
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        Ok(Self { prefix: format!("{MARK}{}-{serial}", std::process::id()), spaces: Vec::new() })
    }

    /// Adds a namespace with its loopback up and without duplicate address detection.
    pub fn add(&mut self, name: &str) -> io::Result<Namespace> {
        let space = Namespace { name: format!("{}-{name}", self.prefix) };
        run(Command::new("ip").args(["netns", "add", &space.name]))?;
        self.spaces.push(space.clone());
        space.sysctl("net.ipv6.conf.default.accept_dad", "0")?;
        space.sysctl("net.ipv6.conf.all.accept_dad", "0")?;
        space.ip("link set lo up")?;
        Ok(space)
    }

    /// Joins two namespaces by a pair of links, which come up.
    pub fn link(&self, a: (&Namespace, &str), b: (&Namespace, &str)) -> io::Result<()> {
        let (a_name, b_name) = (&a.0.name, &b.0.name);
        let line = format!("link add {} netns {a_name} type veth peer name {} netns {b_name}", a.1, b.1);
        run(Command::new("ip").args(line.split(' ')))?;
        a.0.ip(&format!("link set {} up", a.1))?;
        b.0.ip(&format!("link set {} up", b.1))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for space in &self.spaces {
            remove(&space.name);
        }
    }
}

impl Namespace {
    /// Its name, as `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs something on a thread in the namespace. Sockets, threads and children made there belong to it.
    ///
    /// # Panics
    /// When the namespace is gone, which it is not before its [`Network`] is dropped; and when `act` does.
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let outcome = thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.open()
                    .and_then(|space| move_in(&space))
                    .expect("a namespace lasts as long as its network");
                act()
            });
            thread.join()
        });
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// The same on a thread that goes on by itself.
    pub fn spawn(&self, act: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let space = self.open()?;
        thread::Builder::new()
            .spawn(move || {
                if move_in(&space).is_ok() {
                    act();
                }
            })
            .map(drop)
    }

    /// A command that runs in the namespace, with the files it has in place of the machine's.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program.as_ref()).stdin(Stdio::null());
        command
    }

    /// Runs a command in the namespace to its end.
    pub fn output(&self, program: &str, arguments: &[&str]) -> io::Result<Output> {
        self.command(program).args(arguments).output()
    }

    /// `ip <line>` in the namespace.
    pub fn ip(&self, line: &str) -> io::Result<()> {
        run(Command::new("ip").args(["-n", &self.name]).args(line.split(' ')))
    }

    /// Sets a kernel parameter of the namespace.
    pub fn sysctl(&self, key: &str, value: &str) -> io::Result<()> {
        let path = PathBuf::from("/proc/sys").join(key.replace('.', "/"));
        self.enter(|| fs::write(&path, value))
            .map_err(|error| io::Error::new(error.kind(), format!("{key}: {error}")))
    }

    /// Gives the namespace its own name server.
    pub fn use_resolver(&self, address: IpAddr) -> io::Result<()> {
        let folder = Path::new(FILES).join(&self.name);
        fs::create_dir_all(&folder)?;
        let text = format!("nameserver {address}\noptions timeout:1 attempts:2\n");
        fs::write(folder.join("resolv.conf"), text)
    }

    /// A bridge whose ports do not hear each other: what they say to each other has to be routed.
    pub fn add_bridge(&self, name: &str, mac: &str) -> io::Result<()> {
        self.ip(&format!("link add {name} address {mac} type bridge mcast_snooping 0"))?;
        self.ip(&format!("link set {name} up"))?;
        self.sysctl(&format!("net.ipv4.conf.{name}.proxy_arp_pvlan"), "1")?;
        self.sysctl(&format!("net.ipv4.conf.{name}.send_redirects"), "0")
    }

    /// Makes a link an isolated port of a bridge.
    pub fn enslave(&self, port: &str, bridge: &str) -> io::Result<()> {
        self.ip(&format!("link set {port} master {bridge}"))?;
        run(Command::new("bridge").args(["-n", &self.name, "link", "set", "dev", port, "isolated", "on"]))
    }

    /// A TCP connection from the namespace.
    pub fn connect(&self, to: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
        self.enter(|| TcpStream::connect_timeout(&to, patience))
    }

    /// Whether a TCP connection to the address is accepted in time.
    pub fn tcp(&self, to: SocketAddr, patience: Duration) -> bool {
        self.connect(to, patience).is_ok()
    }

    /// Whether a datagram to the address is echoed in time.
    pub fn udp(&self, to: SocketAddr, patience: Duration) -> bool {
        self.enter(|| echo::is_echoed(to, patience))
    }

    /// Whether the address answers an echo request within a second.
    pub fn ping(&self, to: IpAddr) -> bool {
        self.enter(|| icmp::answers(to, Duration::from_secs(1))).unwrap_or(false)
    }

    /// Echoes TCP and UDP at an address of the namespace, from that address.
    pub fn echo(&self, at: SocketAddr) -> io::Result<EchoServer> {
        let sockets = self.enter(|| io::Result::Ok((TcpListener::bind(at)?, UdpSocket::bind(at)?)));
        let (tcp, udp) = sockets?;
        EchoServer::start(tcp, udp)
    }

    fn open(&self) -> io::Result<File> {
        File::open(Path::new(SPACES).join(&self.name))
    }
}

fn move_in(space: &File) -> io::Result<()> {
    Ok(move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))?)
}

/// Removes namespaces whose maker no longer lives.
fn remove_stale() {
    let Ok(entries) = fs::read_dir(SPACES) else { return };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let maker =
            name.strip_prefix(MARK).and_then(|rest| rest.split('-').next()).and_then(|pid| pid.parse().ok());
        let is_gone = |pid: u32| !Path::new("/proc").join(pid.to_string()).exists();
        if maker.is_some_and(is_gone) {
            remove(&name);
        }
    }
}

/// Ends what still runs in a namespace and removes it. What is gone already is as wanted.
fn remove(name: &str) {
    if let Ok(output) = Command::new("ip").args(["netns", "pids", name]).output() {
        let pids = String::from_utf8_lossy(&output.stdout);
        for pid in pids.lines().filter_map(|line| Pid::from_raw(line.trim().parse().ok()?)) {
            let is_us = pid.as_raw_nonzero().get().unsigned_abs() == std::process::id();
            if !is_us {
                let _gone = kill_process(pid, Signal::KILL);
            }
        }
    }
    let _gone = Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status();
    let _gone = fs::remove_dir_all(Path::new(FILES).join(name));
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{command:?}: {}", said.trim())))
}
