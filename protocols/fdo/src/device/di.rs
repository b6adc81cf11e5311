use crate::{
    AppStart, Credential, DeviceInfo, DeviceSecrets, Failure, Message, MessageType, SetCredentials, SetHmac,
    message::empty,
    signer::strength,
    step::{Step, expect},
};

/// DI on the device's side (section 5.2), in the factory: whoever answers becomes its manufacturer.
#[derive(Debug)]
pub struct Di {
    credential: Option<Credential>,
}

impl Di {
    /// Begins with what the device tells its manufacturer.
    pub fn begin(info: DeviceInfo) -> (Self, Message) {
        let message = Message::new(MessageType::AppStart, AppStart::Device(info).encode());
        (Self { credential: None }, message)
    }

    /// Takes an answer. The credential that comes at the end is the caller's to keep.
    pub fn receive(
        &mut self,
        message_type: MessageType,
        body: &[u8],
        secrets: &dyn DeviceSecrets,
    ) -> Result<Step<Credential>, Failure> {
        if let Some(credential) = self.credential.take() {
            expect(MessageType::DiDone, message_type, body)?;
            empty(body)?;
            return Ok(Step::Done(credential));
        }
        expect(MessageType::SetCredentials, message_type, body)?;
        let SetCredentials { header_bytes, header } = SetCredentials::decode(body)?;
        let algorithm = strength(&secrets.key(), header.manufacturer.key());
        let hmac = secrets.hmac(algorithm, &header_bytes)?;
        self.credential = Some(Credential::of(header, algorithm));
        Ok(Step::Send(Message::new(MessageType::SetHmac, SetHmac(hmac).encode())))
    }
}
