//! FIDO Device Onboard: the roles of a manufacturer, a rendezvous server and an owner.
//!
//! Messages are read and answered by `fdo`; here is who may have which, what is kept, and when. Whatever a message makes true
//! is in the store before it is answered.

mod history;
mod keys;
mod manage;
mod manufacturing;
mod owner;
mod owner_modules;
mod plan;
mod rendezvous;
mod sessions;
mod settings;

use std::net::IpAddr;

use fdo::{Failure as Refusal, Fault, Guid, Message, MessageType, SubProtocol};
use store::Timestamp;

pub(crate) use keys::OnboardingKeys;
pub(crate) use manage::buyer;
pub(crate) use sessions::{Opened, Sealer};
pub(crate) use settings::{rendezvous_and_owner, rendezvous_at};

use crate::{
    Role,
    app::{App, Failure},
};

/// An answer, and the token of the session that goes on.
pub(crate) struct Answered {
    pub(crate) message: Message,
    pub(crate) token: Option<String>,
}

/// Why a message is not answered as it wants.
pub(crate) enum Unanswered {
    /// The protocol refuses it.
    Refused(Refusal),
    /// The device did not attest to what is asked of it, for this reason of the verifier's.
    NotAttested(String),
    /// The device, or what is known of it, does not let it be onboarded.
    Device(String),
    /// Nothing is known of the device, or it is not ours to onboard.
    NotFound,
    /// The session is none of ours, or ended.
    NoSession,
    /// There are as many as may be, or this client comes too often.
    TooMany,
    /// The server does not do its part now.
    Failed(Failure),
}

impl From<Refusal> for Unanswered {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Fault(Fault::Session) => Self::NoSession,
            refusal => Self::Refused(refusal),
        }
    }
}

impl From<fdo::Error> for Unanswered {
    fn from(error: fdo::Error) -> Self {
        Refusal::from(error).into()
    }
}

impl From<cbor::Error> for Unanswered {
    fn from(error: cbor::Error) -> Self {
        Refusal::from(error).into()
    }
}

impl From<fdo::Refusal> for Unanswered {
    fn from(refusal: fdo::Refusal) -> Self {
        Refusal::from(refusal).into()
    }
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<store::Error> for Unanswered {
    fn from(error: store::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl App {
    /// Answers a message of one of the roles that this server plays.
    pub(crate) async fn onboarding_message(
        &self,
        message: Message,
        token: Option<&str>,
        from: IpAddr,
    ) -> Result<Answered, Unanswered> {
        let Message { message_type, body } = message;
        let protocol = message_type.protocol().filter(|protocol| self.plays(*protocol));
        let protocol = protocol.ok_or(Unanswered::NotFound)?;
        if message_type.begins() {
            self.onboarding_limiter.take(from, self.now()).map_err(|_| Unanswered::TooMany)?;
            return match message_type {
                MessageType::AppStart => self.make_device(&body),
                MessageType::Hello => self.begin_registration(&body),
                MessageType::HelloRv => self.begin_redirection(&body).await,
                _ => self.begin_onboarding(&body).await,
            };
        }
        let session = self.onboarding_sealer.open(protocol, token.unwrap_or_default(), self.now());
        let session = session.ok_or(Unanswered::NoSession)?;
        match message_type {
            MessageType::SetHmac => self.keep_device(&body, &session).await,
            MessageType::OwnerSign => self.register_owner(&body, &session).await,
            MessageType::ProveToRv => self.redirect_device(&body, &session).await,
            _ => self.onboard(message_type, &body, &session).await,
        }
    }

    /// The other side gave up. What it says is noted where it proved to be a device of ours.
    pub(crate) async fn onboarding_error(&self, body: &[u8], token: Option<&str>) -> Result<(), Failure> {
        let Ok(error) = fdo::ErrorMessage::decode(body) else {
            return Err(Failure::Malformed("the error message cannot be read".to_owned()));
        };
        tracing::info!(%error, "a peer of onboarding gave up");
        let Some(session) =
            self.onboarding_sealer.open(SubProtocol::To2, token.unwrap_or_default(), self.now())
        else {
            return Ok(());
        };
        self.device_gave_up(&session, &error).await
    }

    fn plays(&self, protocol: SubProtocol) -> bool {
        let role = match protocol {
            SubProtocol::Di => Role::Manufacturer,
            SubProtocol::To0 | SubProtocol::To1 => Role::Rendezvous,
            SubProtocol::To2 => Role::Owner,
        };
        self.config.roles.contains(&role)
    }

    /// A message in a session that goes on.
    fn goes_on(
        &self,
        protocol: SubProtocol,
        began: Timestamp,
        session: &[u8],
        message: Message,
    ) -> Result<Answered, Unanswered> {
        let token = self.onboarding_sealer.seal(protocol, began, session);
        let token = token.ok_or_else(|| Failure::Fault("a session is too long for a token".to_owned()))?;
        Ok(Answered { message, token: Some(token) })
    }
}

/// The last message of a session.
fn ends(message: Message) -> Answered {
    Answered { message, token: None }
}

/// A GUID as the store knows it.
pub(crate) fn stored(guid: &Guid) -> store::Guid {
    store::Guid(guid.0)
}
