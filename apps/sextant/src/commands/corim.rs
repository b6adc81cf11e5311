use std::path::PathBuf;

use clap::{Args, Subcommand};
use corim::{Anchors, Authority, Change, Difference, Received, SignerMeta, Statement};
use cose::Purpose;

use crate::{
    clock,
    commands::{corim_query, coswid::chain},
    corim_recipe,
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    keys::{self, KeyFile},
    node::Map,
    printer::{Printer, Verdict},
    recipe, show,
};

/// Make and check reference integrity manifests (expected values and endorsements).
#[derive(Debug, Subcommand)]
pub(crate) enum Corim {
    /// Make a manifest from a recipe
    Build(Build),
    /// Show a manifest in any of its forms
    Inspect(Inspect),
    /// Say whether a signed manifest is by somebody trusted, valid now, and within its profile
    Verify(Verify),
    /// Say what changes from one manifest to another: no when they do not say the same
    Diff(Diff),
    /// Ask a server what endorsers say of devices
    Query(Box<corim_query::Query>),
}

#[derive(Debug, Args)]
pub(crate) struct Build {
    /// The recipe (docs/expected-values.md)
    recipe: PathBuf,
    /// Private key to sign the manifest with
    #[arg(long, requires = "signer")]
    key: Option<PathBuf>,
    /// Name of the signer
    #[arg(long, value_name = "NAME", requires = "key")]
    signer: Option<String>,
    /// Until when the signature counts
    #[arg(long, value_name = "TIME", value_parser = clock::parse_time, requires = "key")]
    signature_until: Option<i64>,
    /// Where to write the manifest
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The manifest
    file: PathBuf,
}

/// Both are read as they are; only `verify` says whether to believe them.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The manifest before
    old: PathBuf,
    /// The manifest after
    new: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The signed manifest
    file: PathBuf,
    /// Public key that may have signed, in any form; repeatable
    #[arg(long = "key", value_name = "PUB", required_unless_present = "anchors")]
    keys: Vec<PathBuf>,
    /// Certificate from which that of the signer may descend; repeatable
    #[arg(long = "anchor", value_name = "CERT")]
    anchors: Vec<PathBuf>,
    /// The manifest, where it came apart from its signature
    #[arg(long, value_name = "FILE")]
    content: Option<PathBuf>,
    /// As of this time; now without it
    #[arg(long, value_name = "TIME", value_parser = clock::parse_time)]
    at: Option<i64>,
}

pub(crate) fn run(command: Corim, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Corim::Build(command) => build(&command, printer),
        Corim::Inspect(Inspect { file }) => {
            let input = Input::read(&file)?.binary();
            printer.show(&show::corim::received(&received(&input, None)?).into());
            Ok(Answer::Yes)
        }
        Corim::Verify(command) => verify(&command, printer),
        Corim::Diff(Diff { old, new }) => {
            diff(&Input::read(&old)?.binary(), &Input::read(&new)?.binary(), printer)
        }
        Corim::Query(command) => corim_query::run(&command, printer),
    }
}

fn build(command: &Build, printer: &Printer) -> Result<Answer, Failure> {
    let recipe: corim_recipe::Recipe = recipe::parse(&command.recipe, "docs/expected-values.md")?;
    let corim = recipe.compose(&command.recipe)?;
    let refused = |error: corim::Error| Failure::new("this makes no manifest").because(&error);
    let plain = corim.build().map_err(refused)?;
    // What its profile refuses would be refused by everybody.
    if let Ok(Received::Unsigned(unsigned)) = Received::decode(&plain) {
        let at = corim.validity.map_or_else(clock::now, |validity| validity.not_after);
        unsigned.trusted_by_operator("its maker", Vec::new(), at).map_err(refused)?;
    }
    let bytes = match (&command.key, &command.signer) {
        (Some(path), Some(name)) => {
            let (key, kid) = KeyFile::read_secret(path)?;
            let meta = SignerMeta { not_after: command.signature_until, ..SignerMeta::new(name) };
            corim.sign(&meta, &key, &kid).map_err(refused)?
        }
        _ => plain,
    };
    files::write(&command.output, &bytes, Mode::Public, printer)?;
    Ok(Answer::Yes)
}

fn verify(command: &Verify, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?;
    let content = command.content.as_deref().map(Input::read).transpose()?;
    let keys = keys::anchors(&KeyFile::read_public(&command.keys)?, Purpose::Corim);
    let issuers = keys::read_all_certificates(&command.anchors)?;
    let signed = match received(&input, content.as_ref())? {
        Received::Signed(signed) => signed,
        Received::Unsigned(_) => {
            return Ok(printer.answer(Verdict::no("unsigned-manifest", "the manifest is not signed")));
        }
    };
    let now = command.at.unwrap_or_else(clock::now);
    let verdict = match signed.verify(Anchors { keys: &keys, issuers: &issuers }, now) {
        Ok(verified) => {
            let signer = match verified.authority() {
                Authority::Key(anchor) => anchor.name.clone(),
                Authority::Certificate(certificate) => certificate.subject().to_string(),
                Authority::Operator(name) => name.clone(),
            };
            Verdict::yes(format!("signed by {signer}")).with(show::corim::manifest(verified.corim()))
        }
        Err(error) => Verdict::no(error.code(), chain(&error)),
    };
    Ok(printer.answer(verdict))
}

/// Says what one manifest says and another does not, whoever signed them.
pub(crate) fn diff(old: &Input, new: &Input, printer: &Printer) -> Result<Answer, Failure> {
    let (old, new) = (received(old, None)?, received(new, None)?);
    let difference = Difference::between(content(&old), content(&new));
    let (old, new) = (signer(&old), signer(&new));
    let facts = if old == new {
        Map::new()
    } else {
        Map::new().with("signer", Map::new().with("old", old).with("new", new))
    };
    let verdict = if difference.is_empty() {
        Verdict::yes("both manifests say the same")
    } else {
        let count = |wanted: fn(&Change<Statement>) -> bool| {
            difference.statements.iter().filter(|one| wanted(&one.change)).count()
        };
        let words = format!(
            "the manifests do not say the same: {} statements gained, {} lost, {} changed",
            count(|change| matches!(change, Change::Gained(_))),
            count(|change| matches!(change, Change::Lost(_))),
            count(|change| matches!(change, Change::Changed { .. })),
        );
        Verdict::no("manifests-differ", words)
    };
    Ok(printer.answer(verdict.with(facts.then(show::corim_difference::tree(&difference)))))
}

/// What a manifest says, whoever signed it.
fn content<'r>(received: &'r Received<'_>) -> &'r corim::Corim {
    match received {
        Received::Signed(signed) => signed.unverified(),
        Received::Unsigned(unsigned) => unsigned.unverified(),
    }
}

/// Who claims to have signed.
fn signer(received: &Received<'_>) -> String {
    match received {
        Received::Signed(signed) => signed.meta().name.clone(),
        Received::Unsigned(_) => "nobody".to_owned(),
    }
}

fn received<'b>(input: &'b Input, content: Option<&'b Input>) -> Result<Received<'b>, Failure> {
    let content = content.map(|content| content.bytes.as_slice());
    Received::decode_with(&input.bytes, content, corim::MAX_CORIM_LEN)
        .map_err(|error| input.failure("not a reference integrity manifest", &error))
}
