//! What recipes say in words, as values of a manifest.

use std::collections::BTreeMap;

use suit::{
    Actor, Comparison, ComponentId, ComponentMetadata, FileType, Permissions, ReportingPolicy, Version,
    VersionMatch, WaitInfo,
};

use crate::{
    clock,
    failure::Failure,
    recipe::{Metadata, Wait},
};

pub(crate) fn component(text: &str) -> Result<ComponentId, Failure> {
    text.parse().map_err(|error| Failure::new(format!("component `{text}`")).because(&error))
}

/// A version such as `1.2.3` or `2.0-rc.1` (UM, section 8).
pub(crate) fn version(text: &str) -> Result<Version, Failure> {
    read_version(text).ok_or_else(|| {
        Failure::new(format!("`{text}` is no version that devices compare"))
            .help("expected numbers and at most one of -alpha, -beta and -rc: 1.2.3, 2.0-rc.1")
    })
}

fn read_version(text: &str) -> Option<Version> {
    let mut parts = Vec::new();
    let (numbers, marked) = match text.split_once('-') {
        Some((numbers, marked)) => (numbers, Some(marked)),
        None => (text, None),
    };
    let number = |text: &str| text.parse::<u32>().ok().map(i64::from);
    for part in numbers.split('.') {
        parts.push(number(part)?);
    }
    if let Some(marked) = marked {
        let mut words = marked.split('.');
        parts.push(match words.next()? {
            "rc" => -1,
            "beta" => -2,
            "alpha" => -3,
            _ => return None,
        });
        for part in words {
            parts.push(number(part)?);
        }
    }
    Version::new(&parts)
}

/// A demand such as `>=1.2`.
pub(crate) fn version_match(text: &str) -> Result<VersionMatch, Failure> {
    let signs = [
        (">=", Comparison::GreaterOrEqual),
        ("<=", Comparison::LesserOrEqual),
        (">", Comparison::Greater),
        ("<", Comparison::Lesser),
        ("=", Comparison::Equal),
    ];
    let found = signs.into_iter().find_map(|(sign, comparison)| Some((text.strip_prefix(sign)?, comparison)));
    let (rest, comparison) = found.ok_or_else(|| {
        Failure::new(format!("`{text}` compares nothing")).help("begin with one of >=, <=, >, < and =")
    })?;
    Ok(VersionMatch { comparison, version: version(rest.trim())? })
}

/// A point in time that devices compare with their clock.
pub(crate) fn time(text: &str) -> Result<u64, Failure> {
    let seconds = clock::parse_time(text).map_err(|error| Failure::new(format!("time `{text}`: {error}")))?;
    u64::try_from(seconds).map_err(|_| Failure::new(format!("time `{text}` is before 1970")))
}

pub(crate) fn wait(wait: &Wait) -> Result<WaitInfo<'static>, Failure> {
    Ok(WaitInfo {
        authorization: wait.authorization,
        power: wait.power,
        network: wait.network,
        other_devices: Vec::new(),
        time: wait.time.as_deref().map(time).transpose()?,
        time_of_day: wait.time_of_day,
        day_of_week: wait.day_of_week,
        utc_time_of_day: wait.utc_time_of_day,
        utc_day_of_week: wait.utc_day_of_week,
    })
}

pub(crate) fn metadata(metadata: &Metadata) -> Result<ComponentMetadata<'_>, Failure> {
    Ok(ComponentMetadata {
        default_permissions: metadata.permissions.map(permissions).transpose()?,
        users: actors(&metadata.users)?,
        groups: actors(&metadata.groups)?,
        roles: actors(&metadata.roles)?,
        file_type: match metadata.file_type.as_deref() {
            None | Some("regular") => FileType::Regular,
            Some("directory") => FileType::Directory,
            Some("symlink") => FileType::SymbolicLink,
            Some(other) => {
                return Err(Failure::new(format!("`{other}` is no kind of file"))
                    .help("expected regular, directory or symlink"));
            }
        },
        modification_time: metadata.modified,
        creation_time: metadata.created,
        creator: metadata.creator.as_deref().map(Actor::Name),
    })
}

fn permissions(bits: u16) -> Result<Permissions, Failure> {
    Permissions::new(bits).ok_or_else(|| Failure::new(format!("permissions {bits}: a bit has no meaning")))
}

fn actors(map: &BTreeMap<String, u16>) -> Result<Vec<(Actor<'_>, Permissions)>, Failure> {
    map.iter().map(|(name, bits)| Ok((Actor::Name(name), permissions(*bits)?))).collect()
}

/// What to report, by the names of its bits (MAN, section 8.4.7).
pub(crate) fn reporting(words: &[String]) -> Result<ReportingPolicy, Failure> {
    let bit = |word: &String| match word.as_str() {
        "record-success" => Ok(1),
        "record-failure" => Ok(2),
        "claims-success" => Ok(4),
        "claims-failure" => Ok(8),
        other => Err(Failure::new(format!("`{other}` is nothing to report"))
            .help("expected record-success, record-failure, claims-success and claims-failure")),
    };
    words.iter().map(bit).try_fold(0, |bits, bit| Ok(bits | bit?)).map(ReportingPolicy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions_and_demands_as_the_draft_writes_them() {
        for (text, parts) in [
            ("1.2.3", &[1, 2, 3][..]),
            ("1.2.3-alpha.4", &[1, 2, 3, -3, 4]),
            ("2.0-rc.1", &[2, 0, -1, 1]),
            ("7", &[7]),
        ] {
            assert_eq!(version(text).expect(text).parts(), parts);
            assert_eq!(version_match(&format!(">={text}")).expect(text).version.parts(), parts);
        }
        for bad in ["", "1.", "v1", "1-gamma", "-1", "1-rc-2", "1+build"] {
            assert!(version(bad).is_err(), "{bad}");
        }
        for (text, comparison) in
            [(">1", Comparison::Greater), ("<= 1", Comparison::LesserOrEqual), ("=1", Comparison::Equal)]
        {
            assert_eq!(version_match(text).expect(text).comparison, comparison);
        }
        assert!(version_match("1.0").is_err());
    }
}
