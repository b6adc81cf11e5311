//! Many vouchers: how long they take to come in, how much memory they take, and how fast they are registered.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use crypto::PublicKey;
use serde_json::Value;
use tempfile::TempDir;

use super::{
    process::{Server, free_address},
    stock::{self, Factory, Waiting},
};
use crate::{
    Effort,
    report::{Row, Section},
    sample::rate,
};

/// Vouchers in one file.
const FILE: usize = 5_000;
/// How long registering may take.
const PATIENCE: Duration = Duration::from_secs(1200);

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let count: usize = effort.of(2_000, 100_000);
    let folder = tempfile::tempdir().context("making a folder")?;
    let factory = Factory::new()?;
    let manufacturer = public_file(&folder, "manufacturer.pem", factory.key.public_key())?;
    let arguments = ["--manufacturer", &manufacturer];
    let listen = free_address()?;
    let server = Server::start(folder.path(), "server", listen, &arguments)?;
    let empty = server.usage()?;
    let began = Instant::now();
    // Devices that come by themselves: registering is measured elsewhere.
    let stock = factory.make("stored", count, &stock::rendezvous(listen, true), &owner_key(&server)?)?;
    let made_in = began.elapsed();
    let size = stock.iter().map(|device| device.voucher.len()).sum::<usize>() / count;

    let (before, began) = (server.usage()?, Instant::now());
    import(&server, &stock)?;
    let (took, imported) = (began.elapsed().as_secs_f64(), server.usage()?);
    drop(stock);
    drop(server);
    let server = Server::start(folder.path(), "server", listen, &arguments)?;
    let again = server.usage()?;
    // What a server has once it has also answered something.
    let listed = list(&server, "devices?limit=1000")?;
    ensure!(listed.len() == count.min(1000), "{} devices are listed", listed.len());
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let per = |bytes: u64, than: u64| bytes.saturating_sub(than) / count as u64;
    let rows = vec![
        Row {
            what: format!("import of {count} vouchers of {size} bytes, {FILE} in a file"),
            figure: format!("{}, {took:.1} s", rate(count as f64 / took)),
            beside: format!(
                "{:.2} ms of the server's processor each; a thread of this program makes and sells one in {:.2} ms",
                (imported.cpu - before.cpu) * 1000.0 / count as f64,
                made_in.as_secs_f64() * 1000.0 / count as f64
            ),
            budget: None,
        },
        Row {
            what: format!("memory of the server with {count} vouchers, after it was started again"),
            figure: format!(
                "{:.0} MiB resident, {} bytes a voucher",
                mib(again.resident),
                per(again.resident, empty.resident)
            ),
            beside: format!(
                "without any: {:.0} MiB; the most while it started: {:.0} MiB; after the import, before: {:.0} MiB",
                mib(empty.resident),
                mib(again.peak),
                mib(imported.resident)
            ),
            budget: None,
        },
        Row {
            what: format!("start with {count} vouchers, each verified"),
            figure: format!(
                "{:.2} s until it listens, {} verified",
                server.started_in.as_secs_f64(),
                rate(count as f64 / server.started_in.as_secs_f64())
            ),
            beside: format!("{:.2} s of its processor by then", again.cpu),
            budget: None,
        },
    ];
    Ok(Section::new("Many vouchers", STORED, rows))
}

