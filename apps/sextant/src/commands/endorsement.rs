use api::{Endorsement as Listed, ForeignResult, Page};
use clap::{Args, Subcommand};

use crate::{
    client::ServerArgs,
    commands::{
        corim,
        objects::{self, Add, Fetch, Show},
    },
    failure::{Answer, Failure},
    files::Input,
    printer::Printer,
};

/// Media type of a manifest, signed or not: the server looks itself.
const MANIFEST: &str = "application/rim+cbor";

/// Give and take back reference values and endorsements (CoRIM) of devices that are not enrolled.
#[derive(Debug, Subcommand)]
pub(crate) enum Endorsement {
    /// Give a manifest to the server: signed by an endorser, or else you answer for it
    Add(Add),
    /// List manifests
    Ls(ServerArgs),
    /// Show one manifest
    Show(Show),
    /// Fetch a manifest as it was received
    Fetch(Fetch),
    /// Say what changes from one manifest to another: no when they do not say the same
    Diff(Diff),
    /// Take back what a manifest says, for good
    Revoke(Show),
    /// List what evidence of devices that are not enrolled was found to be worth, the last to end first
    Results(Results),
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// SHA-256 of the manifest before, in hexadecimal digits
    old: String,
    /// SHA-256 of the manifest after
    new: String,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Results {
    /// How many at most
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// Go on after the result with this id
    #[arg(long, value_name = "ID")]
    after: Option<i64>,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(command: Endorsement, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Endorsement::Add(Add { file, server }) => {
            let input = Input::read(&file)?;
            objects::add::<Listed>(ENDORSEMENTS, MANIFEST, &input.bytes, &server, printer)
        }
        Endorsement::Ls(server) => {
            server.client()?.get::<Vec<Listed>>(ENDORSEMENTS)?.answer(printer, |manifests| {
                let rows: Vec<_> = manifests.iter().map(row).collect();
                printer.table(&["manifest", "id", "authority", "values", "keys", "state"], &rows, &manifests);
                Ok(Answer::Yes)
            })
        }
        Endorsement::Show(show) => objects::show::<Listed>(ENDORSEMENTS, &show, printer),
        Endorsement::Fetch(fetch) => objects::fetch(ENDORSEMENTS, &fetch, printer),
        Endorsement::Diff(Diff { old, new, server }) => {
            let client = server.client()?;
            let fetch = |digest: &str| objects::download(ENDORSEMENTS, digest, &client);
            fetch(&old)?.answer(printer, |before| {
                fetch(&new)?.answer(printer, |after| {
                    let (old, new) =
                        (Input { name: old, bytes: before }, Input { name: new.clone(), bytes: after });
                    corim::diff(&old, &new, printer)
                })
            })
        }
        Endorsement::Revoke(show) => objects::act(ENDORSEMENTS, &show, "revoke", printer),
        Endorsement::Results(Results { limit, after, server }) => {
            let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
            let path = format!("/api/v1/results/foreign?limit={limit}{after}");
            server.client()?.get::<Page<ForeignResult>>(&path)?.answer(printer, |page| {
                let rows: Vec<_> = page.items.iter().map(result_row).collect();
                printer.table(
                    &["result", "instance", "tier", "key", "reasons", "judged", "ends", "media type"],
                    &rows,
                    &page,
                );
                Ok(Answer::Yes)
            })
        }
    }
}

const ENDORSEMENTS: &str = "/api/v1/endorsements";

fn result_row(result: &ForeignResult) -> Vec<String> {
    let codes: Vec<&str> = result.reasons.iter().map(|reason| reason.code.as_str()).collect();
    let judged = if result.again { format!("{} again", result.judged_at) } else { result.judged_at.clone() };
    vec![
        result.id.to_string(),
        result.instance.clone().unwrap_or_else(|| "-".to_owned()),
        if result.altered { "altered".to_owned() } else { result.tier.clone() },
        result.key.as_ref().map_or_else(|| "-".to_owned(), |key| key.by.clone()),
        if codes.is_empty() { "-".to_owned() } else { codes.join(", ") },
        judged,
        result.expires_at.clone(),
        result.media_type.clone(),
    ]
}

fn row(manifest: &Listed) -> Vec<String> {
    let state = match (&manifest.revoked_at, manifest.holds) {
        (Some(at), _) => format!("revoked at {at}"),
        (None, true) => "accepted".to_owned(),
        (None, false) => "does not hold".to_owned(),
    };
    vec![
        manifest.digest.clone(),
        manifest.id.clone().unwrap_or_default(),
        manifest.authority.clone().unwrap_or_default(),
        manifest.reference_values.to_string(),
        manifest.attestation_keys.to_string(),
        state,
    ]
}
