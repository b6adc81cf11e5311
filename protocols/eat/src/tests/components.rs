use crypto::{Digest, HashAlgorithm};

use crate::*;

const FORMATS: MeasuredComponentFormats = MeasuredComponentFormats { cbor: 65000, json: 65001 };

fn component() -> MeasuredComponent {
    MeasuredComponent {
        name: "loader".into(),
        version: Some(VersionText { text: "1.2".into(), scheme: Some(VersionScheme::Int(16384)) }),
        measurement: Measurement::Digest(Digest::of(HashAlgorithm::Sha384, b"x")),
        authorities: vec![vec![1; 32], vec![2]],
        flags: Some([0, 1, 2, 3, 4, 5, 6, 7]),
    }
}

#[test]
fn components_survive_a_round_trip_in_both_forms() {
    let raw = MeasuredComponent {
        version: None,
        measurement: Measurement::Raw(vec![1, 2]),
        authorities: Vec::new(),
        flags: None,
        ..component()
    };
    assert!(component().needs_profile() && !raw.needs_profile());
    for component in [component(), raw] {
        assert_eq!(MeasuredComponent::decode(&component.encode()), Ok(component.clone()));
        assert_eq!(MeasuredComponent::decode_json(component.encode_json().as_bytes()), Ok(component));
    }
}

#[test]
fn refuses_components_in_json_that_break_one_rule() {
    let rows = [
        ("[]", "expected an object"),
        (r#"{"x":1}"#, "member is not known"),
        ("{}", "member is missing"),
        (r#"{"id":[]}"#, "component id is not an array of a name and a version"),
        (r#"{"id":[""]}"#, "component has no name"),
        (r#"{"id":["a","1"]}"#, "version is not an array of a text and a scheme"),
        (r#"{"id":["a"]}"#, "member is missing"),
        (
            r#"{"id":["a"],"raw-measurement":"AA","digested-measurement":["sha-256",""]}"#,
            "component has a digest and a raw measurement",
        ),
        (r#"{"id":["a"],"digested-measurement":["sha-1","AA"]}"#, "hash algorithm is not supported"),
        (r#"{"id":["a"],"digested-measurement":[1,"AA"]}"#, "digest is not an algorithm and its digest"),
        (r#"{"id":["a"],"raw-measurement":"AA","authorities":[]}"#, "array is empty"),
        (r#"{"id":["a"],"raw-measurement":"AA","flags":"AA"}"#, "length is not allowed"),
    ];
    for (text, rule) in rows {
        match MeasuredComponent::decode_json(text.as_bytes()) {
            Err(Error::MalformedJson(error)) => assert_eq!(error.rule, rule, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn components_are_read_in_either_form_through_either_token() {
    let component = component();
    let bytes = component.encode();
    let contents = vec![
        Content::bytes(65000, bytes.as_slice()),
        Content { format: 65000, body: ContentBody::Text(base64url::encode(&bytes)) },
        Content { format: 65001, body: ContentBody::Text(component.encode_json()) },
        Content::bytes(65001, component.encode_json()),
        Content::bytes(258, [0xa0]),
    ];
    let view = EvidenceView::of_claims(&Claims { measurements: contents, ..Claims::default() });
    let mut read = view.clone();
    FORMATS.read(&mut read, true).unwrap();
    assert_eq!((read.items.len(), read.contents.len()), (4, 1));
    for item in &read.items {
        assert_eq!(item, &MeasuredItem::from(&component));
    }
    // What only a profile gives a meaning to refuses the whole where the profile is not known.
    let mut unknown = view;
    assert_eq!(FORMATS.read(&mut unknown, false), Err(Distrust::Profile.into()));
}