pub(crate) fn measure_registration(effort: Effort) -> Result<Section> {
    let count: usize = effort.of(500, 10_000);
    let folder = tempfile::tempdir().context("making a folder")?;
    let factory = Factory::new()?;
    let manufacturer = public_file(&folder, "manufacturer.pem", factory.key.public_key())?;
    let rendezvous = Server::start(
        folder.path(),
        "rendezvous",
        free_address()?,
        &["--role", "rendezvous", "--role", "manage", "--rendezvous-manufacturer", &manufacturer],
    )?;
    let listen = free_address()?;
    // Its keys are made on its first run; the vouchers come while it does not onboard, so that all are due when it does again.
    let as_owner = ["--role", "owner", "--role", "manage", "--manufacturer", &manufacturer];
    let first = Server::start(folder.path(), "owner", listen, &as_owner)?;
    let owner = owner_key(&first)?;
    drop(first);
    let owner_file = public_file(&folder, "owner.pem", &owner)?;
    let as_store = ["--role", "manage", "--manufacturer", &manufacturer, "--owner-key", &owner_file];
    let store = Server::start(folder.path(), "owner", listen, &as_store)?;
    let stock = factory.make("registered", count, &stock::rendezvous(rendezvous.address, false), &owner)?;
    import(&store, &stock)?;
    drop(store);

    let owner = Server::start(folder.path(), "owner", listen, &as_owner)?;
    let (began, owner_before, rendezvous_before) = (Instant::now(), owner.usage()?, rendezvous.usage()?);
    loop {
        thread::sleep(Duration::from_millis(500));
        let last = registered(&rendezvous)?;
        if last >= count {
            break;
        }
        if began.elapsed() > PATIENCE {
            bail!("only {last} of {count} are registered");
        }
    }
    let took = began.elapsed().as_secs_f64();
    let (owner_after, rendezvous_after) = (owner.usage()?, rendezvous.usage()?);
    let per = |after: f64, before: f64| (after - before) * 1000.0 / count as f64;
    let row = Row {
        what: format!("TO0 for {count} vouchers, all due at once, by the server's own reconciler"),
        figure: format!("{}, {took:.1} s", rate(count as f64 / took)),
        beside: format!(
            "{:.2} ms of the owner's processor each, {:.2} ms of the rendezvous server's; {:.2} s to start with them",
            per(owner_after.cpu, owner_before.cpu),
            per(rendezvous_after.cpu, rendezvous_before.cpu),
            owner.started_in.as_secs_f64()
        ),
        budget: None,
    };
    Ok(Section::new("Registering many devices", REGISTERED, vec![row]))
}

/// The owner's key for devices on P-256.
pub(super) fn owner_key(server: &Server) -> Result<PublicKey> {
    let keys = server.admin()?.send("GET", "/api/v1/onboarding/keys", "", b"", 200)?;
    let keys: api::OnboardingKeys = serde_json::from_slice(&keys)?;
    let pem = keys.owner.first().context("no key of an owner")?;
    let blocks = x509::pem::decode(pem).ok().context("no PEM")?;
    PublicKey::from_spki_der(&blocks.first().context("no key in PEM")?.der).ok().context("not a key")
}

/// Imports vouchers in files, each of which must be taken.
pub(super) fn import(server: &Server, stock: &[Waiting]) -> Result<()> {
    let mut admin = server.admin()?;
    for part in stock.chunks(FILE) {
        let file = stock::file_of(part);
        let report = admin.send("POST", "/api/v1/onboarding/vouchers", api::VOUCHER, file.as_bytes(), 200)?;
        let report: Vec<api::VoucherImport> = serde_json::from_slice(&report)?;
        let added = report.iter().filter(|row| row.outcome == "added").count();
        ensure!(added == part.len(), "{added} of {} were added: {:?}", part.len(), report.first());
    }
    Ok(())
}

fn list(server: &Server, what: &str) -> Result<Vec<Value>> {
    let page = server.admin()?.send("GET", &format!("/api/v1/onboarding/{what}"), "", b"", 200)?;
    serde_json::from_slice(&page).context("a list")
}

/// How many devices a rendezvous server remembers.
fn registered(server: &Server) -> Result<usize> {
    let (mut count, mut after) = (0, String::new());
    loop {
        let page = list(server, &format!("redirects?limit=1000{after}"))?;
        count += page.len();
        match page.last().and_then(|last| last["guid"].as_str()) {
            Some(last) if page.len() == 1000 => after = format!("&after={last}"),
            _ => return Ok(count),
        }
    }
}

pub(super) fn public_file(folder: &TempDir, name: &str, key: &PublicKey) -> Result<String> {
    write(folder.path(), name, &x509::pem::encode("PUBLIC KEY", &key.to_spki_der()))
}

pub(super) fn write(folder: &Path, name: &str, text: &str) -> Result<String> {
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("writing {name}"))?;
    path.into_os_string().into_string().ok().context("a path that is no text")
}

const STORED: &str = "`sextant up` as a process of its own. Vouchers are made here, each of another device key, with one entry and a chain of \
    two certificates, and imported over the API: each is verified and stored in a transaction of its own with its audit record, and its \
    device expected. Then the server is stopped and started again with them; it verifies every stored voucher before it listens. Memory \
    and processor time are the kernel's figures of the process.";

const REGISTERED: &str = "Two processes of `sextant up` with stores of their own, an owner and a rendezvous server. The vouchers are imported \
    while the first is no owner, so that all are due when it is started as one. Timed is from when it listens until the rendezvous server \
    remembers the last; it is asked twice a second. Each registration has a connection of its own over TLS 1.3, sixteen at once, and the voucher \
    is verified on both sides.";
