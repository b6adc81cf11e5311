//! What must hold for any input: the decoder returns, and what it accepts survives a round trip.

use coswid::{Entity, File, Hash, Link, Received, Rel, Role, Tag, TagBuilder, TagId, VersionScheme};
use proptest::prelude::*;
use sextant_coswid as coswid;

fn tag() -> impl Strategy<Value = Tag> {
    let file =
        (".*", proptest::option::of(".*"), any::<Option<u64>>(), any::<Option<bool>>(), any::<[u8; 32]>());
    let files = proptest::collection::vec(file, 0..5);
    (any::<[u8; 16]>(), ".*", any::<i64>(), files, any::<bool>()).prop_map(
        |(id, name, version, files, is_patch)| {
            let mut builder = TagBuilder::payload(TagId::Uuid(id), name)
                .tag_version(version)
                .version("1.0.0", VersionScheme::Semver)
                .entity(Entity::new("Acme", [Role::TagCreator, Role::Other(-3)]));
            if is_patch {
                builder = builder.patch().link(Link::new(Rel::Patches, "swid:x"));
            }
            let files = files.into_iter().map(|(name, location, size, key, hash)| File {
                location,
                size,
                key,
                hash: Hash::new(1, &hash),
                ..File::new(name)
            });
            files.fold(builder, TagBuilder::file).build().unwrap()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_input_makes_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Received::decode(&bytes);
    }

    #[test]
    fn an_altered_tag_is_refused_or_survives_a_round_trip(
        tag in tag(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = tag.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        prop_assert!(Tag::decode(&bytes[..at]).is_err());
        if let Ok(altered) = Tag::decode(&bytes) {
            let encoded = altered.encode();
            prop_assert_eq!(Tag::decode(&encoded).unwrap().encode(), encoded);
            altered.measured_files().iter().for_each(|file| _ = file.path());
        }
    }

    #[test]
    fn a_tag_survives_a_round_trip(tag in tag()) {
        prop_assert_eq!(Tag::decode(tag.as_bytes()).unwrap(), tag);
    }
}
