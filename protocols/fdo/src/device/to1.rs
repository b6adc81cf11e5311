use alloc::vec::Vec;

use crate::{
    Credential, DeviceSecrets, Failure, Guid, HelloRv, HelloRvAck, Message, MessageType, Redirect, Refusal,
    SigInfo,
    eat::Claims,
    signer::algorithm,
    step::{Step, expect},
};

/// TO1 on the device's side (section 5.4): where its owner says to be. That is a hint, which the owner's signature bears out
/// only in TO2.
#[derive(Debug)]
pub struct To1 {
    guid: Guid,
    sig_info: SigInfo,
    proved: bool,
}

impl To1 {
    /// Asks a rendezvous server.
    pub fn begin(credential: &Credential, secrets: &dyn DeviceSecrets) -> (Self, Message) {
        let (guid, sig_info) = (credential.guid, SigInfo(algorithm(&secrets.key())));
        let message = Message::new(MessageType::HelloRv, HelloRv { guid, sig_info }.encode());
        (Self { guid, sig_info, proved: false }, message)
    }

    /// Takes an answer. What comes at the end is the redirection, well-formed and as received.
    pub fn receive(
        &mut self,
        message_type: MessageType,
        body: &[u8],
        secrets: &dyn DeviceSecrets,
    ) -> Result<Step<Vec<u8>>, Failure> {
        if self.proved {
            expect(MessageType::RvRedirect, message_type, body)?;
            return Ok(Step::Done(Redirect::decode(body)?.as_bytes().to_vec()));
        }
        expect(MessageType::HelloRvAck, message_type, body)?;
        let HelloRvAck { nonce, sig_info } = HelloRvAck::decode(body)?;
        if sig_info != self.sig_info {
            return Err(Refusal::SigInfo.into());
        }
        let claims = Claims { nonce, guid: &self.guid, setup_nonce: None, exchange: None };
        let token = claims.sign(secrets)?;
        self.proved = true;
        Ok(Step::Send(Message::new(MessageType::ProveToRv, token)))
    }
}
