//! The application that the demonstration's devices run: it starts the flows that its image names, over and over.
//!
//! It is an ordinary program without privileges; what it may reach is for the network to decide. Each try is one line of
//! JSON on standard output.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is its log")]

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream, ToSocketAddrs as _, UdpSocket},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use sextant_sim::{AppFlow, app_settings};

/// How long a try may take.
const PATIENCE: Duration = Duration::from_millis(1500);

fn main() -> ExitCode {
    let settings = std::fs::read("/proc/self/exe").and_then(|image| app_settings(&image));
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("sextant-sim-app: {error}");
            return ExitCode::from(2);
        }
    };
    println!(
        "{}",
        serde_json::json!({ "event": "started", "product": settings.product, "version": settings.version })
    );
    let workers: Vec<_> =
        settings.flows.into_iter().map(|flow| thread::spawn(move || repeat(&flow))).collect();
    for worker in workers {
        if worker.join().is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn repeat(flow: &AppFlow) {
    loop {
        let begun = Instant::now();
        let outcome = match start(flow) {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.to_string(),
        };
        let line = serde_json::json!({
            "event": "flow", "protocol": flow.protocol, "host": flow.host, "port": flow.port,
            "outcome": outcome, "ms": begun.elapsed().as_millis() as u64,
        });
        // Whoever reads the log may be gone; the work goes on.
        let _ = writeln!(io::stdout(), "{line}");
        thread::sleep(Duration::from_millis(flow.every_ms).saturating_sub(begun.elapsed()));
    }
}

/// One exchange: a word out, a word back.
fn start(flow: &AppFlow) -> io::Result<()> {
    let addresses: Vec<SocketAddr> = (flow.host.as_str(), flow.port).to_socket_addrs()?.collect();
    let address = *addresses.first().ok_or(io::ErrorKind::NotFound)?;
    let mut answer = [0; 64];
    if flow.protocol == "udp" {
        let any: SocketAddr =
            if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(any)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.send_to(b"ping", address)?;
        socket.recv(&mut answer)?;
    } else {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"ping\n")?;
        if stream.read(&mut answer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}
