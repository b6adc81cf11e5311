//! Storage of devices of which thousands hold the same: equal areas are kept once.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, Weak},
};

use crypto::{Digest, HashAlgorithm};
use device_core::{Area, Storage};

/// Areas shorter than this are not looked for elsewhere: remembering where they are costs as much.
const WORTH_SHARING: usize = 1024;

/// Where contents are kept that many devices have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Warehouse {
    goods: Arc<Mutex<Goods>>,
}

/// Contents that somebody holds, by their SHA-256.
type Goods = HashMap<Vec<u8>, Weak<[u8]>>;

/// The areas of one device. What it writes is its own until it is synced; then it is shared with every device that
/// holds the same bytes.
#[derive(Clone, Debug)]
pub(crate) struct SharedStorage {
    warehouse: Warehouse,
    areas: Vec<(Area, Content)>,
}

#[derive(Clone, Debug)]
enum Content {
    Own(Vec<u8>),
    Shared(Arc<[u8]>),
}

impl Warehouse {
    /// The one copy of these bytes.
    fn share(&self, bytes: &[u8]) -> Arc<[u8]> {
        let digest = Digest::of(HashAlgorithm::Sha256, bytes).as_bytes().to_vec();
        let mut goods = self.goods.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(shared) = goods.get(&digest).and_then(Weak::upgrade) {
            return shared;
        }
        goods.retain(|_, kept| kept.strong_count() > 0);
        let shared: Arc<[u8]> = bytes.into();
        goods.insert(digest, Arc::downgrade(&shared));
        shared
    }
}

impl SharedStorage {
    /// Empty storage.
    pub(crate) fn new(warehouse: &Warehouse) -> Self {
        Self { warehouse: warehouse.clone(), areas: Vec::new() }
    }

    /// Flips the lowest bit of the byte in the middle of an area, as a fault or an attacker does. Says whether there
    /// was a byte.
    pub(crate) fn flip(&mut self, area: Area) -> bool {
        let bytes = self.own(area);
        let middle = bytes.len() / 2;
        let flipped = bytes.get_mut(middle).map(|byte| *byte ^= 1).is_some();
        self.share(area);
        flipped
    }

    fn content(&self, area: Area) -> &[u8] {
        match self.areas.iter().find(|(other, _)| *other == area) {
            Some((_, Content::Own(bytes))) => bytes,
            Some((_, Content::Shared(bytes))) => bytes,
            None => &[],
        }
    }

    /// The bytes of an area, no longer shared.
    fn own(&mut self, area: Area) -> &mut Vec<u8> {
        let place = match self.areas.iter().position(|(other, _)| *other == area) {
            Some(place) => place,
            None => {
                self.areas.push((area, Content::Own(Vec::new())));
                self.areas.len() - 1
            }
        };
        let content = &mut self.areas[place].1;
        if let Content::Shared(bytes) = content {
            *content = Content::Own(bytes.to_vec());
        }
        match content {
            Content::Own(bytes) => bytes,
            Content::Shared(_) => unreachable!("it was made its own just now"),
        }
    }

    fn share(&mut self, area: Area) {
        let Self { warehouse, areas } = self;
        if let Some((_, content)) = areas.iter_mut().find(|(other, _)| *other == area)
            && let Content::Own(bytes) = content
        {
            if bytes.len() >= WORTH_SHARING {
                *content = Content::Shared(warehouse.share(bytes));
            } else {
                bytes.shrink_to_fit();
            }
        }
    }
}

impl Storage for SharedStorage {
    type Error = Infallible;

    fn len(&self, area: Area) -> Result<u64, Infallible> {
        Ok(self.content(area).len() as u64)
    }

    fn read(&self, area: Area, offset: u64, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let content = self.content(area);
        let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn erase(&mut self, area: Area) -> Result<(), Infallible> {
        self.areas.retain(|(other, _)| *other != area);
        Ok(())
    }

    fn append(&mut self, area: Area, bytes: &[u8]) -> Result<(), Infallible> {
        self.own(area).extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self, area: Area) -> Result<(), Infallible> {
        self.share(area);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use device_core::{Slot, read_all};

    use super::*;

    const IMAGE: Area = Area::Image(Slot::A, 0);

    fn shared(storage: &SharedStorage) -> Option<&Arc<[u8]>> {
        storage.areas.iter().find_map(|(area, content)| match content {
            Content::Shared(bytes) if *area == IMAGE => Some(bytes),
            _ => None,
        })
    }

    fn written(warehouse: &Warehouse, bytes: &[u8]) -> SharedStorage {
        let mut storage = SharedStorage::new(warehouse);
        for piece in bytes.chunks(1000) {
            storage.append(IMAGE, piece).unwrap();
        }
        storage.sync(IMAGE).unwrap();
        storage
    }

    #[test]
    fn equal_areas_are_kept_once_and_go_with_their_last_holder() {
        let warehouse = Warehouse::default();
        let image = vec![7; 100_000];
        let devices: Vec<_> = (0..50).map(|_| written(&warehouse, &image)).collect();
        let first = shared(&devices[0]).unwrap();
        assert!(devices.iter().all(|device| Arc::ptr_eq(first, shared(device).unwrap())));
        assert_eq!(Arc::strong_count(first), 50);
        drop(devices);
        let other = written(&warehouse, &vec![8; 2000]);
        assert_eq!(warehouse.goods.lock().unwrap().len(), 1);
        drop(other);
    }

    #[test]
    fn a_change_is_one_devices_own() {
        let warehouse = Warehouse::default();
        let image = vec![7; 2000];
        let mut one = written(&warehouse, &image);
        let other = one.clone();
        assert!(one.flip(IMAGE));
        let changed = read_all(&one, IMAGE, 4000).unwrap().unwrap();
        assert_eq!(changed.iter().zip(&image).filter(|(left, right)| left != right).count(), 1);
        assert_eq!(read_all(&other, IMAGE, 4000).unwrap().unwrap(), image);
        one.append(IMAGE, b"more").unwrap();
        assert_eq!((one.len(IMAGE).unwrap(), other.len(IMAGE).unwrap()), (2004, 2000));
        assert!(!one.flip(Area::Staged(0)));
    }

    #[test]
    fn reads_like_any_storage() {
        let mut storage = SharedStorage::new(&Warehouse::default());
        storage.append(IMAGE, b"first ").unwrap();
        storage.append(IMAGE, b"second").unwrap();
        storage.sync(IMAGE).unwrap();
        let mut buffer = [0; 16];
        assert_eq!(storage.read(IMAGE, 6, &mut buffer).unwrap(), 6);
        assert_eq!(&buffer[..6], b"second");
        assert_eq!(storage.read(IMAGE, 99, &mut buffer).unwrap(), 0);
        storage.erase(IMAGE).unwrap();
        assert_eq!(storage.len(IMAGE).unwrap(), 0);
    }
}
