//! Peers in Go: Veraison's `psatoken`, `ear` and `corim` in a process of their own, which times them itself and is told
//! when. Go's own library does the curves.

use std::{
    cell::RefCell,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;

use crate::{Subject, inputs::Inputs};

pub struct Peer {
    process: Child,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

/// What the program knows to do.
const SUBJECTS: [&str; 6] = [
    "psa, psatoken",
    "verify old jwt, ear of Go",
    "sign old jwt, ear of Go",
    "corim, corim of Go",
    "verification, Go",
    "signature, Go",
];

impl Peer {
    /// Runs the program on one core and gives it what it works on.
    pub fn start(program: &str, inputs: &Inputs) -> Self {
        let mut process = Command::new(program)
            .env("GOMAXPROCS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program was built");
        let input = process.stdin.take().expect("it is piped");
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        let text = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
        let peer = Self { process, pipes: RefCell::new((input, output)) };
        let ready = peer.ask(&json!({
            "psa": text(&inputs.psa),
            "psa_key": text(&inputs.psa_key.to_spki_der()),
            "result": inputs.old_jwt,
            "verifier": text(&inputs.verifier.to_pkcs8_der()),
            "corim": text(&inputs.corim),
        }));
        assert_eq!(ready, "ready");
        peer
    }

    pub fn subjects(&self) -> Vec<Subject<'_>> {
        let subject = |name: &'static str| Subject {
            name: name.into(),
            time: Box::new(move |calls| {
                self.ask(&json!({"do": name, "calls": calls})).parse().expect("seconds")
            }),
        };
        SUBJECTS.map(subject).into()
    }

    /// One line there, one line back.
    fn ask(&self, question: &serde_json::Value) -> String {
        let (input, output) = &mut *self.pipes.borrow_mut();
        writeln!(input, "{question}").expect("it listens");
        let mut answer = String::new();
        output.read_line(&mut answer).expect("it answers");
        answer.trim().to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _ended = self.process.wait();
    }
}
