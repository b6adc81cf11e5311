//! What a person takes from a device, whatever its evidence says: a quarantine leaves it attestation and update, a block
//! nothing, and there is a level on either side of them.

use store::{Device, DeviceId, Hold, Timestamp};
use trust::Restriction;

use crate::app::{App, Failure, parse_rfc3339, rfc3339};

impl App {
    /// Restricts a device, at the level that the request names, else at the given one. What is stricter takes the place of
    /// what is not; nothing loosens a restriction but its end.
    pub(crate) async fn hold(
        &self,
        id: &DeviceId,
        restriction: Restriction,
        request: api::HoldRequest,
        actor: &str,
    ) -> Result<(), Failure> {
        let now = self.now();
        let restriction = request.level.map_or(restriction, of_word);
        if request.reason.trim().is_empty() {
            return Err(Failure::Malformed(format!("a {} needs a reason", noun(restriction))));
        }
        let until = request.until.as_deref().map(|text| read_end(text, now)).transpose()?;
        let hold = Hold {
            restriction: restriction.as_str().to_owned(),
            person: actor.to_owned(),
            why: request.reason,
            at: now,
            until,
        };
        let _alone = self.alone_with(id).await;
        let present = self.present_restriction(id).await?;
        if let Some(present) = present.filter(|present| *present < restriction) {
            return Err(Failure::Conflict(format!(
                "the device is {}, which is stricter than a {}; release it first",
                state(present),
                noun(restriction)
            )));
        }
        self.store.hold(id, hold, actor, now).await?;
        self.redecide_one(id).await
    }

    /// Ends a restriction of one of these sorts, and no other.
    pub(crate) async fn end_hold(
        &self,
        id: &DeviceId,
        sorts: &[Restriction],
        actor: &str,
    ) -> Result<(), Failure> {
        let _alone = self.alone_with(id).await;
        let present = self.present_restriction(id).await?;
        let Some(restriction) = present.filter(|present| sorts.contains(present)) else {
            let state = present.map_or("neither blocked nor in quarantine by a person", state);
            let nouns: Vec<&str> = sorts.iter().map(|sort| noun(*sort)).collect();
            let nouns = nouns.join(" or ");
            return Err(Failure::Conflict(format!("there is no {nouns} to end: the device is {state}")));
        };
        self.store.end_hold(id, restriction.as_str(), actor, self.now()).await?;
        self.redecide_one(id).await
    }

    /// The restriction that holds a device now.
    pub(crate) fn hold_in_force<'a>(&self, device: &'a Device) -> Option<&'a Hold> {
        device.hold.as_ref().filter(|hold| hold.is_in_force(self.now()))
    }

    async fn present_restriction(&self, id: &DeviceId) -> Result<Option<Restriction>, Failure> {
        let device = self.store.device(id).await?.ok_or(Failure::NotFound)?;
        Ok(self.hold_in_force(&device).map(restriction))
    }
}

/// What a stored restriction leaves a device.
pub(crate) fn restriction(hold: &Hold) -> Restriction {
    Restriction::from_text(&hold.restriction)
}

/// A restriction as the API says it.
pub(crate) fn word(restriction: Restriction) -> api::Restriction {
    match restriction {
        Restriction::Ejected => api::Restriction::Ejected,
        Restriction::Blocked => api::Restriction::Blocked,
        Restriction::UpdateOnly => api::Restriction::UpdateOnly,
        Restriction::Restricted => api::Restriction::Restricted,
    }
}

fn of_word(restriction: api::Restriction) -> Restriction {
    Restriction::from_text(restriction.as_str())
}

/// Restrictions that a block's end ends.
pub(crate) const BLOCKS: &[Restriction] = &[Restriction::Blocked, Restriction::Ejected];
/// Restrictions that the end of a quarantine ends.
pub(crate) const QUARANTINES: &[Restriction] = &[Restriction::UpdateOnly, Restriction::Restricted];

/// A restriction as the API shows it.
pub(crate) fn view(hold: &Hold) -> api::Hold {
    api::Hold {
        restriction: word(restriction(hold)),
        person: hold.person.clone(),
        reason: hold.why.clone(),
        at: rfc3339(hold.at),
        until: hold.until.map(rfc3339),
    }
}

/// A restriction as decisions take it.
pub(crate) fn input(hold: &Hold) -> trust::Hold {
    trust::Hold {
        restriction: restriction(hold),
        person: hold.person.clone(),
        why: hold.why.clone(),
        until: hold.until.map(Timestamp::seconds),
    }
}

const fn noun(restriction: Restriction) -> &'static str {
    match restriction {
        Restriction::Ejected => "ejection",
        Restriction::Blocked => "block",
        Restriction::UpdateOnly => "quarantine",
        Restriction::Restricted => "restriction",
    }
}

const fn state(restriction: Restriction) -> &'static str {
    match restriction {
        Restriction::Ejected => "ejected",
        Restriction::Blocked => "blocked",
        Restriction::UpdateOnly => "in quarantine",
        Restriction::Restricted => "restricted",
    }
}

fn read_end(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let until = parse_rfc3339(text)
        .ok_or_else(|| Failure::Malformed("`until` is no date and time of RFC 3339".to_owned()))?;
    if until <= now {
        return Err(Failure::Malformed("`until` is in the past".to_owned()));
    }
    Ok(until)
}
