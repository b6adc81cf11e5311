use alloc::vec::Vec;

use cbor::{Order, Reader, Writer};
use cose::Sign1;
use crypto::Digest;

use crate::{
    Failure, OwnerAddress, PublicKey, Refusal,
    hash::{read_hash, write_hash},
    signer::{Signer, sign1, verify},
};

/// Where an owner says to be (to1d, section 5.3.3), believed by nobody: a rendezvous server hands it on as it came, and only
/// the device learns, in TO2, by whose key it must be signed.
#[derive(Clone, Debug)]
pub struct Redirect<'b> {
    raw: &'b [u8],
    message: Sign1<'b>,
    addresses: Vec<OwnerAddress>,
    registration: Digest,
}

impl<'b> Redirect<'b> {
    /// Reads a redirection.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Failure> {
        let message = Sign1::decode(bytes)?;
        let payload = message.payload().ok_or(cose::Error::PayloadMissing)?;
        let mut fields = Reader::with_order(payload, Order::Unique);
        fields.array_of(2)?;
        let addresses = OwnerAddress::read_list(&mut fields)?;
        let registration = read_hash(&mut fields)?;
        fields.end()?;
        Ok(Self { raw: bytes, message, addresses, registration })
    }

    /// A redirection to these addresses, signed by the owner.
    pub(crate) fn sign(
        addresses: &[OwnerAddress],
        registration: &Digest,
        owner: &dyn Signer,
    ) -> Result<Vec<u8>, Failure> {
        let payload = Writer::encode(|w| {
            w.array(2);
            OwnerAddress::write_list(addresses, w);
            write_hash(w, registration);
        });
        sign1(owner, &[], &payload)
    }

    /// The redirection as received.
    pub fn as_bytes(&self) -> &'b [u8] {
        self.raw
    }

    /// Where to look for the owner, the best first. Whoever goes there finds out only there whether it is the owner.
    pub fn addresses(&self) -> &[OwnerAddress] {
        &self.addresses
    }

    /// Hash of what the rendezvous server was told.
    pub fn registration(&self) -> &Digest {
        &self.registration
    }

    /// Whether it is by the owner with this key.
    pub fn verify(&self, owner: &PublicKey) -> Result<(), Failure> {
        verify(&self.message, owner.key()).map_err(|_| Refusal::Redirect.into())
    }
}
