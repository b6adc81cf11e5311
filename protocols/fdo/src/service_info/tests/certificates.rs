//! Certificates for devices.

use std::{cell::RefCell, rc::Rc};

use cbor::Writer;

use super::pair::*;
use crate::service_info::{modules::*, *};

/// What a device wants, and what it got.
#[derive(Clone, Default)]
struct Wish(Rc<RefCell<WishState>>);

#[derive(Default)]
struct WishState {
    format: Option<CertificateFormat>,
    request: Option<Vec<u8>>,
    authorities: Vec<Vec<u8>>,
    certificate: Option<Vec<u8>>,
    refused: Vec<(CsrRequest, CsrError)>,
    bears_refusal: bool,
}

impl Wish {
    fn new(format: Option<CertificateFormat>, request: &[u8]) -> Self {
        let request = Some(request.to_vec());
        Self(Rc::new(RefCell::new(WishState {
            format,
            request,
            bears_refusal: true,
            ..WishState::default()
        })))
    }
}

impl Enrolment for Wish {
    fn authorities_format(&self) -> Option<CertificateFormat> {
        self.0.borrow().format
    }

    fn request(&mut self) -> Option<Vec<u8>> {
        self.0.borrow_mut().request.take()
    }

    fn authorities(&mut self, _: CertificateFormat, der: &[u8]) -> Result<(), ModuleFault> {
        self.0.borrow_mut().authorities.push(der.to_vec());
        Ok(())
    }

    fn certificate(&mut self, der: &[u8]) -> Result<(), ModuleFault> {
        self.0.borrow_mut().certificate = Some(der.to_vec());
        Ok(())
    }

    fn refused(&mut self, request: CsrRequest, error: CsrError) -> Result<(), ModuleFault> {
        let mut state = self.0.borrow_mut();
        state.refused.push((request, error));
        if state.bears_refusal { Ok(()) } else { Err(ModuleFault::Failed) }
    }
}

#[test]
fn device_gets_certificates_in_lists_of_any_length() {
    for budget in BUDGETS {
        let request = vec![9; 2000];
        let wish = Wish::new(Some(CertificateFormat::Pkix), &request);
        let program = program(vec![required(Action::Csr)]);
        let module = Csr::new(wish.clone());
        let ran =
            run(&program, vec![Box::new(module)], World::default(), (budget, budget)).expect("succeeds");
        assert_eq!(ran.outcomes, [Outcome::Done(0)]);
        let state = wish.0.borrow();
        assert_eq!(state.authorities, [b"authority"]);
        assert_eq!(state.certificate, Some([b"certificate for ", &request[..]].concat()));
        assert!(ran.largest_state < 4000, "{}", ran.largest_state);
    }
}

#[test]
fn refusals_reach_the_device_by_their_numbers() {
    // An authority without the form that was wanted: the device goes on to its own certificate.
    let wish = Wish::new(Some(CertificateFormat::Pkcs7), b"request");
    let program = program(vec![optional(Action::Csr)]);
    run(&program, vec![Box::new(Csr::new(wish.clone()))], World::default(), (300, 300)).expect("goes on");
    assert_eq!(wish.0.borrow().refused, [(CsrRequest::Authorities, CsrError::UnsupportedFormat)]);
    assert!(wish.0.borrow().certificate.is_some());

    for (error, number) in [
        (CsrError::BadRequest, 1),
        (CsrError::Unauthorized, 2),
        (CsrError::NotSupported, 3),
        (CsrError::RateExceeded, 4),
        (CsrError::UnsupportedFormat, 5),
        (CsrError::Other(6), 6),
    ] {
        for bears_refusal in [true, false] {
            let wish = Wish::new(None, b"request");
            wish.0.borrow_mut().bears_refusal = bears_refusal;
            let world = World { authority: Authority { refuses: Some(error) }, ..World::default() };
            let ran = run(&program, vec![Box::new(Csr::new(wish.clone()))], world, (300, 300));
            assert_eq!(wish.0.borrow().refused, [(CsrRequest::Enrolment, error)]);
            match ran {
                Ok(ran) => assert!(bears_refusal && ran.outcomes == [Outcome::Failed(number)]),
                Err(ended) => assert!(!bears_refusal && ended == (Side::Device, ModuleFault::Failed.into())),
            }
        }
    }
}

/// What a device module says to one message of the owner once it has asked for a certificate.
fn answered(message: &str, value: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    let wish = Wish::new(None, b"request");
    let mut module = Csr::new(wish.clone());
    let mut out = Outgoing::new();
    module.poll(&mut out).expect("asks");
    module.receive(message, value, &mut out).map_err(|fault| fault.code())?;
    Ok(wish.0.borrow().certificate.clone())
}

#[test]
fn certificates_are_base64_with_line_breaks_or_without() {
    let text = |text: &str| Writer::encode(|w| _ = w.text(text));
    for base64 in ["AQIDBA==", "AQID\r\nBA==\r\n", " A Q I D\nBA== "] {
        assert_eq!(answered("simpleenroll-res", &text(base64)), Ok(Some(vec![1, 2, 3, 4])), "{base64}");
    }
    for base64 in ["", "\n", "AQIDBA", "-----BEGIN CERTIFICATE-----", "AQID_A=="] {
        assert_eq!(answered("simpleenroll-res", &text(base64)), Err("module-value-malformed"), "{base64}");
    }
    assert_eq!(answered("simpleenroll-res", &[0x41, 1]), Err("module-value-malformed"));
    assert!(answered("simpleenroll-res", &text(&"A".repeat(MAX_CSR_LEN))).is_ok());
    assert_eq!(answered("simpleenroll-res", &text(&"A".repeat(MAX_CSR_LEN + 4))), Err("module-too-large"));
    assert_eq!(answered("cacerts-res", &text("AQID")), Err("module-out-of-order"));
    assert_eq!(answered("serverkeygen-res", &text("AQID")), Err("module-message-unknown"));
    let mut idle = Csr::new(Wish::new(None, b""));
    assert_eq!(idle.receive("error", &[1], &mut Outgoing::new()), Err(ModuleFault::OutOfOrder));
}
