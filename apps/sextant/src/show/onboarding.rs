use fdo::{Credential, OwnerAddress, Redirect};

use crate::{
    node::{Map, Node},
    show,
};

/// What a device knows of its owner.
pub(crate) fn credential(credential: &Credential) -> Map {
    Map::new()
        .with("kind", "device credential (FDO)")
        .with("guid", Node::shown(credential.guid))
        .with("ueid", Node::hex(&credential.guid.ueid()))
        .with("device", credential.device_info.as_str())
        .with("rendezvous", show::voucher::rendezvous(&credential.rendezvous))
        .with("owner_key_hash", Node::shown(credential.owner))
        .with("owner_key_type", credential.owner_key_type.name())
}

/// Where an owner says to be, whoever signed it.
pub(crate) fn redirect(redirect: &Redirect<'_>) -> Map {
    Map::new()
        .with("kind", "redirection to an owner (FDO)")
        .with("owner", Node::List(redirect.addresses().iter().map(address).collect()))
        .with("registration", Node::shown(redirect.registration()))
        .with("signature", "by the owner of the voucher, for the device to check")
}

fn address(address: &OwnerAddress) -> Node {
    match address.targets() {
        Ok(targets) => Node::list(targets),
        Err(reason) => Node::shown(format_args!("of no use: {}", reason.code())),
    }
}
