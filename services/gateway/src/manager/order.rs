//! Which file is to be brought next, and where it may be.

use mud::MudUrl;

use super::file::Source;
use super::model::Model;
use super::settings::OperatorFile;
use super::unattested::Unattested;

/// A place where a file may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the disk of the gateway.
    Disk(OperatorFile),
    /// On a web server; and the entity tag of what is known from there.
    Web(Source, MudUrl, Option<String>),
}

/// A file that is to be brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The URL that devices have.
    pub url: MudUrl,
    /// Where it may be; the next place counts when there is none at the one before.
    pub places: Vec<Place>,
}

impl Unattested {
    /// A file that is to be brought now, if there is one; nobody else gets it until [`Unattested::bring`].
    pub fn order(&mut self, now: i64) -> Option<Order> {
        let wanted = self.wanted();
        let due = |model: &&mut Model| {
            !model.asked.in_flight && model.asked.next <= now && wanted.contains(&model.url)
        };
        let model = self.models.values_mut().filter(due).min_by_key(|model| model.asked.next)?;
        model.asked.in_flight = true;
        let (url, asked) = (model.url.clone(), model.asked.clone());
        let known = |source: &Source| asked.etag.clone().filter(|_| asked.source.as_ref() == Some(source));
        let mut places = Vec::new();
        if let Some(file) = self.sources.file(&url) {
            places.push(Place::Disk(file.clone()));
        } else {
            for party in &self.sources.third_parties {
                let source = Source::ThirdParty(party.name.clone());
                places.extend(party.place(&url).map(|at| Place::Web(source.clone(), at, known(&source))));
            }
            places.push(Place::Web(Source::Announced, url.clone(), known(&Source::Announced)));
        }
        Some(Order { url, places })
    }
}
