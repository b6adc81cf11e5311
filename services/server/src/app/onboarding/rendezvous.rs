//! TO0 and TO1: owners say where they are, and devices ask.

use crypto::PublicKey;
use fdo::{
    DeviceChain, Guid, HelloRv, Nonce, RedirectionSession, Refusal, Registration, RegistrationSession,
    SubProtocol,
};
use store::{Redirect, RedirectQuota, Unregistered};

use crate::app::{
    App, Failure,
    onboarding::{Answered, Opened, Unanswered, ends, manufacturing::thumbprint, stored},
    rfc3339,
};

impl App {
    /// Answers the first message of TO0.
    pub(super) fn begin_registration(&self, body: &[u8]) -> Result<Answered, Unanswered> {
        let (session, message) = RegistrationSession::begin(body, &mut crate::keys::fill)?;
        self.goes_on(SubProtocol::To0, self.fresh_moment(), &session.nonce().0, message)
    }

    /// Takes what an owner registers, where its word or that of its manufacturer counts here.
    pub(super) async fn register_owner(&self, body: &[u8], session: &Opened) -> Result<Answered, Unanswered> {
        let nonce = session.bytes.as_slice().try_into().map_err(|_| Unanswered::NoSession)?;
        let registered = RegistrationSession::of(Nonce(nonce)).register(body, DeviceChain::OfManufacturer)?;
        let (owner, manufacturer) = (registered.owner.key(), registered.manufacturer.key());
        let settings = &self.config.onboarding;
        let counts = settings.rendezvous_owners.contains(owner)
            || settings.rendezvous_manufacturers.contains(manufacturer)
            || self.onboarding_keys.owners().any(|key| key == *owner);
        if !counts {
            tracing::warn!(
                guid = %registered.guid,
                owner = thumbprint(owner),
                manufacturer = thumbprint(manufacturer),
                "an owner is not registered whose word does not count here"
            );
            return Err(Refusal::UnknownOwner.into());
        }
        let now = self.now();
        let longest = u32::try_from(settings.longest_wait.as_secs()).unwrap_or(u32::MAX);
        let seconds = registered.wait_seconds.min(longest);
        let redirect = Redirect {
            guid: stored(&registered.guid),
            bytes: registered.redirect,
            device_key: registered.device_key.to_spki_der(),
            owner: thumbprint(owner),
            session_at: session.began,
            expires: now.plus_seconds(seconds.into()),
        };
        let quota =
            RedirectQuota { of_owner: settings.registrations_of_owner, of_all: settings.registrations };
        match self.store.register(redirect, quota, now).await? {
            Ok(()) => Ok(ends(Registration::accept(seconds))),
            Err(Unregistered::SessionUsed) => Err(Unanswered::NoSession),
            Err(Unregistered::OwnerFull | Unregistered::Full) => Err(Unanswered::TooMany),
        }
    }

    /// Answers a device that asks for its owner.
    pub(super) async fn begin_redirection(&self, body: &[u8]) -> Result<Answered, Unanswered> {
        let hello = HelloRv::decode(body)?;
        let now = self.now();
        if self.store.redirect(&stored(&hello.guid), now).await?.is_none() {
            return Err(Unanswered::NotFound);
        }
        let (session, message) = RedirectionSession::begin(&hello, &mut crate::keys::fill)?;
        self.goes_on(SubProtocol::To1, self.fresh_moment(), &session.to_bytes(), message)
    }

    /// Redirects a device that proves itself.
    pub(super) async fn redirect_device(
        &self,
        body: &[u8],
        session: &Opened,
    ) -> Result<Answered, Unanswered> {
        let session = RedirectionSession::from_bytes(&session.bytes)?;
        let redirect = self.store.redirect(&stored(session.guid()), self.now()).await?;
        let redirect = redirect.ok_or(Unanswered::NotFound)?;
        let key = PublicKey::from_spki_der(&redirect.device_key)
            .map_err(|_| Failure::Fault("a stored key cannot be read".to_owned()))?;
        Ok(ends(session.redirect(body, &key, &redirect.bytes)?))
    }

    /// Redirections that are remembered, after one of them.
    pub(crate) async fn redirect_views(
        &self,
        after: Option<Guid>,
        limit: u32,
    ) -> Result<Vec<api::Redirect>, Failure> {
        let after = after.as_ref().map(stored);
        let redirects = self.store.redirects(after.as_ref(), self.now(), limit).await?;
        let view = |redirect: &Redirect| api::Redirect {
            guid: redirect.guid.to_string(),
            owner: redirect.owner.clone(),
            expires_at: rfc3339(redirect.expires),
        };
        Ok(redirects.iter().map(view).collect())
    }

    /// Forgets a redirection.
    pub(crate) async fn remove_redirect(&self, guid: Guid, actor: &str) -> Result<(), Failure> {
        Ok(self.store.remove_redirect(stored(&guid), actor, self.now()).await?)
    }
}
