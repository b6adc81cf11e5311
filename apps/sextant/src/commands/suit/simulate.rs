use std::path::PathBuf;

use clap::{Args, ValueEnum};
use cose::{DecryptionKey, DecryptionKeys};
use suit::{AuthorityList, Envelope, Installed, Procedure, Processor, Refusal, Uuid, VendorId, Verified};

use super::verify::{Believed, Secrets, verify};
use crate::{
    clock,
    commands::authority,
    compose::values,
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    keys::KeyFile,
    legacy::LegacyBelieved,
    node::{Map, Node},
    printer::{Printer, Verdict},
    show,
    virtual_device::VirtualDevice,
};

/// Process a release on a device in memory.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The envelope
    file: PathBuf,
    #[command(flatten)]
    believed: Believed,
    #[command(flatten)]
    secrets: Secrets,
    #[command(flatten)]
    legacy: LegacyBelieved,
    /// What to do, in this order; repeatable
    #[arg(long, default_values = ["update", "invocation"])]
    procedure: Vec<ProcedureName>,
    /// Vendor of the device: a domain name or a UUID; that of the release without it
    #[arg(long, value_name = "DOMAIN|UUID")]
    vendor: Option<String>,
    /// Class of the device: a name below the vendor, or a UUID; that of the release without it
    #[arg(long, value_name = "NAME|UUID")]
    class: Option<String>,
    /// UUID of the device
    #[arg(long, value_name = "UUID")]
    device: Option<String>,
    /// Slot that the components stand for
    #[arg(long)]
    slot: Option<u64>,
    /// Sequence number of what is installed
    #[arg(long, value_name = "N")]
    installed: Option<u64>,
    /// Version of what is installed: of all components, or of one as `app=1.2.3`; repeatable
    #[arg(long = "version", value_name = "[COMPONENT=]VERSION")]
    versions: Vec<String>,
    /// What a component holds before, such as `app=old.bin`; repeatable
    #[arg(long = "content", value_name = "COMPONENT=FILE", value_parser = served)]
    contents: Vec<(String, PathBuf)>,
    /// A component that the device has beside those that the release names, such as one of its dependencies; repeatable
    #[arg(long = "component", value_name = "COMPONENT")]
    components: Vec<String>,
    /// Key of the device that decrypts; repeatable
    #[arg(long = "decrypt-key", value_name = "KEY")]
    decryption_keys: Vec<PathBuf>,
    /// Bytes that a component can hold
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    capacity: u64,
    /// Energy in the battery, in mWh
    #[arg(long, value_name = "MWH")]
    battery: Option<u64>,
    /// The least urgent priority of update that the application lets pass
    #[arg(long, value_name = "PRIORITY", allow_negative_numbers = true)]
    authorize: Option<i64>,
    /// Time on the device's clock; now without it
    #[arg(long, value_name = "TIME", value_parser = clock::parse_time)]
    at: Option<i64>,
    /// A file to serve under a URI, such as `https://x.example/app=app.bin`; repeatable
    #[arg(long = "serve", value_name = "URI=FILE", value_parser = served)]
    served: Vec<(String, PathBuf)>,
    /// Where to write the SUIT report of the last procedure
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Private key of the device that signs the report; without one it is written bare
    #[arg(long, value_name = "KEY", requires = "report")]
    report_key: Option<PathBuf>,
}

/// Procedures on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProcedureName {
    /// Obtain and install, then validate
    Update,
    /// Obtain only
    Staging,
    /// Install what was obtained, then validate
    Installation,
    /// Check what is installed
    Validation,
    /// Check, load and start what is installed
    Invocation,
    /// Remove what is installed
    Uninstallation,
}

pub(crate) fn run(command: &Simulate, printer: &Printer) -> Result<Answer, Failure> {
    if command.legacy.is_on() {
        return old_release(command, printer);
    }
    let input = Input::read(&command.file)?;
    let envelope = super::decode(&input)?;
    match verify(&command.believed, &command.secrets, &envelope)? {
        Ok(verified) => {
            simulate(command, &verified, command.believed.of_dependencies(&command.secrets)?, printer)
        }
        Err(refusal) => Ok(printer.answer(Verdict::no(refusal.code(), &refusal))),
    }
}

/// A release of an older draft, put into the terms of today after it was verified in its own.
fn old_release(command: &Simulate, printer: &Printer) -> Result<Answer, Failure> {
    let bytes = match command.legacy.verified_conversion(&command.file)? {
        Ok(bytes) => bytes,
        Err(refusal) => return Ok(printer.answer(refusal)),
    };
    let refused = |refusal: Refusal| Ok(printer.answer(Verdict::no(refusal.code(), &refusal)));
    let envelope = match Envelope::decode(&bytes) {
        Ok(envelope) => envelope,
        Err(error) => return refused(error.into()),
    };
    let (signed, list) = match super::as_received(&envelope)? {
        Ok(received) => received,
        Err(refusal) => return refused(refusal),
    };
    match Envelope::decode(&signed).map_err(Refusal::from).and_then(|envelope| envelope.verify(&list)) {
        Ok(verified) => simulate(command, &verified, list, printer),
        Err(refusal) => refused(refusal),
    }
}

