//! Which releases' network needs may be applied: those that ask for little, permit no more than the ones before where the
//! site wants that, or were approved.

use std::collections::{BTreeMap, BTreeSet};

use crypto::Digest;
use trust::{Broad, Code, Reason, ReleaseStanding};

use super::{Known, State};
use crate::manager::ApprovalRule;

/// Releases that succeed each other: those for one class of one vendor.
type Line = (Option<[u8; 16]>, Option<[u8; 16]>);

impl State {
    /// Whether the needs of a release may be applied now.
    pub(super) fn approved(&self, known: &Known, now: i64) -> Result<(), Reason> {
        if !self.anchors.broad_mud_approved {
            known.release.approved(self.overrides.values().map(|item| &item.signed), now)?;
        }
        let waits = Reason::new(Code::MudNeedsApproval).with("version", known.release.version());
        match self.anchors.sources.approval {
            ApprovalRule::Broad => Ok(()),
            ApprovalRule::Every if self.is_approved(known, now) => Ok(()),
            ApprovalRule::Every => Err(waits.with("rule", "every file")),
            ApprovalRule::Wider => {
                let digest = known.release.manifest_digest();
                let approved_before = || {
                    let before = self.releases.values().filter(|other| {
                        line(other) == line(known)
                            && other.release.sequence_number() < known.release.sequence_number()
                    });
                    before.filter(|other| self.is_approved(other, now)).any(|other| !is_wider(known, other))
                };
                if self.accepted.contains(&digest) || self.is_approved(known, now) || approved_before() {
                    Ok(())
                } else {
                    Err(waits.with("rule", "permits more"))
                }
            }
        }
    }

    /// What a decision has to know of a release that waits for another reason than that it is broad.
    pub(super) fn with_approval(
        &self,
        mut standing: ReleaseStanding,
        known: &Known,
        now: i64,
    ) -> ReleaseStanding {
        let file = known.release.network_needs().map(|needs| needs.digest);
        if standing.broad.is_none()
            && let (Some(file), Err(why)) = (file, self.approved(known, now))
        {
            standing.broad = Some(Broad { file, why });
        }
        standing
    }

    /// Remembers which releases permit no more than those that were accepted before them. The first of a line has none
    /// before it. What was accepted stays so: devices may run it for long.
    pub(super) fn accept_releases(&mut self, now: i64) {
        let rule = self.anchors.sources.approval;
        let mut waiting: Vec<(&Digest, &Known)> = self
            .releases
            .iter()
            .filter(|(digest, known)| !self.accepted.contains(*digest) && known.subject.is_some())
            .collect();
        waiting.sort_by_key(|(_, known)| known.release.sequence_number());
        let mut last = self.last_by_line();
        let mut accepted = Vec::new();
        for (digest, known) in waiting {
            let before = last.get(&line(known)).and_then(|digest| self.releases.get(digest));
            // Where wider ones do not wait, what is in force is what later ones will be held against.
            let stands = match rule {
                ApprovalRule::Wider => before.is_none_or(|before| !is_wider(known, before)),
                ApprovalRule::Broad | ApprovalRule::Every => self.approved(known, now).is_ok(),
            };
            if stands {
                accepted.push(*digest);
                let newest = before
                    .is_none_or(|before| before.release.sequence_number() < known.release.sequence_number());
                if newest {
                    last.insert(line(known), *digest);
                }
            }
        }
        for digest in accepted {
            if self.accepted.len() < Self::MAX_REVOKED && self.accepted.insert(digest) {
                self.changed.site = true;
                self.changed.everything |= rule == ApprovalRule::Wider;
            }
        }
    }

    /// The newest accepted release of each line. Where later ones are held
    /// against it, nobody forgets it.
    pub(super) fn last_accepted(&self) -> BTreeSet<Digest> {
        if self.anchors.sources.approval != ApprovalRule::Wider {
            return BTreeSet::new();
        }
        self.last_by_line().into_values().collect()
    }

    fn last_by_line(&self) -> BTreeMap<Line, Digest> {
        let mut known: Vec<(&Digest, &Known)> =
            self.releases.iter().filter(|(digest, _)| self.accepted.contains(*digest)).collect();
        known.sort_by_key(|(_, known)| known.release.sequence_number());
        known.into_iter().map(|(digest, known)| (line(known), *digest)).collect()
    }

    /// An approval of this very release and file is in force.
    fn is_approved(&self, known: &Known, now: i64) -> bool {
        let Some(needs) = known.release.network_needs() else { return true };
        let digest = known.release.manifest_digest();
        self.overrides.values().map(|item| item.signed.overlay()).any(|overlay| {
            overlay.approves.is_some_and(|approval| approval.covers(&digest, &needs.digest))
                && overlay.not_before <= now
                && now < overlay.expires
        })
    }
}

fn line(known: &Known) -> Line {
    (known.release.vendor().copied(), known.release.class().copied())
}

fn is_wider(known: &Known, before: &Known) -> bool {
    known.release.network_change(&before.release).is_wider()
}
