//! Tokens in every form, nested and in bundles.

use std::collections::BTreeMap;

use cbor::Writer;
use cose::{Distrust as CoseDistrust, Mac0Builder, MacKey};
use crypto::{Digest, HashAlgorithm, SigningKey};

use super::{claims::full, distrust, key, nonce};
use crate::*;

/// Keys by the path of the token.
struct Keys(Vec<(&'static [&'static str], SigningKey)>);

impl TokenKeys for Keys {
    fn verify(&self, token: &TokenHint<'_>, check: TokenCheck<'_>) -> Result<(), Error> {
        let key = self.0.iter().find(|(path, _)| token.path == *path);
        check(key.ok_or(distrust(CoseDistrust::NoKey))?.1.public_key().into())
    }
}

fn shared() -> MacKey {
    MacKey::new(HashAlgorithm::Sha256, &[9; 32]).unwrap()
}

/// Claims that answer a nonce, with submodules.
fn claims<const N: usize>(answered: u8, submods: [(&str, Submodule); N]) -> Claims {
    let submods = submods.into_iter().map(|(name, submodule)| (name.into(), submodule)).collect();
    Claims { nonces: vec![nonce(answered)], submods, ..Claims::default() }
}

fn cwt(claims: &Claims, seed: u8) -> Vec<u8> {
    claims.sign_cwt(&key(seed), b"kid").unwrap()
}

fn jwt(claims: &Claims, seed: u8) -> String {
    claims.sign_jwt(&key(seed), b"kid").unwrap()
}

