//! What one manifest says and another does not, as a tree: `old` stands for the first, `new` for the second.

use std::collections::BTreeMap;

use corim::{
    Change, Comid, ConditionalTriple, Difference, LinkedTag, Locator, Measurement, SeriesTriple, Statement,
    StatementChange, StatementKind, Tag, Validity,
};

use super::corim as shown;
use crate::{
    clock,
    node::{Map, Node},
};

pub(crate) fn tree(difference: &Difference) -> Map {
    let unknown = |(key, value): &(Vec<u8>, Vec<u8>)| {
        Map::new().with("key", shown::diagnostic(key)).with("value", Node::diagnostic(value))
    };
    let (coswids, tags): (Vec<_>, Vec<_>) = difference
        .tags
        .iter()
        .partition(|change| matches!(change, Change::Gained(Tag::Coswid(_)) | Change::Lost(Tag::Coswid(_))));
    let tags = tags.into_iter().map(|change| sides(change, tag)).chain(self::coswids(&coswids));
    let statements = |kind| {
        let of_kind = difference.statements.iter().filter(move |change| change.kind == kind);
        of_kind.map(statement).collect::<Vec<_>>()
    };
    let map = Map::new()
        .maybe("id", difference.id.as_ref().map(|id| sides(id, |id| Node::shown(id))))
        .maybe("profile", difference.profile.as_ref().map(|profile| sides(profile, shown::profile)))
        .maybe("validity", difference.validity.as_ref().map(|times| sides(times, validity)))
        .unless_empty("entities", all(&difference.entities, shown::entity))
        .unless_empty("dependent_rims", all(&difference.dependent_rims, locator))
        .unless_empty("unknown", all(&difference.extensions, unknown))
        .unless_empty("tags", tags.collect::<Vec<_>>());
    let map = KINDS.iter().fold(map, |map, (kind, name)| map.unless_empty(name, statements(*kind)));
    map.maybe("regrouped", difference.regrouped.then_some(true))
}

const KINDS: [(StatementKind, &str); 9] = [
    (StatementKind::Reference, "reference_values"),
    (StatementKind::Endorsed, "endorsed_values"),
    (StatementKind::Conditional, "conditional_endorsements"),
    (StatementKind::ConditionalSeries, "conditional_series"),
    (StatementKind::AttestKey, "attest_keys"),
    (StatementKind::Identity, "identity_keys"),
    (StatementKind::Coswid, "coswid_triples"),
    (StatementKind::Dependency, "dependency_triples"),
    (StatementKind::Membership, "membership_triples"),
];

fn all<T, N: Into<Node>>(changes: &[Change<T>], show: impl Fn(&T) -> N + Copy) -> Vec<Map> {
    changes.iter().map(|change| sides(change, show)).collect()
}

/// What became of something, and what each side says of it.
fn sides<T, N: Into<Node>>(change: &Change<T>, show: impl Fn(&T) -> N) -> Map {
    match change {
        Change::Gained(new) => Map::new().with("change", "gained").with("new", show(new)),
        Change::Lost(old) => Map::new().with("change", "lost").with("old", show(old)),
        Change::Changed { old, new } => {
            Map::new().with("change", "changed").with("old", show(old)).with("new", show(new))
        }
    }
}

fn statement(change: &StatementChange) -> Map {
    Map::new()
        .with("environment", shown::environment(&change.environment))
        .maybe("element", change.element.as_ref().map(shown::element))
        .then(sides(&change.change, said))
}

fn said(statement: &Statement) -> Node {
    match statement {
        Statement::Measurement(measurement) => shown::claim(measurement).into(),
        Statement::Key { key, authorized_by } => {
            let authorities: Vec<Node> = authorized_by.iter().map(shown::key).collect();
            Map::new().with("key", shown::key(key)).unless_empty("authorized_by", authorities).into()
        }
        Statement::Tag(tag) => Node::shown(tag),
        Statement::Environment(environment) => shown::environment(environment).into(),
        Statement::Conditional(ConditionalTriple { conditions, endorsements }) => Map::new()
            .with("conditions", conditions.iter().map(shown::values_triple).collect::<Vec<_>>())
            .with("endorsements", endorsements.iter().map(shown::values_triple).collect::<Vec<_>>())
            .into(),
        Statement::Series(triple) => series(triple).into(),
    }
}

