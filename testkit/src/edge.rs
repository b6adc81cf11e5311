//! A FreeRADIUS and a hostapd of its own for one test.

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::skipped;

/// FreeRADIUS on the loopback: an access server that takes changes and writes down what it is told, and a server that access
/// servers ask.
#[derive(Debug)]
pub struct FreeRadius {
    child: Child,
    folder: TempDir,
    /// Where access servers ask.
    pub authentication: SocketAddr,
    /// Where changes are taken.
    pub dynamic: SocketAddr,
}

impl FreeRadius {
    /// What it and its clients know.
    pub const SECRET: &str = "a secret of this test alone";

    /// Starts one in a network namespace, or in this one, with entries of its `authorize` file; or says aloud that it cannot be
    /// had. The device of the MAC address `stranger`, as RADIUS writes it, has no session.
    pub fn start(space: Option<&str>, authorize: &str, stranger: &str) -> Option<Self> {
        let program = find("freeradius")?;
        let folder = tempfile::tempdir().expect("a folder");
        let (authentication, dynamic) = (free_port(), free_port());
        let path = folder.path();
        let write = |name: &str, text: &str| std::fs::write(path.join(name), text).expect("writing");
        write("authorize", authorize);
        write("dictionary", "");
        write("radiusd.conf", &configuration(path, authentication, dynamic, stranger));
        let log = std::fs::File::create(path.join("log")).expect("a log");
        let child = inside(space, &program)
            .args(["-f", "-l", "stdout", "-d"])
            .arg(path)
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .expect("starting freeradius");
        let mut started = Self { child, folder, authentication, dynamic };
        let begin = Instant::now();
        while !started.log().contains("Ready to process requests") {
            let ended = started.child.try_wait().expect("its status").is_some();
            assert!(!ended && begin.elapsed() < PATIENCE, "freeradius is not ready:\n{}", started.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(started)
    }

    /// Asks as an access server does for a device; gives what `radclient` prints.
    pub fn ask(&self, station: &str) -> String {
        let mut asked = Command::new("/usr/bin/radclient")
            .args(["-x", "-t", "5", "-r", "1", &self.authentication.to_string(), "auth", Self::SECRET])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starting radclient");
        let request = format!("User-Name=camera,Calling-Station-Id={station},Message-Authenticator=0x00\n");
        let mut stdin = asked.stdin.take().expect("its input");
        std::io::Write::write_all(&mut stdin, request.as_bytes()).expect("asking");
        drop(stdin);
        String::from_utf8(asked.wait_with_output().expect("its end").stdout).expect("text")
    }

    /// What it read in the requests for changes.
    pub fn read(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("detail")).unwrap_or_default()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for FreeRadius {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Sessions are those of every device but one; what arrives is written down.
fn configuration(path: &Path, authentication: SocketAddr, dynamic: SocketAddr, stranger: &str) -> String {
    let (path, secret) = (path.display(), FreeRadius::SECRET);
    format!(
        r#"
logdir = {path}
run_dir = {path}
libdir = /usr/lib/freeradius
max_request_time = 30
cleanup_delay = 5
max_requests = 1024
security {{ max_attributes = 200 }}
client local {{ ipaddr = 127.0.0.1, secret = "{secret}", require_message_authenticator = yes }}
thread pool {{ start_servers = 1, max_servers = 2, min_spare_servers = 1, max_spare_servers = 1 }}
modules {{
    files {{ filename = {path}/authorize }}
    detail {{ filename = {path}/detail }}
    always reject {{ rcode = reject }}
    always ok {{ rcode = ok }}
}}
server answers {{
    listen {{ type = auth, ipaddr = 127.0.0.1, port = {} }}
    authorize {{
        files
    }}
    authenticate {{
    }}
}}
server takes-changes {{
    listen {{ type = coa, ipaddr = 127.0.0.1, port = {} }}
    recv-coa {{
        detail
        if (Calling-Station-Id == "{stranger}") {{
            update reply {{
                Error-Cause := Session-Context-Not-Found
            }}
            reject
        }}
        ok
    }}
    send-coa {{
        ok
    }}
}}
"#,
        authentication.port(),
        dynamic.port()
    )
}

/// hostapd without a radio: its control socket and its lists are the same.
#[derive(Debug)]
pub struct Hostapd {
    child: Child,
    _folder: TempDir,
    /// Its control socket.
    pub socket: PathBuf,
}

impl Hostapd {
    /// Starts one in a network namespace, or in this one; or says aloud that it cannot be had.
    pub fn start(space: Option<&str>) -> Option<Self> {
        let program = find("hostapd")?;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let control = path.join("control");
        let configuration = format!(
            "interface=wlan-none\ndriver=none\nctrl_interface={}\nssid=test\nmacaddr_acl=0\n",
            control.display()
        );
        std::fs::write(path.join("hostapd.conf"), configuration).expect("writing");
        let child = inside(space, &program)
            .arg(path.join("hostapd.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starting hostapd");
        let started = Self { child, _folder: folder, socket: control.join("wlan-none") };
        let begin = Instant::now();
        while !started.socket.exists() {
            assert!(begin.elapsed() < PATIENCE, "hostapd has no control socket");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(started)
    }
}

impl Drop for Hostapd {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let found = ["/usr/sbin", "/usr/bin"].map(|folder| Path::new(folder).join(program));
    let found = found.into_iter().find(|path| path.exists());
    if found.is_none() {
        skipped(format_args!("no `{program}` (make setup installs it)"));
    }
    found
}

/// A program in a network namespace. `ip netns exec` becomes the program, so that ending it ends that.
fn inside(space: Option<&str>, program: &Path) -> Command {
    match space {
        Some(space) => {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", space]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// A port of the loopback that nobody listens on.
fn free_port() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("its address")
}

const PATIENCE: Duration = Duration::from_secs(20);
