//! What the manufacturer of a release may be told about it at this site (draft-lear-opsawg-mud-reporter). It is made when a person
//! asks for it and sent nowhere: it says something about the site.

use mud::{
    AceId, Direction, DropCount, DropReason, IpPrefix, MatchCount, MudUrl, Population, Remote, Report,
    ReportRecord, Resolved,
};
use store::ReleaseId;

use crate::app::{App, Failure};

impl App {
    /// The report about a release, as JSON. Classes and addresses of the site are not in it, and neither are devices.
    pub(crate) async fn maker_report(&self, id: &ReleaseId) -> Result<String, Failure> {
        let shown = self.release_flows(id).await?;
        let names = self.store.names_of_release(id).await?;
        let book = self.book();
        let release = book.get(id).and_then(|entry| entry.release()).ok_or(Failure::NotFound)?;
        let needs = release.network_needs().ok_or(Failure::NotFound)?;
        let mud_url = MudUrl::parse(&needs.url)
            .ok_or_else(|| Failure::Fault("the MUD URL of an accepted release is none".to_owned()))?;

        let mut resolved = Resolved::default();
        for (name, addresses) in names {
            let addresses = addresses.iter().filter_map(|address| address.parse().ok()).map(IpPrefix::host);
            resolved.insert(Remote::Name(name), addresses);
        }
        // How many hosts of the site are in its classes is known to gateways and told to nobody.
        let Population { domains, .. } = Population::count(&needs.policy, &resolved);
        let used = shown.flows.iter().filter(|flow| flow.used > 0 && !flow.default);
        let matches = used.map(|flow| MatchCount {
            ace: AceId { acl: flow.acl.clone(), ace: flow.ace.clone() },
            packets: flow.used,
        });
        let record = ReportRecord {
            // Hundredths of a second; the type wraps around (RFC 6991, `timeticks`).
            time: (self.now().millis() / 10) as u32,
            population: Population { domains, ..Population::default() },
            drops: shown.dropped.iter().filter_map(drop_count).collect(),
            matches: matches.collect(),
            ..ReportRecord::default()
        };
        Ok(Report { mud_url, records: vec![record] }.encode_json())
    }
}

/// Packets that no entry permits, or that the other end alone may start. What was dropped for other reasons is not about the file.
fn drop_count(dropped: &api::Dropped) -> Option<DropCount> {
    let why = dropped.why.as_ref()?;
    let reason = match why.says.as_str() {
        "no-entry" => DropReason::NoMatch,
        "wrong-initiator" => {
            DropReason::ConnectionBlock(AceId { acl: why.acl.clone()?, ace: why.ace.clone()? })
        }
        _ => return None,
    };
    let direction = match dropped.packets.direction.as_str() {
        "from-device" => Direction::FromDevice,
        _ => Direction::ToDevice,
    };
    Some(DropCount { reason, direction, packets: dropped.packets.count })
}
