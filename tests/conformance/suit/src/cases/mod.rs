//! The kit's own cases: small, each about one rule, made anew in every run.

mod authentication;
mod commands;
mod dependencies;
mod encryption;
mod form;
mod management;
mod sequences;

use crypto::SigningKey;

use crate::author::{Item, Manifest, image_digest, map};
use crate::case::{After, Case, Expect, Facts, Reasons};
use crate::{Component, Device, keys, to_hex};

/// All of them.
pub fn own_cases() -> Vec<Case> {
    let mut book = Book::default();
    authentication::write(&mut book);
    form::write(&mut book);
    commands::write(&mut book);
    sequences::write(&mut book);
    dependencies::write(&mut book);
    management::write(&mut book);
    encryption::write(&mut book);
    book.cases
}

/// Cases so far.
#[derive(Default)]
struct Book {
    cases: Vec<Case>,
}

impl Book {
    fn add(&mut self, name: &str, why: &str, envelope: Vec<u8>, expect: Expect) {
        let (name, why) = (format!("own/{name}"), why.to_owned());
        debug_assert!(self.cases.iter().all(|case| case.name != name), "{name} twice");
        self.cases.push(Case { name, why, envelope, keys: keys::believed(), expect });
    }

    fn believe(&mut self, name: &str, why: &str, envelope: &Item) {
        self.add(name, why, envelope.to_bytes(), Expect::Believe(Facts::default()));
    }

    /// Refused on sight by whoever looks at everything first, and in processing otherwise: by a device that has all that
    /// the envelope asks for, so that whoever overlooks what is wrong takes it to the end.
    fn refuse(&mut self, name: &str, why: &str, envelope: Vec<u8>, reasons: &[&'static str]) {
        let device = online().running(&["update", "invocation"]);
        self.add(name, why, envelope, Expect::refuse(device, reasons));
    }

    fn done(&mut self, name: &str, why: &str, envelope: Vec<u8>, device: Device, after: After) {
        self.add(name, why, envelope, Expect::Done { device, after });
    }

    fn stop(&mut self, name: &str, why: &str, envelope: Vec<u8>, device: Device, stop: Stop) {
        let Stop { reasons, condition, after } = stop;
        self.add(name, why, envelope, Expect::Stop { device, reasons, condition, after });
    }
}

/// How processing is to stop.
#[derive(Default)]
struct Stop {
    reasons: Reasons,
    condition: Option<i64>,
    after: After,
}

impl Stop {
    fn condition(code: i64) -> Self {
        Self { reasons: ["condition-failed"].into(), condition: Some(code), after: After::default() }
    }

    fn reasons(reasons: &[&'static str]) -> Self {
        Self { reasons: reasons.iter().copied().collect(), ..Self::default() }
    }

    fn after(self, after: After) -> Self {
        Self { after, ..self }
    }
}

impl After {
    /// A component holds this in the end.
    fn holding(mut self, name: &str, content: &[u8]) -> Self {
        self.contents.insert(path(name), Some(to_hex(content)));
        self
    }

    /// A component holds nothing in the end.
    fn empty(mut self, name: &str) -> Self {
        self.contents.insert(path(name), None);
        self
    }

    fn invoked(mut self, name: &str) -> Self {
        self.invoked.push(path(name));
        self
    }

    fn fetched(mut self, uris: &[&str]) -> Self {
        self.fetched = Some(uris.iter().map(|uri| (*uri).to_owned()).collect());
        self
    }
}

impl Device {
    fn holding(mut self, name: &str, content: &[u8]) -> Self {
        self.component(name).content = Some(to_hex(content));
        self
    }

    fn serving(mut self, uri: &str, content: &[u8]) -> Self {
        self.served.insert(uri.into(), to_hex(content));
        self
    }

