//! Ownership vouchers (FDO): stored as received, verified whenever they are read. One that holds binds the key of its device.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use crypto::HashAlgorithm;
use fdo::{Guid, Voucher};
use serde_json::{Value, json};
use store::{NewObject, ObjectId, ObjectRecord, VoucherId};
use trust::{Reason, VouchedDevice, Vouchers, admit_voucher};

use crate::app::{App, Failure, reasons, releases::hex, rfc3339};

/// The stored vouchers, as last read.
#[derive(Clone, Default)]
pub(crate) struct Vouched {
    /// The devices of those that hold.
    pub(crate) devices: Vouchers,
    /// The one voucher of each device, whether it holds or not.
    objects: BTreeMap<Guid, VoucherId>,
}

impl App {
    /// What vouchers say, as last verified.
    pub(crate) fn vouched(&self) -> Arc<Vouched> {
        self.vouched.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Verifies every stored voucher again. One that does not hold binds nothing, and is told aloud.
    pub(crate) async fn read_vouchers(&self) -> Result<(), store::Error> {
        let _one_at_a_time = self.reading.lock().await;
        let (mut vouched, mut expected) = (Vouched::default(), Vec::new());
        for record in self.store.objects::<VoucherId>().await? {
            let Some(guid) = guid_of(&record) else {
                tracing::error!(voucher = %record.id, "a stored voucher is not the one that came");
                continue;
            };
            if vouched.objects.contains_key(&guid) {
                tracing::error!(voucher = %record.id, %guid, "a second voucher of a device is stored");
                continue;
            }
            vouched.objects.insert(guid, record.id);
            match self.verify_voucher(&record.bytes) {
                Ok(device) => {
                    vouched.devices.add(device);
                    expected.push(record.bytes);
                }
                Err(reason) => {
                    tracing::warn!(voucher = %record.id, %guid, %reason, "a voucher does not hold any more");
                }
            }
        }
        self.change_vouched(|present| *present = vouched);
        self.expect_devices_again(&expected).await
    }

    fn change_vouched(&self, change: impl FnOnce(&mut Vouched)) {
        let mut vouched = self.vouched.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut vouched));
        drop(vouched);
        self.judge_foreign_later();
    }

    /// Takes a voucher by which a trusted manufacturer made a device that is now the operator's. There is one for each
    /// device. What is refused leaves an audit record.
    pub(crate) async fn add_voucher(&self, bytes: Vec<u8>, actor: &str) -> Result<api::Voucher, Failure> {
        self.add_voucher_to(bytes, "", actor).await
    }

    /// The same of a device that is to be in a group.
    pub(crate) async fn add_voucher_to(
        &self,
        bytes: Vec<u8>,
        group: &str,
        actor: &str,
    ) -> Result<api::Voucher, Failure> {
        let id = VoucherId::of(&bytes);
        let device = match self.verify_voucher(&bytes) {
            Ok(device) => device,
            Err(reason) => {
                let detail = json!(reasons::to_api(&reason));
                self.audit(actor, "voucher.refuse", format!("object:{id}"), detail).await?;
                return Err(Failure::Refused(reason));
            }
        };
        let guid = device.guid;
        let one_at_a_time = self.reading.lock().await;
        if self.vouched().objects.contains_key(&guid) {
            return Err(Failure::Conflict("a voucher of this device is stored".to_owned()));
        }
        let about = Some(about(&guid, &id, Some(&device)));
        let new = NewObject { bytes: bytes.clone(), at: self.now(), actor: actor.to_owned(), about };
        self.store.add_object::<VoucherId>(new).await?;
        self.change_vouched(|vouched| {
            vouched.objects.insert(guid, id);
            vouched.devices.add(device);
        });
        drop(one_at_a_time);
        // Where the server ends before that, the next start expects the device.
        self.expect_device(&bytes, group).await?;
        self.registration_nudge.notify_one();
        self.voucher_view(guid).await
    }

    /// Every voucher.
    pub(crate) async fn voucher_views(&self) -> Result<Vec<api::Voucher>, Failure> {
        let vouched = self.vouched();
        let records = self.store.objects::<VoucherId>().await?;
        Ok(records.iter().filter_map(|record| view(record, &vouched)).collect())
    }

    /// The voucher of one device.
    pub(crate) async fn voucher_view(&self, guid: Guid) -> Result<api::Voucher, Failure> {
        view(&self.voucher(guid).await?, &self.vouched()).ok_or(Failure::NotFound)
    }

    /// The voucher of one device as it was received.
    pub(crate) async fn voucher(&self, guid: Guid) -> Result<ObjectRecord<VoucherId>, Failure> {
        let id = *self.vouched().objects.get(&guid).ok_or(Failure::NotFound)?;
        self.store.object(id).await?.ok_or(Failure::NotFound)
    }

    /// Takes a voucher away: the key of its device is nobody's, until another one says so.
    pub(crate) async fn remove_voucher(&self, guid: Guid, actor: &str) -> Result<(), Failure> {
        let _one_at_a_time = self.reading.lock().await;
        let vouched = self.vouched();
        let id = *vouched.objects.get(&guid).ok_or(Failure::NotFound)?;
        let about = about(&guid, &id, vouched.devices.device(&guid));
        // What nobody else holds is changed where it is, and not copied.
        drop(vouched);
        self.store.remove_object(id, about, actor, self.now()).await?;
        self.change_vouched(|vouched| {
            vouched.objects.remove(&guid);
            vouched.devices.remove(&guid);
        });
        Ok(())
    }

    fn verify_voucher(&self, bytes: &[u8]) -> Result<VouchedDevice, Reason> {
        admit_voucher(bytes, &self.config.vouchers)
    }
}

/// Which device a stored voucher is of, unless somebody altered it.
fn guid_of(record: &ObjectRecord<VoucherId>) -> Option<Guid> {
    let voucher = Voucher::decode(&record.bytes).ok()?;
    (VoucherId::of(&record.bytes) == record.id).then_some(voucher.header().guid)
}

/// Subject and detail of a change in the audit chain.
fn about(guid: &Guid, id: &VoucherId, device: Option<&VouchedDevice>) -> (String, Value) {
    let key = device.map(|device| thumbprint(&device.key));
    (format!("voucher:{guid}"), json!({ "object": id.to_string(), "device_key": key }))
}

/// A voucher as the API shows it. One that was altered is not shown, and was told aloud when it was read.
fn view(record: &ObjectRecord<VoucherId>, vouched: &Vouched) -> Option<api::Voucher> {
    let voucher = Voucher::decode(&record.bytes).ok()?;
    let header = voucher.header();
    let guid = header.guid;
    if vouched.objects.get(&guid) != Some(&record.id) {
        return None;
    }
    let device = vouched.devices.device(&guid);
    Some(api::Voucher {
        guid: guid.to_string(),
        ueid: hex(&guid.ueid()),
        device: header.device_info.clone(),
        entries: voucher.entries().len(),
        device_key: device.map(|device| thumbprint(&device.key)),
        manufacturer: device.map(|device| hex(device.manufacturer.thumbprint().as_bytes())),
        owner: device.map(|device| hex(device.owner.thumbprint().as_bytes())),
        holds: device.is_some(),
        digest: record.id.to_string(),
        received_at: rfc3339(record.received_at),
        received_by: record.received_by.clone(),
    })
}

fn thumbprint(key: &crypto::PublicKey) -> String {
    hex(cose::thumbprint(key, HashAlgorithm::Sha256).as_bytes())
}