fn series(triple: &SeriesTriple) -> Map {
    let measurements = |list: &[Measurement]| list.iter().map(shown::measurement).collect::<Vec<_>>();
    let items = triple.series.iter().map(|item| {
        Map::new()
            .with("condition", measurements(&item.condition))
            .with("addition", measurements(&item.addition))
    });
    Map::new()
        .unless_empty("measurements", measurements(&triple.measurements))
        .unless_empty("authorized_by", triple.authorized_by.iter().map(shown::key).collect::<Vec<_>>())
        .with("series", items.collect::<Vec<_>>())
}

fn validity(validity: &Validity) -> Map {
    Map::new()
        .maybe("not_before", validity.not_before.map(clock::date))
        .with("not_after", clock::date(validity.not_after))
}

fn locator(locator: &Locator) -> Map {
    Map::new()
        .with("hrefs", Node::list(&locator.hrefs))
        .unless_empty("thumbprints", Node::list(locator.thumbprints.iter().map(shown::digest)))
}

/// A tag without what is compared by statements.
fn tag(tag: &Tag) -> Map {
    match tag {
        Tag::Comid(comid) => self::comid(comid),
        tag => shown::tag(tag),
    }
}

fn comid(comid: &Comid) -> Map {
    let link = |link: &LinkedTag| match link.relation {
        LinkedTag::SUPPLEMENTS => format!("supplements {}", link.id),
        LinkedTag::REPLACES => format!("replaces {}", link.id),
        other => format!("relation {other} to {}", link.id),
    };
    Map::new()
        .with("kind", "CoMID")
        .with("id", Node::shown(&comid.identity.id))
        .with("version", comid.identity.version)
        .maybe("language", comid.language.as_deref())
        .unless_empty("entities", comid.entities.iter().map(shown::entity).collect::<Vec<_>>())
        .unless_empty("linked_tags", Node::list(comid.linked_tags.iter().map(link)))
        .unless_empty("unknown", shown::extensions(&comid.extensions))
        .unless_empty("unknown_triples", shown::extensions(&comid.triples.extensions))
}

/// CoSWID tags with the same identifier are one that changed.
fn coswids(changes: &[&Change<Tag>]) -> Vec<Map> {
    let id = |tag: &Tag| match tag {
        Tag::Coswid(bytes) => coswid::Tag::decode(bytes).ok().map(|tag| tag.tag_id().to_string()),
        _ => None,
    };
    let mut sides: BTreeMap<Option<String>, [Vec<&Tag>; 2]> = BTreeMap::new();
    for change in changes {
        let (side, tag) = match change {
            Change::Lost(old) => (0, old),
            Change::Gained(new) | Change::Changed { new, .. } => (1, new),
        };
        if let Some(side) = sides.entry(id(tag)).or_default().get_mut(side) {
            side.push(tag);
        }
    }
    let mut maps = Vec::new();
    for (id, [old, new]) in sides {
        // Nothing says that what nobody can read is the same.
        let both = if id.is_some() { old.len().min(new.len()) } else { 0 };
        let changed = old.iter().zip(&new).take(both);
        let changed = changed.map(|(old, new)| Change::Changed { old: *old, new: *new });
        let lost = old.iter().skip(both).map(|old| Change::Lost(*old));
        let gained = new.iter().skip(both).map(|new| Change::Gained(*new));
        maps.extend(changed.chain(lost).chain(gained).map(|change| self::sides(&change, |one| tag(one))));
    }
    maps
}
