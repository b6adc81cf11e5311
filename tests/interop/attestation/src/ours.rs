//! What is measured of this product. aws-lc does the curves.

use std::hint::black_box;

use corim::Received;
use cose::{Purpose, TrustAnchor, TrustAnchors};
use eat::{AttestationResult, CcaToken, PsaToken, SignedResult};

use crate::{
    Subject,
    inputs::{Inputs, NOW},
};

pub fn subjects(inputs: &Inputs) -> Vec<Subject<'_>> {
    let anchor = TrustAnchor::new(inputs.verifier.public_key().clone(), Purpose::Result, "verifier");
    let anchors = TrustAnchors::new(vec![anchor]);
    let verify = |name, bytes| {
        let anchors = anchors.clone();
        Subject::new(name, move || {
            let result = SignedResult::decode(black_box(bytes)).expect("a good result");
            black_box(result.verify(&anchors, NOW, None).expect("signed by the verifier"));
        })
    };
    let sign_jwt = |name, result: &AttestationResult| {
        let result = result.clone();
        Subject::new(name, move || {
            black_box(black_box(&result).sign_jwt(&inputs.verifier, &inputs.kid).expect("a result"));
        })
    };
    let signature = inputs.verifier.sign(&inputs.cwt);
    vec![
        Subject::new("cca, ours", || {
            let token = CcaToken::decode(black_box(&inputs.cca)).expect("a good token");
            black_box(token.verify(&inputs.cca_key, &inputs.cca_nonce).expect("signed by the platform"));
        }),
        Subject::new("psa, ours", || {
            let token = PsaToken::decode(black_box(&inputs.psa)).expect("a good token");
            black_box(token.verify(&inputs.psa_key, &inputs.psa_nonce).expect("signed by the device"));
        }),
        verify("verify cwt, ours", &inputs.cwt),
        verify("verify jwt, ours", inputs.jwt.as_bytes()),
        verify("verify old jwt, ours", inputs.old_jwt.as_bytes()),
        Subject::new("sign cwt, ours", || {
            black_box(black_box(&inputs.result).sign_cwt(&inputs.verifier, &inputs.kid).expect("a result"));
        }),
        sign_jwt("sign jwt, ours", &inputs.result),
        sign_jwt("sign old jwt, ours", &inputs.old_result),
        Subject::new("corim, ours", || {
            black_box(Received::decode(black_box(&inputs.corim)).expect("a good manifest"));
        }),
        Subject::new("verification, ours", move || {
            let key = inputs.verifier.public_key();
            key.verify(black_box(&inputs.cwt), &signature).expect("our own signature");
        }),
        Subject::new("signature, ours", || {
            black_box(inputs.verifier.sign(black_box(&inputs.cwt)));
        }),
    ]
}
