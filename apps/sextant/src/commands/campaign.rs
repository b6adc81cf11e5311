use api::{Campaign as Shown, NewCampaign};
use clap::{Args, Subcommand};
use ureq::http::Method;

use crate::{
    client::{ServerArgs, tree},
    failure::{Answer, Failure},
    printer::Printer,
};

/// Roll releases out: canaries first, and success is what was attested.
#[derive(Debug, Subcommand)]
pub(crate) enum Campaign {
    /// Prepare a campaign
    Create(Create),
    /// List campaigns
    Ls(ServerArgs),
    /// Show how far a campaign is
    Show(One),
    /// Begin to offer the release
    Start(One),
    /// Offer it to nobody else for now
    Pause(One),
    /// Go on
    Resume(One),
    /// End it
    Abort(One),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Manifest digest of the release, in hexadecimal digits
    #[arg(long, value_name = "DIGEST")]
    release: String,
    /// All devices of this group
    #[arg(long, required_unless_present = "model", conflicts_with = "model")]
    group: Option<String>,
    /// All devices of this model
    #[arg(long)]
    model: Option<String>,
    /// How many are offered it first
    #[arg(long, default_value_t = 1)]
    canary: u32,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// Number of the campaign
    campaign: i64,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(command: Campaign, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Campaign::Create(Create { release, group, model, canary, server }) => {
            let release = release.strip_prefix("sha256:").map_or(release.clone(), str::to_owned);
            let new = NewCampaign { release, group, model, canary };
            let reply = server.client()?.send::<Shown>(Method::POST, "/api/v1/campaigns", &new)?;
            reply.answer(printer, |campaign| show(&campaign, printer))
        }
        Campaign::Ls(server) => {
            server.client()?.get::<Vec<Shown>>("/api/v1/campaigns")?.answer(printer, |campaigns| {
                let rows: Vec<_> = campaigns.iter().map(row).collect();
                printer.table(
                    &["id", "state", "devices", "attested", "attested of", "release"],
                    &rows,
                    &campaigns,
                );
                Ok(Answer::Yes)
            })
        }
        Campaign::Show(One { campaign, server }) => {
            let reply = server.client()?.get::<Shown>(&format!("/api/v1/campaigns/{campaign}"))?;
            reply.answer(printer, |campaign| show(&campaign, printer))
        }
        Campaign::Start(one) => steer(&one, "start", printer),
        Campaign::Pause(one) => steer(&one, "pause", printer),
        Campaign::Resume(one) => steer(&one, "resume", printer),
        Campaign::Abort(one) => steer(&one, "abort", printer),
    }
}

fn show(campaign: &Shown, printer: &Printer) -> Result<Answer, Failure> {
    printer.show(&tree(campaign));
    Ok(Answer::Yes)
}

fn steer(one: &One, verb: &str, printer: &Printer) -> Result<Answer, Failure> {
    let path = format!("/api/v1/campaigns/{}/{verb}", one.campaign);
    let reply = one.server.client()?.upload::<()>(Method::POST, &path, "application/json", b"")?;
    reply.answer(printer, |()| Ok(Answer::Yes))
}

fn row(campaign: &Shown) -> Vec<String> {
    let state = match &campaign.reason {
        Some(reason) => format!("{}: {}", campaign.state.as_str(), reason.code),
        None => campaign.state.as_str().to_owned(),
    };
    vec![
        campaign.id.to_string(),
        state,
        campaign.selector.clone(),
        campaign.attested.to_string(),
        campaign.devices.len().to_string(),
        campaign.release.clone(),
    ]
}
