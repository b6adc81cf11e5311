use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use api::Voucher as Listed;
use clap::{Args, Subcommand};
use fdo::{DeviceChain, Key};
use trust::Code;
use ureq::http::Method;

use crate::{
    client::{ServerArgs, segment, tree as shown},
    clock,
    commands::coswid::chain,
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    keys,
    node::{Map, Node},
    printer::{Printer, Verdict},
    show,
};

/// Check, extend and keep ownership vouchers (FIDO Device Onboard 1.1).
#[derive(Debug, Subcommand)]
pub(crate) enum Voucher {
    /// Show vouchers as they are, whoever vouches for them
    Inspect(Inspect),
    /// Check everything that leads from the manufacturer to the owner
    Verify(Verify),
    /// Give a device to the next owner
    Extend(Extend),
    /// Give every voucher of a file to the server
    Import(Import),
    /// List the vouchers of the server
    #[command(alias = "list")]
    Ls(ServerArgs),
    /// Show one of them
    Show(One),
    /// Fetch one as it was received
    Fetch(Fetch),
    /// Take one away, and with it the key that the device attests with
    Delete(One),
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The vouchers, encoded or in PEM
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The voucher, encoded or in PEM
    file: PathBuf,
    /// Key that must be the owner's, in any form
    #[arg(long, value_name = "PUB")]
    owner: Option<PathBuf>,
    /// Key that must be the manufacturer's, in any form; repeatable
    #[arg(long, value_name = "PUB")]
    manufacturer: Vec<PathBuf>,
    /// Certificate from which that of the device must descend; repeatable
    #[arg(long = "anchor", value_name = "CERT")]
    anchors: Vec<PathBuf>,
    /// As of this time; now without it
    #[arg(long, value_name = "TIME", value_parser = clock::parse_time)]
    at: Option<i64>,
}

