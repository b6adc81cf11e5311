use crate::{ErrorMessage, Failure, Message, MessageType};

/// What comes next on the side that asks.
#[derive(Debug)]
pub enum Step<T> {
    /// A message is to be sent, and its answer to be received.
    Send(Message),
    /// The protocol is done.
    Done(T),
}

/// An answer that was due, or why it is none.
pub(crate) fn expect(expected: MessageType, found: MessageType, body: &[u8]) -> Result<(), Failure> {
    match found {
        MessageType::Error => Err(Failure::Reported(ErrorMessage::decode(body)?.into())),
        found if found == expected => Ok(()),
        found => Err(Failure::OutOfOrder { found }),
    }
}