fn simulate(
    command: &Simulate,
    verified: &Verified<'_>,
    of_dependencies: AuthorityList,
    printer: &Printer,
) -> Result<Answer, Failure> {
    let mut device = device(command, verified, of_dependencies)?;
    let mut runs = Vec::new();
    let (mut refusal, mut last) = (None, None);
    {
        let mut processor = match Processor::new(verified, &mut device) {
            Ok(processor) => processor,
            Err(refusal) => return Ok(printer.answer(Verdict::no(refusal.code(), &refusal))),
        };
        for name in &command.procedure {
            let procedure = procedure(*name);
            let (report, failure) = match processor.run(procedure) {
                Ok(report) => (report, None),
                Err(failure) => {
                    let told = (failure.kind.code(), failure.to_string());
                    (*failure.report, Some(told))
                }
            };
            runs.push(Map::new().with("procedure", Node::shown(procedure)).then(show::suit::report(&report)));
            last = Some(report);
            if failure.is_some() {
                refusal = failure;
                break;
            }
        }
    }
    if let (Some(path), Some(report)) = (&command.report, &last) {
        let bytes = match &command.report_key {
            Some(key) => {
                let (key, kid) = KeyFile::read_secret(key)?;
                report.sign(&key, Some(&kid))
            }
            None => report.to_bytes(),
        };
        files::write(path, &bytes, Mode::Public, printer)?;
    }
    let facts = Map::new().with("trace", Node::list(&device.trace)).with("runs", runs);
    let verdict = match refusal {
        Some((code, message)) => Verdict::no(code, message),
        None => Verdict::yes("the device takes the release and starts it as told"),
    };
    Ok(printer.answer(verdict.with(facts)))
}

fn device(
    command: &Simulate,
    verified: &Verified<'_>,
    of_dependencies: AuthorityList,
) -> Result<VirtualDevice, Failure> {
    let targets = verified.targets();
    let vendor: Option<Uuid> = match &command.vendor {
        Some(text) => Some(authority::vendor_id(text)),
        None => targets.vendors.iter().find_map(|vendor| match vendor {
            VendorId::Uuid(uuid) => Some(*uuid),
            VendorId::PrivateEnterprise(_) => None,
        }),
    };
    let class = match &command.class {
        Some(text) => Some(authority::class_id(vendor.as_ref(), text)?),
        None => targets.classes.first().copied(),
    };
    let common = verified.manifest().common();
    let places = common.all_indices().filter_map(|index| common.place(index));
    let mut device = VirtualDevice {
        components: places.map(|component| (component.clone(), None)).collect(),
        authorities: Some(of_dependencies),
        device: command
            .device
            .as_deref()
            .map(|text| {
                authority::parse_uuid(text).ok_or_else(|| Failure::new(format!("device `{text}` is no UUID")))
            })
            .transpose()?,
        vendor,
        class,
        slot: command.slot,
        installed: command
            .installed
            .map(|sequence_number| Installed { sequence_number, manifest_digest: None }),
        capacity: command.capacity,
        now: u64::try_from(command.at.unwrap_or_else(clock::now)).ok(),
        battery: command.battery,
        authorized: command.authorize,
        ..VirtualDevice::default()
    };
    for (uri, path) in &command.served {
        device.served.insert(uri.clone(), Input::read(path)?.bytes);
    }
    for name in &command.components {
        device.components.entry(values::component(name)?).or_default();
    }
    for (name, path) in &command.contents {
        device.components.insert(values::component(name)?, Some(Input::read(path)?.bytes));
    }
    for text in &command.versions {
        match text.split_once('=') {
            Some((name, version)) => {
                device.versions.insert(values::component(name)?, values::version(version)?);
            }
            None => device.version = Some(values::version(text)?),
        }
    }
    if !command.decryption_keys.is_empty() {
        let mut keys = DecryptionKeys::default();
        for path in &command.decryption_keys {
            let input = Input::read(path)?;
            let key = DecryptionKey::decode(&input.bytes);
            keys.push(key.map_err(|error| input.failure("not a key that decrypts", &error))?);
        }
        device.keys = Some(keys);
    }
    Ok(device)
}

const fn procedure(name: ProcedureName) -> Procedure {
    match name {
        ProcedureName::Update => Procedure::Update,
        ProcedureName::Staging => Procedure::Staging,
        ProcedureName::Installation => Procedure::Installation,
        ProcedureName::Validation => Procedure::Validation,
        ProcedureName::Invocation => Procedure::Invocation,
        ProcedureName::Uninstallation => Procedure::Uninstallation,
    }
}

fn served(text: &str) -> Result<(String, PathBuf), String> {
    // A URI may hold an equals sign, a file name rarely does.
    let (uri, path) = text.rsplit_once('=').ok_or("expected URI=FILE")?;
    Ok((uri.to_owned(), path.into()))
}