#[derive(Debug, Args)]
pub(crate) struct Extend {
    /// The voucher, encoded or in PEM
    file: PathBuf,
    /// Public key of the next owner, of the manufacturer's type
    #[arg(long, value_name = "PUB")]
    to: PathBuf,
    /// Private key of the present owner
    #[arg(long)]
    key: PathBuf,
    /// Where to write the voucher: encoded when the name ends in `.cbor`, else PEM
    #[arg(short, long, alias = "out", value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The vouchers, encoded or in PEM
    file: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// GUID of the device
    guid: String,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Fetch {
    #[command(flatten)]
    one: One,
    /// Where to write it
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn run(command: Voucher, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Voucher::Inspect(Inspect { file }) => {
            printer.show(&tree(&Input::read(&file)?.binary())?.into());
            Ok(Answer::Yes)
        }
        Voucher::Verify(command) => verify(&command, printer),
        Voucher::Extend(command) => extend(&command, printer),
        Voucher::Import(command) => import(&command, printer),
        Voucher::Ls(server) => server.client()?.get::<Vec<Listed>>(VOUCHERS)?.answer(printer, |vouchers| {
            let rows: Vec<_> = vouchers.iter().map(row).collect();
            printer.table(&["guid", "device", "entries", "owner", "state"], &rows, &vouchers);
            Ok(Answer::Yes)
        }),
        Voucher::Show(One { guid, server }) => {
            server.client()?.get::<Listed>(&below(&guid))?.answer(printer, |voucher| {
                printer.show(&shown(&voucher));
                Ok(Answer::Yes)
            })
        }
        Voucher::Fetch(Fetch { one: One { guid, server }, output }) => {
            server.client()?.download(&format!("{}/object", below(&guid)))?.answer(printer, |bytes| {
                files::write(&output, &bytes, Mode::Public, printer)?;
                Ok(Answer::Yes)
            })
        }
        Voucher::Delete(One { guid, server }) => server
            .client()?
            .send::<()>(Method::DELETE, &below(&guid), &())?
            .answer(printer, |()| Ok(Answer::Yes)),
    }
}

/// Every voucher of a file as a tree.
pub(crate) fn tree(input: &Input) -> Result<Map, Failure> {
    let vouchers = vouchers(input)?;
    let trees = vouchers.iter().map(|bytes| Ok(show::voucher::tree(&decode(input, bytes)?)));
    let mut trees = trees.collect::<Result<Vec<_>, Failure>>()?;
    Ok(match trees.len() {
        1 => trees.swap_remove(0),
        _ => Map::new().with("kind", "ownership vouchers").with("vouchers", trees),
    })
}

fn verify(command: &Verify, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?.binary();
    let bytes = one(&input)?;
    let voucher = decode(&input, &bytes)?;
    let anchors = keys::read_all_certificates(&command.anchors)?;
    let device_chain = match anchors.as_slice() {
        [] => DeviceChain::OfManufacturer,
        anchors => DeviceChain::Anchored { anchors, now: command.at.unwrap_or_else(clock::now) },
    };
    let owners = keys::read_voucher_keys(command.owner.as_slice())?;
    let manufacturers = keys::read_voucher_keys(&command.manufacturer)?;
    let verified = match voucher.verify(device_chain) {
        Ok(verified) => verified,
        Err(error) => return Ok(printer.answer(Verdict::no(error.code(), chain(&error)))),
    };
    let is_one_of = |keys: &[Key], key: &fdo::PublicKey| keys.is_empty() || keys.contains(key.key());
    let facts = show::voucher::header(verified.header())
        .with("entries", verified.entries())
        .with("owner", show::voucher::key(verified.owner()))
        .with(
            "device_key",
            Node::shown(cose::thumbprint(verified.device_key(), crypto::HashAlgorithm::Sha256)),
        );
    let verdict = if !is_one_of(&manufacturers, &verified.header().manufacturer) {
        Verdict::no(Code::VoucherUnknownManufacturer.as_str(), "another manufacturer made the device")
    } else if !is_one_of(&owners, verified.owner()) {
        Verdict::no(Code::VoucherNotOurs.as_str(), "the device is somebody else's")
    } else if manufacturers.is_empty() {
        Verdict::yes("signed by whoever holds the manufacturer's key in it, and by each owner but the last")
    } else {
        Verdict::yes("signed by the manufacturer, and by each owner but the last")
    };
    Ok(printer.answer(verdict.with(facts)))
}

fn extend(command: &Extend, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?.binary();
    let bytes = one(&input)?;
    let voucher = decode(&input, &bytes)?;
    let next = keys::read_voucher_key(&command.to)?;
    let key = keys::read_owner_key(&command.key)?;
    let extended = match voucher.extend(&next).and_then(|extension| extension.sign(&*key)) {
        Ok(extended) => extended,
        Err(error) => return Ok(printer.answer(Verdict::no(error.code(), chain(&error)))),
    };
    write(&command.output, extended, printer)?;
    printer.note(format_args!("device {} is of {}", voucher.header().guid, keys::short(&next.thumbprint())));
    Ok(Answer::Yes)
}

/// Writes a voucher: encoded when the name ends in `.cbor`, else in PEM.
pub(crate) fn write(path: &Path, voucher: Vec<u8>, printer: &Printer) -> Result<(), Failure> {
    let is_encoded = path.extension().is_some_and(|extension| extension == "cbor");
    let bytes = match is_encoded {
        true => voucher,
        false => x509::pem::encode(fdo::PEM_LABEL, &voucher).into_bytes(),
    };
    files::write(path, &bytes, Mode::Public, printer)
}

/// Each for itself: one that the server refuses does not keep the others back.
fn import(command: &Import, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?.binary();
    let client = command.server.client()?;
    let mut answer = Answer::Yes;
    for bytes in vouchers(&input)? {
        let reply = client.upload::<Listed>(Method::POST, VOUCHERS, api::VOUCHER, &bytes)?;
        let told = reply.answer(printer, |voucher| {
            printer.show(&shown(&voucher));
            Ok(Answer::Yes)
        })?;
        if told == Answer::No {
            answer = Answer::No;
        }
    }
    Ok(answer)
}

const VOUCHERS: &str = "/api/v1/vouchers";

fn below(guid: &str) -> String {
    format!("{VOUCHERS}/{}", segment(guid))
}

fn row(voucher: &Listed) -> Vec<String> {
    vec![
        voucher.guid.clone(),
        voucher.device.clone(),
        voucher.entries.to_string(),
        voucher.owner.clone().unwrap_or_default(),
        if voucher.holds { "holds" } else { "does not hold" }.to_owned(),
    ]
}

fn vouchers(input: &Input) -> Result<Vec<Cow<'_, [u8]>>, Failure> {
    fdo::vouchers_of_file(&input.bytes)
        .map_err(|error| Failure::new(format!("{}: no vouchers", input.name)).because(&error))
}

/// The one voucher of a file.
pub(crate) fn one(input: &Input) -> Result<Cow<'_, [u8]>, Failure> {
    let mut all = vouchers(input)?;
    match all.len() {
        1 => Ok(all.swap_remove(0)),
        count => {
            Err(Failure::new(format!("{} holds {count} vouchers", input.name)).help("give one at a time"))
        }
    }
}

pub(crate) fn decode<'b>(input: &Input, bytes: &'b [u8]) -> Result<fdo::Voucher<'b>, Failure> {
    fdo::Voucher::decode(bytes).map_err(|error| {
        let what = format!("{}: not an ownership voucher that is understood [{}]", input.name, error.code());
        Failure::in_bytes(what, bytes, &error)
    })
}
