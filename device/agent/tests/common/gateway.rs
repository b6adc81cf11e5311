//! The admission face of a gateway, which refuses the first proof it gets.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use api::Base64Url;
use cbor::Reader;
use cose::Sign1;
use crypto::PublicKey;
use serde_json::json;

use super::server::{Request, Response, converse, respond};

const NONCE: [u8; 16] = [6; 16];

pub(crate) struct FakeGateway {
    pub(crate) url: String,
    state: Arc<Mutex<Admissions>>,
}

#[derive(Default)]
pub(crate) struct Admissions {
    pub(crate) refused: usize,
    /// UEID and result of each proof it took.
    pub(crate) taken: Vec<(Vec<u8>, Vec<u8>)>,
}

impl FakeGateway {
    /// A gateway that knows one device's key.
    pub(crate) fn start(key: PublicKey) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(Admissions::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (key, state) = (key.clone(), Arc::clone(&shared));
                thread::spawn(move || {
                    converse(stream, |request| state.lock().unwrap().answer(&key, request))
                });
            }
        });
        Self { url, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, Admissions> {
        self.state.lock().unwrap()
    }
}

impl Admissions {
    fn answer(&mut self, key: &PublicKey, request: &Request) -> Option<Response> {
        assert_eq!(request.path, "/.well-known/sextant/admission");
        if request.method == "GET" {
            return Some(respond("200 OK", &json!({"nonce": Base64Url::encode(&NONCE)})));
        }
        assert_eq!(request.headers["content-type"], api::COSE);
        let message = Sign1::decode(&request.body).unwrap();
        message.verify(key, None, b"sextant-admission").unwrap();
        let mut reader = Reader::new(message.payload().unwrap());
        let mut map = reader.map().unwrap();
        let mut members = Vec::new();
        while map.next_int(&mut reader).unwrap().is_some() {
            members.push(reader.bytes().unwrap().to_vec());
        }
        let [nonce, ueid, result] = members.try_into().unwrap();
        assert_eq!(nonce, NONCE);
        if self.refused == 0 {
            self.refused += 1;
            return Some(respond("422 Unprocessable Content", &json!({"code": "replayed-nonce"})));
        }
        self.taken.push((ueid, result));
        Some(Response { body: Vec::new(), ..respond("204 No Content", &json!({})) })
    }
}
