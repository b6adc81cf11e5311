//! What an independent reader found in an envelope, in the words of the index.

use super::Verdict;

/// Facts about one envelope. What was not found is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Who vouches for it.
    pub authentication: Authentication,
    /// Whether a COSE payload is inside its signature, as in drafts up to 11.
    pub attached: bool,
    /// Algorithm of the digest, by its number.
    pub digest_algorithm: Option<i64>,
    /// Labels of the members of the manifest.
    pub members: Vec<i64>,
    /// Sequence number of the manifest.
    pub sequence_number: Option<u64>,
    /// Severed members, and whether the envelope carries what the manifest holds the digest of.
    pub severed: Vec<(i64, bool)>,
}

/// Who vouches for an envelope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// The reader got no envelope out of it.
    #[default]
    Unknown,
    /// Nobody.
    Unsigned,
    /// A published key: the signature is good.
    Signed,
    /// A published secret: the MAC is good.
    Mac,
    /// There is a block, and no published key made it.
    Unverified,
}

impl Facts {
    pub(super) fn read(lines: &[String]) -> Self {
        let mut facts = Self::default();
        for line in lines {
            if line.starts_with("tag=") {
                facts.authentication = facts.authentication.or(Authentication::Unsigned);
            } else if let Some(rest) = line.strip_prefix("digest alg ") {
                facts.digest_algorithm = rest.split(' ').next().and_then(|number| number.parse().ok());
            } else if line.starts_with("cose tag ") {
                facts.attached |= !line.contains("payload=nil");
                facts.authentication = facts.authentication.or(match () {
                    () if line.contains("VERIFIED[") => Authentication::Signed,
                    () if line.contains("MACOK[") => Authentication::Mac,
                    () => Authentication::Unverified,
                });
            } else if let Some(rest) = line.strip_prefix("severed ") {
                if let Some((label, found)) = rest.split_once(": ") {
                    facts.severed.extend(label.parse().map(|label| (label, found.contains("wrapped=True"))));
                }
            } else if let Some((members, number)) =
                line.strip_prefix("manifest keys [").and_then(|rest| rest.split_once("] seq "))
            {
                facts.members = members.split(", ").filter_map(|label| label.parse().ok()).collect();
                facts.sequence_number = number.parse().ok();
            }
        }
        facts
    }

    /// Whether the labels are those of a draft before 28: numbers that have no meaning today, or a digest or payload
    /// as they were then.
    pub fn is_of_an_older_draft(&self) -> bool {
        const OLD: [i64; 5] = [10, 11, 12, 13, 17];
        self.attached
            || self.digest_algorithm == Some(2)
            || self.members.iter().any(|label| OLD.contains(label))
    }

    pub(super) fn verdict(&self) -> Option<Verdict> {
        match self.authentication {
            _ if self.is_of_an_older_draft() => Some(Verdict::OlderDraft),
            Authentication::Signed => Some(Verdict::Believe),
            Authentication::Unsigned => Some(Verdict::Unsigned),
            Authentication::Mac => Some(Verdict::Mac),
            Authentication::Unverified | Authentication::Unknown => None,
        }
    }
}

impl Authentication {
    /// The stronger of two.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Signed, _) | (_, Self::Signed) => Self::Signed,
            (Self::Mac, _) | (_, Self::Mac) => Self::Mac,
            (Self::Unverified, _) | (_, Self::Unverified) => Self::Unverified,
            (Self::Unknown, other) => other,
            (Self::Unsigned, _) => Self::Unsigned,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(lines: &[&str]) -> Facts {
        Facts::read(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn reads_what_was_found() {
        let found = facts(&[
            "tag=107 keys=[2, 3, 9, 13]",
            "digest alg -16 over-wrapped=True over-raw=False",
            "cose tag 18 prot={1: -7} unprot=frozendict({}) payload=nil VERIFIED[anchor;payload=digest-content]",
            "severed 9: wrapped=True raw=False",
            "severed 13: absent",
            "manifest keys [1, 2, 3, 9, 13] seq 2",
        ]);
        assert_eq!(found.authentication, Authentication::Signed);
        assert_eq!((found.attached, found.digest_algorithm), (false, Some(-16)));
        assert_eq!((found.members.as_slice(), found.sequence_number), ([1, 2, 3, 9, 13].as_slice(), Some(2)));
        assert_eq!(found.severed, [(9, true), (13, false)]);
        assert!(found.is_of_an_older_draft(), "13 is no member today");
    }

    #[test]
    fn what_a_file_is_says_what_to_expect() {
        let envelope = "tag=107 keys=[2, 3]";
        let members = "manifest keys [1, 2, 3, 7, 9] seq 0";
        let signed = "cose tag 18 prot={1: -7} unprot={} payload=nil VERIFIED[anchor]";
        let rows: [(&[&str], Option<Verdict>); 7] = [
            (&[envelope, members], Some(Verdict::Unsigned)),
            (&[envelope, signed, members], Some(Verdict::Believe)),
            (&[envelope, "cose tag 17 prot={1: 5} unprot={} payload=nil MACOK[secret]"], Some(Verdict::Mac)),
            (&[envelope, "cose tag 18 prot={1: -7} unprot={} payload=nil"], None),
            (&["not decodable by a generic decoder: CBORDecodeEOF"], None),
            (&[envelope, "manifest keys [1, 2, 3, 10, 12] seq 0"], Some(Verdict::OlderDraft)),
            (
                &[envelope, "cose tag 18 prot={1: -7} unprot={} payload=82 VERIFIED[a]"],
                Some(Verdict::OlderDraft),
            ),
        ];
        for (lines, verdict) in rows {
            assert_eq!(facts(lines).verdict(), verdict, "{lines:?}");
        }
    }
}