/// The text of a JWT with a MAC.
fn jwt_with_mac(claims: &Claims) -> String {
    let encode = |text: &str| base64url::encode(text.as_bytes());
    let signed = format!("{}.{}", encode(r#"{"alg":"HS256"}"#), encode(&claims.encode_json().unwrap()));
    let tag = crypto::hmac(HashAlgorithm::Sha256, &[9; 32], signed.as_bytes());
    format!("{signed}.{}", base64url::encode(tag.as_bytes()))
}

#[test]
fn a_token_verifies_with_its_key_in_every_form() {
    let mut claims = full();
    claims.nonces = vec![nonce(1), nonce(2)];
    claims.others.clear();
    claims.measres.clear();
    let key = key(1);
    let mac0 = Mac0Builder::new().kid(b"kid").authenticate(&shared(), &claims.encode());
    let forms = [
        (cwt(&claims, 1), TokenForm::Sign1, -7),
        (mac0, TokenForm::Mac0, 5),
        (jwt(&claims, 1).into_bytes(), TokenForm::Jwt, -7),
        (jwt_with_mac(&claims).into_bytes(), TokenForm::Jwt, 5),
    ];
    for (bytes, form, alg) in forms {
        let token = Token::decode(&bytes).unwrap();
        assert_eq!((token.form(), token.alg(), token.unverified()), (form, alg, &claims));
        let shared = shared();
        let (right, wrong): (TokenKey<'_>, TokenKey<'_>) = if alg == 5 {
            ((&shared).into(), key.public_key().into())
        } else {
            (key.public_key().into(), (&shared).into())
        };
        let verified = token.clone().verify(right, &nonce(2)).unwrap();
        assert_eq!((verified.claims(), verified.inner().len()), (&claims, 0));
        assert_eq!(token.clone().verify(right, &nonce(3)), Err(Distrust::Nonce.into()));
        // A key of another kind is none, so that nobody makes a MAC with a public key.
        assert_eq!(token.verify(wrong, &nonce(2)), Err(distrust(CoseDistrust::WrongAlgorithm(alg))));
        let mut broken = bytes.clone();
        let at = broken.len() - 10;
        broken[at] = if broken[at] == b'A' { b'B' } else { b'A' };
        let refusal = if alg == 5 { CoseDistrust::BadTag } else { CoseDistrust::BadSignature };
        assert_eq!(Token::decode(&broken).unwrap().verify(right, &nonce(2)), Err(distrust(refusal)));
    }
}

/// A JWT under a header with this value of `x5c`.
fn jwt_with_certificates(claims: &Claims, x5c: &str) -> Vec<u8> {
    let encode = |text: &str| base64url::encode(text.as_bytes());
    let header = format!(r#"{{"alg":"ES256","x5c":{x5c}}}"#);
    let signed = format!("{}.{}", encode(&header), encode(&claims.encode_json().unwrap()));
    let signature = base64url::encode(&key(1).sign(signed.as_bytes()));
    format!("{signed}.{signature}").into_bytes()
}

#[test]
fn the_certificates_of_a_jwt_are_read_from_its_signed_header() {
    let claims = claims(1, []);
    // Three bytes have no padding, and 0xfb needs a character that base64url does not have.
    let bytes = jwt_with_certificates(&claims, r#"["+/8=", "AQID"]"#);
    let token = Token::decode(&bytes).unwrap();
    assert_eq!(token.certificates(), [&[0xfb, 0xff][..], &[1, 2, 3]]);
    assert!(token.clone().verify(key(1).public_key(), &nonce(1)).is_ok());
    assert!(Token::decode(jwt(&claims, 1).as_bytes()).unwrap().certificates().is_empty());

    // Another header over the same signature.
    let text = String::from_utf8(bytes).unwrap();
    let (_, rest) = text.split_once('.').unwrap();
    for header in [r#"{"alg":"ES256","x5c":["AQID"]}"#, r#"{"alg":"ES256"}"#] {
        let changed = format!("{}.{rest}", base64url::encode(header.as_bytes()));
        let token = Token::decode(changed.as_bytes()).unwrap();
        let refused = token.verify(key(1).public_key(), &nonce(1));
        assert_eq!(refused, Err(distrust(CoseDistrust::BadSignature)));
    }

    let all = |count: usize| format!("[{}]", vec![r#""AQID""#; count].join(","));
    let most = jwt_with_certificates(&claims, &all(cose::MAX_CERTIFICATES));
    assert_eq!(Token::decode(&most).unwrap().certificates().len(), cose::MAX_CERTIFICATES);
    let malformed = "expected certificates in base64, one or more";
    let rows = [
        (all(cose::MAX_CERTIFICATES + 1), "more certificates than are read"),
        (r#""AQID""#.into(), malformed),
        ("[]".into(), malformed),
        ("[7]".into(), malformed),
        (r#"[""]"#.into(), malformed),
        // Base64url, without padding, with a line break, with bits beyond the last byte.
        (r#"["-_8="]"#.into(), malformed),
        (r#"["+/8"]"#.into(), malformed),
        (r#"["AQ\nID"]"#.into(), malformed),
        (r#"["+/9="]"#.into(), malformed),
    ];
    for (x5c, rule) in rows {
        let refused = Token::decode(&jwt_with_certificates(&claims, &x5c)).map(drop);
        assert_eq!(refused, Err(JsonError::member("x5c", rule).into()), "{x5c}");
    }
}

#[test]
fn nested_tokens_are_verified_each_with_its_own_key() {
    let deepest = claims(1, []);
    let jwt_inside = jwt(&claims(2, [("deep", Submodule::Token(NestedToken::Cbor(cwt(&deepest, 4))))]), 3);
    let own = claims(1, [("by jwt", Submodule::Token(NestedToken::Jwt(jwt_inside)))]);
    let outer = claims(
        1,
        [
            ("own", Submodule::Claims(Box::new(own))),
            ("se", Submodule::Token(NestedToken::Cbor(cwt(&claims(1, []), 2)))),
        ],
    );
    let keys = || {
        vec![
            ([].as_slice(), key(1)),
            (&["se"], key(2)),
            (&["own", "by jwt"], key(3)),
            (&["own", "by jwt", "deep"], key(4)),
        ]
    };
    for bytes in [cwt(&outer, 1), jwt(&outer, 1).into_bytes()] {
        let token = Token::decode(&bytes).unwrap();
        let verified = token.clone().verify_all(&Keys(keys()), &nonce(1)).unwrap();
        let inner: Vec<_> =
            verified.inner().iter().map(|(path, inner)| (path.join("/"), inner.fresh)).collect();
        assert_eq!(
            inner,
            [("own/by jwt".into(), false), ("own/by jwt/deep".into(), true), ("se".into(), true)]
        );
        let views: Vec<_> = EvidenceView::of_token(&verified)
            .iter()
            .map(|(path, view)| (path.join("/"), view.nonces.contains(&nonce(1))))
            .collect();
        let of = |path: &str, fresh| (String::from(path), fresh);
        assert_eq!(
            views,
            [
                of("", true),
                of("own", true),
                of("own/by jwt", false),
                of("own/by jwt/deep", true),
                of("se", true)
            ]
        );
        // Whoever asks for the outer signature alone gets the others as bytes.
        let outer_only = token.clone().verify(key(1).public_key(), &nonce(1)).unwrap();
        assert!(matches!(outer_only.claims().submods["se"], Submodule::Token(NestedToken::Cbor(_))));
        for missing in 0..4 {
            let mut some = keys();
            some.remove(missing);
            assert_eq!(token.clone().verify_all(&Keys(some), &nonce(1)), Err(distrust(CoseDistrust::NoKey)));
        }
        // The key of the surrounding token does not vouch for the one within.
        let mut swapped = keys();
        swapped[1].1 = key(1);
        assert_eq!(token.verify_all(&Keys(swapped), &nonce(1)), Err(distrust(CoseDistrust::BadSignature)));
    }
}

/// A key for every token.
struct OneKey(SigningKey);

impl TokenKeys for OneKey {
    fn verify(&self, _: &TokenHint<'_>, check: TokenCheck<'_>) -> Result<(), Error> {
        check(self.0.public_key().into())
    }
}

/// Whoever asks for no check.
struct Careless;

impl TokenKeys for Careless {
    fn verify(&self, _: &TokenHint<'_>, _: TokenCheck<'_>) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn a_token_that_no_key_was_put_to_is_refused() {
    let bytes = cwt(&claims(1, []), 1);
    let refused = Token::decode(&bytes).unwrap().verify_all(&Careless, &nonce(1));
    assert_eq!(refused, Err(distrust(CoseDistrust::NoKey)));
}

#[test]
fn depth_and_count_of_nested_tokens_hold_at_the_limit_and_one_past_it() {
    let deep = |depth: usize| {
        let inner = (0..depth).fold(claims(1, []), |inner, _| {
            claims(1, [("s", Submodule::Token(NestedToken::Cbor(cwt(&inner, 1))))])
        });
        cwt(&inner, 1)
    };
    let wide = |count: usize| {
        let mut outer = claims(1, []);
        let token = NestedToken::Cbor(cwt(&claims(1, []), 1));
        outer.submods = (0..count).map(|n| (n.to_string(), Submodule::Token(token.clone()))).collect();
        cwt(&outer, 1)
    };
    let verify = |bytes: &[u8]| {
        Token::decode(bytes).unwrap().verify_all(&OneKey(key(1)), &nonce(1)).map(|t| t.inner().len())
    };
    assert_eq!(verify(&deep(MAX_TOKEN_NESTING)), Ok(MAX_TOKEN_NESTING));
    assert_eq!(verify(&deep(MAX_TOKEN_NESTING + 1)), Err(Distrust::NestedTokens.into()));
    assert_eq!(verify(&wide(MAX_NESTED_TOKENS)), Ok(MAX_NESTED_TOKENS));
    assert_eq!(verify(&wide(MAX_NESTED_TOKENS + 1)), Err(Distrust::NestedTokens.into()));
}

fn sets() -> BTreeMap<String, Claims> {
    let tee = Claims { swname: Some("tee".into()), ..claims(1, []) };
    BTreeMap::from([("tee".into(), tee), ("os".into(), claims(1, []))])
}

fn digest_of(bytes: &[u8]) -> Submodule {
    Submodule::Detached(Digest::of(HashAlgorithm::Sha256, bytes))
}

fn main_of(sets: &BTreeMap<String, Claims>) -> Claims {
    let mut main = claims(1, []);
    main.submods = sets.iter().map(|(name, set)| (name.clone(), digest_of(&set.encode()))).collect();
    main
}

#[test]
fn every_set_of_a_bundle_is_covered_by_a_digest() {
    let sets = sets();
    let main = NestedToken::Cbor(cwt(&main_of(&sets), 1));
    let bundle = |sets: &BTreeMap<String, Claims>| Bundle::new(main.clone(), sets).encode();
    let verify = |bytes: &[u8]| Bundle::decode(bytes)?.verify_all(&OneKey(key(1)), &nonce(1));
    let good = bundle(&sets);
    assert_eq!(Bundle::decode(&good).unwrap().encode(), good);
    let verified = verify(&good).unwrap();
    assert_eq!(verified.detached()[&vec![String::from("tee")]].swname.as_deref(), Some("tee"));
    // A digest whose set is elsewhere stays a digest.
    let mut fewer = sets.clone();
    fewer.remove("os");
    assert_eq!(verify(&bundle(&fewer)).unwrap().detached().len(), 1);
    let mut more = sets.clone();
    more.insert("rogue".into(), claims(1, []));
    assert_eq!(verify(&bundle(&more)), Err(Distrust::UncoveredSet.into()));
    let mut other = sets.clone();
    other.insert("tee".into(), claims(1, []));
    assert_eq!(verify(&bundle(&other)), Err(Distrust::DetachedDigest.into()));
    let stale = Bundle::decode(&good).unwrap().verify_all(&OneKey(key(1)), &nonce(2));
    assert_eq!(stale, Err(Distrust::Nonce.into()));
    let forged = Bundle::decode(&good).unwrap().verify_all(&OneKey(key(2)), &nonce(1));
    assert_eq!(forged, Err(distrust(CoseDistrust::BadSignature)));
}

#[test]
fn bundles_in_json_and_within_tokens_verify() {
    let set = claims(1, []).encode_json().unwrap();
    let main = claims(1, [("tee", digest_of(set.as_bytes()))]);
    let text = format!(r#"[["JWT","{}"],{{"tee":"{}"}}]"#, jwt(&main, 1), base64url::encode(set.as_bytes()));
    let bundle = Bundle::decode(text.as_bytes()).unwrap();
    assert_eq!(bundle.encode(), text.as_bytes());
    assert_eq!(bundle.verify_all(&OneKey(key(1)), &nonce(1)).unwrap().detached().len(), 1);
    let cbor = Bundle::new(NestedToken::Cbor(cwt(&main_of(&sets()), 1)), &sets()).encode();
    let outer = claims(
        1,
        [
            ("json", Submodule::Token(NestedToken::JsonBundle(text))),
            ("cbor", Submodule::Token(NestedToken::Cbor(cbor))),
        ],
    );
    for bytes in [cwt(&outer, 1), jwt(&outer, 1).into_bytes()] {
        let verified = Token::decode(&bytes).unwrap().verify_all(&OneKey(key(1)), &nonce(1)).unwrap();
        let paths: Vec<_> = verified.detached().keys().map(|path| path.join("/")).collect();
        assert_eq!(paths, ["cbor/os", "cbor/tee", "json/tee"]);
    }
}

#[test]
fn refuses_bundles_that_break_one_rule() {
    let bundle = |write: fn(&mut Writer)| Bundle::decode(&Writer::encode(write)).unwrap_err();
    let rule = |at, rule| Error::Malformed(cbor::Error::rule(at, rule));
    let nested = "main token is a bundle";
    let sets = "bundle has not 1 to 64 sets";
    assert_eq!(bundle(|w| _ = w.array(2)), rule(0, "bundle is not tagged"));
    assert_eq!(bundle(|w| _ = w.tag(602).array(2).bytes(&[0xd9, 0x02, 0x5a, 0x80]).map(0)), rule(4, nested));
    assert_eq!(bundle(|w| _ = w.tag(602).array(2).text("[\"BUNDLE\",[]]").map(0)), rule(4, nested));
    assert_eq!(bundle(|w| _ = w.tag(602).array(2).bytes(&[]).map(0)), rule(5, sets));
    assert_eq!(
        bundle(|w| _ = w.tag(602).array(2).bytes(&[]).map(1).int(1).bytes(&[])),
        rule(6, "map key is not a text")
    );
    let many = |count: usize| {
        let sets = (0..count).map(|n| (n.to_string(), Claims::default())).collect();
        Bundle::decode(&Bundle::new(NestedToken::Cbor(vec![]), &sets).encode()).err()
    };
    assert_eq!(many(MAX_DETACHED_SETS), None);
    assert_eq!(many(MAX_DETACHED_SETS + 1), Some(rule(5, sets)));
    let json = |text: &str| match Bundle::decode(text.as_bytes()) {
        Err(Error::MalformedJson(error)) => error.rule,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(json("[]"), "bundle is not an array of a token and sets");
    assert_eq!(json(r#"[["BUNDLE",[]],{"a":""}]"#), nested);
    assert_eq!(json(r#"[["JWT","x"],{}]"#), sets);
    assert_eq!(json(r#"[["JWT","x"],{"a":1}]"#), "expected base64url without padding");
    let long = Bundle::decode(&vec![b' '; MAX_BUNDLE_LEN + 1]);
    assert_eq!(long, Err(cbor::Error::new(0, cbor::Reason::TooLong { limit: MAX_BUNDLE_LEN }).into()));
}

#[test]
fn unprotected_claims_need_a_caller_who_names_their_protection() {
    let unprotected = UnprotectedClaims::from(claims(1, []));
    let bytes = unprotected.encode();
    let decoded = UnprotectedClaims::decode(&bytes).unwrap();
    assert_eq!(decoded, unprotected);
    let json = claims(1, []).encode_json().unwrap();
    assert_eq!(UnprotectedClaims::decode_json(json.as_bytes()).unwrap(), unprotected);
    let carried = decoded.clone().carried_by(OuterProtection::SecureChannel, Some(&nonce(1))).unwrap();
    assert_eq!(
        (carried.protection(), carried.claims()),
        (OuterProtection::SecureChannel, decoded.unverified())
    );
    assert_eq!(EvidenceView::from(&carried).nonces, [nonce(1)]);
    let stale = decoded.carried_by(OuterProtection::SignedEnvelope, Some(&nonce(2)));
    assert_eq!(stale, Err(Distrust::Nonce.into()));
    assert_eq!(Token::decode(&bytes), Err(Feature::UnprotectedClaimsSet.into()));
    let untagged = cbor::Error::rule(0, "claims-set is not tagged as unprotected");
    assert_eq!(UnprotectedClaims::decode(&[0xa0]), Err(untagged.into()));
    // Within a token they would be of nobody in particular.
    let outer = cwt(&claims(1, [("s", Submodule::Token(NestedToken::Cbor(bytes)))]), 1);
    let refused = Token::decode(&outer).unwrap().verify_all(&OneKey(key(1)), &nonce(1));
    assert_eq!(refused, Err(Feature::UnprotectedClaimsSet.into()));
}

#[test]
fn object_identifiers_and_media_types_are_compared_after_parsing() {
    for (text, bytes) in
        [("2.999.1", vec![0x88, 0x37, 0x01]), ("1.2.840.113549", vec![0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d])]
    {
        assert_eq!(oid::from_dotted(text).unwrap(), bytes);
        assert_eq!(oid::to_dotted(&bytes).unwrap(), text);
    }
    for text in ["1", "1.40", "3.1", "1..2", "1.02", "1.x", "", "tag:a"] {
        assert_eq!(oid::from_dotted(text), None, "{text}");
    }
    for bytes in [[].as_slice(), &[0x80, 0x01], &[0x2a, 0x86], &[0xff; 6]] {
        assert_eq!(oid::to_dotted(bytes), None, "{bytes:?}");
    }
    let parse = |text: &str| MediaType::parse(text).unwrap();
    let psa = parse("Application/EAT+CWT ;Eat_Profile=\"tag:psacertified.org,2023:psa#tfm\"");
    assert_eq!(psa.content_format(), Some(10003));
    assert_eq!(psa.eat_profile(), Some(Profile::Uri("tag:psacertified.org,2023:psa#tfm".into())));
    assert_eq!(
        parse("application/eat+cwt; eat_profile=2.999.1").eat_profile(),
        Some(Profile::Oid(vec![0x88, 0x37, 1]))
    );
    assert_eq!(parse("a/b;x=\"q\\\"1\";c=d;").to_string(), "a/b; c=d; x=\"q\\\"1\"");
    for (format, text) in CONTENT_FORMATS {
        assert_eq!(parse(text).content_format(), Some(format), "{text}");
        assert_eq!(MediaType::of_content_format(format), Some(parse(text)));
        assert_eq!(parse(&parse(text).to_string()), parse(text));
    }
    for text in
        ["", "a", "a/", "/b", "a/b c", "a/b;c", "a/b;c=", "a/b;c=1;C=2", "a/b;c=\"1", "a/b;c=\"\u{1}\""]
    {
        assert!(MediaType::parse(text).is_err(), "{text}");
    }
}
