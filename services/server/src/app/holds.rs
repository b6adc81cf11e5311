//! What a person takes from a device, whatever its evidence says: a quarantine leaves it attestation and update, a block
//! nothing.

use store::{Device, DeviceId, Hold, Timestamp};
use trust::Restriction;

use crate::app::{App, Failure, parse_rfc3339, rfc3339};

impl App {
    /// Restricts a device. A block takes the place of a quarantine; a quarantine loosens no block.
    pub(crate) async fn hold(
        &self,
        id: &DeviceId,
        restriction: Restriction,
        request: api::HoldRequest,
        actor: &str,
    ) -> Result<(), Failure> {
        let now = self.now();
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
        if restriction == Restriction::UpdateOnly && present == Some(Restriction::Blocked) {
            return Err(Failure::Conflict(
                "the device is blocked, which is stricter than quarantine; release it first".to_owned(),
            ));
        }
        self.store.hold(id, hold, actor, now).await?;
        self.redecide_one(id).await
    }

    /// Ends a restriction of this sort, and no other.
    pub(crate) async fn end_hold(
        &self,
        id: &DeviceId,
        restriction: Restriction,
        actor: &str,
    ) -> Result<(), Failure> {
        let _alone = self.alone_with(id).await;
        let present = self.present_restriction(id).await?;
        if present != Some(restriction) {
            let state = match present {
                Some(Restriction::Blocked) => "blocked",
                Some(Restriction::UpdateOnly) => "in quarantine",
                None => "neither blocked nor in quarantine by a person",
            };
            return Err(Failure::Conflict(format!(
                "there is no {} to end: the device is {state}",
                noun(restriction)
            )));
        }
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
        Restriction::Blocked => api::Restriction::Blocked,
        Restriction::UpdateOnly => api::Restriction::UpdateOnly,
    }
}

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
        Restriction::Blocked => "block",
        Restriction::UpdateOnly => "quarantine",
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
