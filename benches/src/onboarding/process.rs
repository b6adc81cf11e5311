//! A server as a process of its own, and what the kernel says of it.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use sim::Process;

use crate::https::{Client, Pinned};

/// How long a server may take until it answers: one that has 100,000 vouchers verifies them first.
const START: Duration = Duration::from_secs(600);

/// A server of the product.
pub(crate) struct Server {
    process: Process,
    pub(crate) address: SocketAddr,
    pinned: Pinned,
    token: String,
    /// From the start of the process until it listened.
    pub(crate) started_in: Duration,
}

/// The program that this one was built beside.
pub(crate) fn sextant() -> Result<PathBuf> {
    Ok(std::env::current_exe().context("where this program is")?.with_file_name("sextant"))
}

/// An address of the loopback that nobody listens on now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr().context("a free port")
}

impl Server {
    /// Starts one with its data in a folder.
    pub(crate) fn start(folder: &Path, name: &str, listen: SocketAddr, arguments: &[&str]) -> Result<Self> {
        let (data, began) = (folder.join(name), Instant::now());
        let log = folder.join(format!("{name}.log"));
        // What an earlier process said is not for this one.
        let _absent = fs::remove_file(&log);
        let mut command = Command::new(sextant()?);
        command.env("NO_COLOR", "1").arg("up").arg("--data").arg(&data);
        command.args(["--listen", &listen.to_string(), "--period", "1s"]);
        command.args(["--onboarding-sessions-a-minute", NO_LIMIT, "--onboarding-sessions-at-once", NO_LIMIT]);
        command.args(arguments);
        let mut process = Process::start(name, command, folder)?;
        while !fs::read_to_string(&log).is_ok_and(|log| log.contains("listening on ")) {
            process.check()?;
            if began.elapsed() > START {
                bail!("{name} does not start: {}", process.tail());
            }
            thread::sleep(Duration::from_millis(5));
        }
        let started_in = began.elapsed();
        let read = |file: &str| fs::read(data.join(file)).with_context(|| format!("reading {file}"));
        let pinned = Pinned::new(listen, &read("tls/cert.pem")?)?;
        let token = String::from_utf8_lossy(&read("admin.token")?).trim().to_owned();
        Ok(Self { process, address: listen, pinned, token, started_in })
    }

    /// A connection of the administrator's.
    pub(crate) fn admin(&self) -> Result<Client> {
        self.pinned.connect(Some(&self.token))
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        Usage::of(self.process.id())
    }
}

/// A limit that nothing here comes near.
const NO_LIMIT: &str = "1000000";

/// What a process has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Seconds of processor time, inside and outside the kernel.
    pub(crate) cpu: f64,
    /// Bytes of memory in use.
    pub(crate) resident: u64,
    /// The most that it ever had in use.
    pub(crate) peak: u64,
}

impl Usage {
    /// What the kernel says of a process.
    pub(crate) fn of(id: u32) -> Result<Self> {
        let (stat, status) = (format!("/proc/{id}/stat"), format!("/proc/{id}/status"));
        let stat = fs::read_to_string(&stat).with_context(|| format!("reading {stat}"))?;
        // The name stands in brackets, and may hold any of them. Ticks are hundredths of a second on every Linux.
        let fields = stat.rsplit_once(')').context("no name")?.1;
        let ticks: Vec<f64> =
            fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        let status = fs::read_to_string(&status).with_context(|| format!("reading {status}"))?;
        let size = |name: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no size")?;
            let kibibytes: u64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse()?;
            Ok(kibibytes * 1024)
        };
        Ok(Self { cpu: ticks.iter().sum::<f64>() / 100.0, resident: size("VmRSS")?, peak: size("VmHWM")? })
    }
}
