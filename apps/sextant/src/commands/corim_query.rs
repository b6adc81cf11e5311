//! Questions to whoever distributes what endorsers say (draft-ietf-rats-coserv).

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::{Args, ValueEnum};
use corim::{
    ArtifactType, Class, Coserv, CoservQuery, EnvironmentSelector, Instance, Profile, ResultType,
    RimSelector, Stateful, TagId,
};
use crypto::PublicKey;

use crate::{
    client::ServerArgs,
    clock,
    commands::coswid::chain,
    corim_recipe,
    detect::Parts,
    failure::{Answer, Failure},
    files::{self, Mode},
    keys::KeyFile,
    node::from_hex,
    printer::{Printer, Verdict},
    show,
};

#[derive(Debug, Args)]
pub(crate) struct Query {
    /// Profile of the manifests that are asked for
    #[arg(long, value_name = "URI")]
    profile: String,
    /// About devices of this class: a UUID, or an identifier in hexadecimal digits; repeatable
    #[arg(long = "class", value_name = "ID", required_unless_present_any = ["instances", "manifests"])]
    classes: Vec<String>,
    /// About this device: its UEID in hexadecimal digits; repeatable
    #[arg(long = "instance", value_name = "UEID", conflicts_with = "classes")]
    instances: Vec<String>,
    /// A whole manifest by its identifier; repeatable
    #[arg(long = "manifest", value_name = "ID", conflicts_with_all = ["classes", "instances"])]
    manifests: Vec<String>,
    /// What is asked for
    #[arg(long, value_enum, default_value = "reference-values")]
    artifacts: Artifacts,
    /// In which form
    #[arg(long, value_enum, default_value = "collected")]
    form: Form,
    /// Public key of the distributor: the answer must be signed with it
    #[arg(long, value_name = "PUB")]
    key: Option<PathBuf>,
    /// Where to write the answer as it came
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Artifacts {
    ReferenceValues,
    EndorsedValues,
    TrustAnchors,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    Collected,
    Source,
    Both,
}

/// Asks a server; without one, prints the question as it stands in its address.
pub(crate) fn run(command: &Query, printer: &Printer) -> Result<Answer, Failure> {
    let asked = question(command)?;
    let encoded = URL_SAFE_NO_PAD.encode(asked.encode());
    if !command.server.is_given() {
        printer.data(format!("{encoded}\n").as_bytes());
        return Ok(Answer::Yes);
    }
    let key = command.key.as_deref().map(KeyFile::read).transpose()?.map(|key| key.public);
    let media = if key.is_some() { "application/coserv+cose" } else { "application/coserv+cbor" };
    let reply = command.server.client()?.download_as(&format!("/coserv/v1/{encoded}"), media)?;
    reply.answer(printer, |bytes| {
        let answer = match checked(&bytes, key.as_ref(), &asked) {
            Ok(answer) => answer,
            Err((code, why)) => return Ok(printer.answer(Verdict::no(code, why))),
        };
        if key.is_none() {
            printer.warning("without --key nothing but the connection says whose answer it is");
        }
        match &command.output {
            Some(output) => files::write(output, &bytes, Mode::Public, printer)?,
            None => printer.show(&show::coserv::tree(&answer, Parts::ALL).into()),
        }
        Ok(Answer::Yes)
    })
}

fn question(command: &Query) -> Result<Coserv, Failure> {
    fn any_state<T>(environments: Vec<T>) -> Vec<Stateful<T>> {
        let each = |environment| Stateful { environment, measurements: Vec::new() };
        environments.into_iter().map(each).collect()
    }
    let query = if !command.manifests.is_empty() {
        let ids = command.manifests.iter().map(|id| RimSelector::Corim(TagId::Text(id.clone())));
        CoservQuery::Rims(ids.collect())
    } else {
        let selector = if command.instances.is_empty() {
            let class = |id: &String| Ok(Class { id: Some(corim_recipe::class_id(id)?), ..Class::default() });
            let classes: Result<Vec<Class>, Failure> = command.classes.iter().map(class).collect();
            EnvironmentSelector::Classes(any_state(classes?))
        } else {
            let instance = |text: &String| {
                let ueid = from_hex(text).map(Instance::Ueid);
                ueid.ok_or_else(|| Failure::new(format!("`{text}`: expected hexadecimal digits")))
            };
            let instances: Result<Vec<Instance>, Failure> = command.instances.iter().map(instance).collect();
            EnvironmentSelector::Instances(any_state(instances?))
        };
        let artifacts = match command.artifacts {
            Artifacts::ReferenceValues => ArtifactType::ReferenceValues,
            Artifacts::EndorsedValues => ArtifactType::EndorsedValues,
            Artifacts::TrustAnchors => ArtifactType::TrustAnchors,
        };
        let form = match command.form {
            Form::Collected => ResultType::Collected,
            Form::Source => ResultType::Source,
            Form::Both => ResultType::Both,
        };
        CoservQuery::Environments { artifacts, selector, form }
    };
    Ok(Coserv { profile: Profile::Uri(command.profile.clone()), query, results: None })
}

/// An answer to this question that counts now, signed where a key says so.
fn checked(bytes: &[u8], key: Option<&PublicKey>, asked: &Coserv) -> Result<Coserv, (&'static str, String)> {
    let answer = match key {
        None => Coserv::decode(bytes),
        Some(key) => {
            let refused = |error: cose::Error| ("bad-answer-signature", chain(&error));
            let message = cose::Sign1::decode(bytes).map_err(refused)?;
            message.verify(key, None, &[]).map_err(refused)?;
            Coserv::decode(message.payload().unwrap_or_default())
        }
    };
    let answer = answer.map_err(|error| ("malformed-object", chain(&error)))?;
    if (&answer.profile, &answer.query) != (&asked.profile, &asked.query) {
        return Err(("other-answer", "the answer is to another question".to_owned()));
    }
    match &answer.results {
        None => Err(("other-answer", "the answer holds the question alone".to_owned())),
        Some(results) if results.expiry <= clock::now() => {
            Err(("reference-expired", "the answer does not count any more".to_owned()))
        }
        Some(_) => Ok(answer),
    }
}