    fn running(mut self, procedures: &[&str]) -> Self {
        self.procedures = procedures.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    fn component(&mut self, name: &str) -> &mut Component {
        let id = segments(name);
        self.components.iter_mut().find(|it| it.id == id).expect("a component of the device")
    }
}

/// A device of the vendor and class of the cases, which updates.
fn device(components: &[&str]) -> Device {
    let components = components.iter().map(|name| Component { id: segments(name), ..Component::default() });
    Device {
        procedures: vec!["update".into()],
        vendor: Some(to_hex(VENDOR)),
        class: Some(to_hex(CLASS)),
        components: components.collect(),
        ..Device::default()
    }
}

fn segments(name: &str) -> Vec<String> {
    name.split('/').map(to_hex).collect()
}

fn path(name: &str) -> String {
    segments(name).join("/")
}

fn author() -> SigningKey {
    keys::author()
}

/// A command with a reporting policy.
fn run(code: i64) -> (i64, Item) {
    // Conditions report failures, directives when they succeed, as authors usually have it.
    let policy = if matches!(code, VENDOR_IDENTIFIER | CLASS_IDENTIFIER | IMAGE_MATCH) { 15 } else { 2 };
    (code, Item::Int(policy))
}

/// Override parameters.
fn set<const N: usize>(parameters: [(i64, Item); N]) -> (i64, Item) {
    (OVERRIDE, map(parameters))
}

/// Select one component.
fn select(index: i64) -> (i64, Item) {
    (SELECT, Item::Int(index))
}

/// For this vendor and class.
fn fits() -> [(i64, Item); 3] {
    [set([(1, VENDOR[..].into()), (2, CLASS[..].into())]), run(VENDOR_IDENTIFIER), run(CLASS_IDENTIFIER)]
}

/// Digest and size of an image.
fn image(content: &[u8]) -> (i64, Item) {
    set([(3, image_digest(content)), (14, Item::Int(content.len() as i64))])
}

/// A manifest for one component `fw`, of the usual vendor and class.
fn manifest() -> Manifest {
    Manifest::new(&["fw"]).shared(fits())
}

/// The same for several components.
fn manifest_of(components: &[&str]) -> Manifest {
    let everywhere = [(SELECT, Item::Bool(true))];
    Manifest::new(components).shared(everywhere.into_iter().chain(fits()))
}

/// Fetches [`IMAGE`] and checks it.
fn update() -> Manifest {
    manifest().section(INSTALL, [image(IMAGE), set([(21, URI.into())]), run(FETCH), run(IMAGE_MATCH)])
}

/// A device from which [`URI`] can be fetched.
fn online() -> Device {
    device(&["fw"]).serving(URI, IMAGE)
}

const IMAGE: &[u8] = b"an image of a release";
const OTHER: &[u8] = b"an image of anything!";
const URI: &str = "https://fw.example/image";

/// Of the domain arm.com, as in the examples of the draft.
const VENDOR: [u8; 16] = *b"\xfa\x6b\x4a\x53\xd5\xad\x5f\xdf\xbe\x9d\xe6\x63\xe4\xd4\x1f\xfe";
const CLASS: [u8; 16] = *b"\x14\x92\xaf\x14\x25\x69\x5e\x48\xbf\x42\x9b\x2d\x51\xf2\xab\x45";

// Sections and commands by their names in the registry.
const VALIDATE: i64 = 7;
const LOAD: i64 = 8;
const INVOCATION: i64 = 9;
const RESOLUTION: i64 = 15;
const INSTALL: i64 = 20;
const VENDOR_IDENTIFIER: i64 = 1;
const CLASS_IDENTIFIER: i64 = 2;
const IMAGE_MATCH: i64 = 3;
const SLOT: i64 = 5;
const CHECK_CONTENT: i64 = 6;
const INTEGRITY: i64 = 7;
const IS_DEPENDENCY: i64 = 8;
const PROCESS: i64 = 11;
const SELECT: i64 = 12;
const ABORT: i64 = 14;
const TRY_EACH: i64 = 15;
const WRITE: i64 = 18;
const SET: i64 = 19;
const OVERRIDE: i64 = 20;
const FETCH: i64 = 21;
const COPY: i64 = 22;
const INVOKE: i64 = 23;
const DEVICE_IDENTIFIER: i64 = 24;
const SWAP: i64 = 31;
const RUN_SEQUENCE: i64 = 32;
