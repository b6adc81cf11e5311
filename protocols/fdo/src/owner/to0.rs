use crypto::Digest;

use crate::{
    AcceptOwner, Failure, HelloAck, Message, MessageType, OwnedVoucher, OwnerAddress, OwnerKey, OwnerSign,
    Redirect, Refusal,
    signer::strength,
    step::{Step, expect},
};

/// TO0 on the owner's side (section 5.3).
#[derive(Debug)]
pub struct To0<'a> {
    voucher: &'a OwnedVoucher<'a>,
    addresses: &'a [OwnerAddress],
    wait_seconds: u32,
    signed: bool,
}

impl<'a> To0<'a> {
    /// Begins to tell a rendezvous server where the owner of a device is, and for how many seconds that is to be remembered.
    pub fn begin(
        voucher: &'a OwnedVoucher<'a>,
        addresses: &'a [OwnerAddress],
        wait_seconds: u32,
    ) -> (Self, Message) {
        let message = Message::new(MessageType::Hello, crate::message::nothing());
        (Self { voucher, addresses, wait_seconds, signed: false }, message)
    }

    /// Takes an answer. What comes at the end is for how many seconds the server remembers.
    pub fn receive(
        &mut self,
        message_type: MessageType,
        body: &[u8],
        owner: &dyn OwnerKey,
    ) -> Result<Step<u32>, Failure> {
        if self.signed {
            expect(MessageType::AcceptOwner, message_type, body)?;
            return match AcceptOwner::decode(body)?.wait_seconds {
                0 => Err(Refusal::NoWait.into()),
                seconds => Ok(Step::Done(seconds)),
            };
        }
        expect(MessageType::HelloAck, message_type, body)?;
        let HelloAck(nonce) = HelloAck::decode(body)?;
        let to0d = OwnerSign::encode_to0d(self.voucher.voucher().as_bytes(), self.wait_seconds, &nonce);
        let algorithm = strength(&self.voucher.device_key().clone().into(), &owner.key());
        let redirect = Redirect::sign(self.addresses, &Digest::of(algorithm, &to0d), owner)?;
        self.signed = true;
        Ok(Step::Send(Message::new(MessageType::OwnerSign, OwnerSign::encode(&to0d, &redirect))))
    }
}
