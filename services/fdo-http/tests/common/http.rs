//! HTTP/1.1 as far as clients of FDO use it, and what a server can do wrong with it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use fdo::{ErrorCode, ErrorMessage, Host, MAX_MESSAGE_LEN, Message, MessageType, Target};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivatePkcs8KeyDer};

use super::{Party, State};

/// What a server does wrong with one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misbehaviour {
    /// It answers bytes that are no CBOR.
    Garbage,
    /// It answers with the longest message that there may be.
    Longest,
    /// It answers with one byte more.
    TooLong,
    /// It answers with a body that never ends.
    Endless,
    /// It never answers.
    Silent,
    /// It answers one byte at a time, and takes long.
    Trickle,
    /// It answers with the right body under another message type.
    WrongType,
    /// It does not say which message it is.
    NoType,
    /// It says a type that nobody knows.
    OddType,
    /// It closes the connection.
    Drop,
    /// It closes the connection in the middle of the answer.
    Cut,
    /// It speaks something else than HTTP.
    NotHttp,
    /// It points elsewhere.
    Redirect,
    /// An error of the protocol, with this status and with or without its type.
    Error(u16, bool),
    /// A status and nothing more.
    Status(u16),
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) message_type: Option<u8>,
    pub(crate) token: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, message_type: None, token: None, body: Vec::new() }
    }

    pub(crate) fn message(message: &Message) -> Self {
        let message_type = Some(message.message_type.number());
        Self { status: 200, message_type, token: None, body: message.body.clone() }
    }

    pub(crate) fn error_message(status: u16) -> Self {
        Self { message_type: Some(MessageType::Error.number()), ..Self::status(status) }
    }

    pub(crate) fn error(status: u16, code: ErrorCode, previous: u8) -> Self {
        let code = code.number();
        let message = ErrorMessage { code, previous, text: "no".into(), at: None, correlation: None };
        Self { body: message.encode(), ..Self::error_message(status) }
    }

    fn head(&self, length: usize) -> String {
        let mut head = format!(
            "HTTP/1.1 {} Status\r\ncontent-type: application/cbor\r\ncontent-length: {length}\r\n",
            self.status
        );
        if let Some(number) = self.message_type {
            head += &format!("message-type: {number}\r\n");
        }
        if let Some(token) = &self.token {
            head += &format!("authorization: {token}\r\n");
        }
        head + "\r\n"
    }
}

/// Starts the server on a port of its own. Its threads end with the process.
pub(crate) fn start(tls: bool) -> Party {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let target = Target { tls, host: Host::Ip([127, 0, 0, 1].into()), port };
    let state = Arc::new(Mutex::new(State::new(&target)));
    let (config, certificate, authority) = server_config();
    let shared = state.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, state) = (config.clone(), shared.clone());
            thread::spawn(move || {
                if tls {
                    let Ok(connection) = ServerConnection::new(config) else { return };
                    serve(StreamOwned::new(connection, stream), &state);
                } else {
                    serve(stream, &state);
                }
            });
        }
    });
    Party { target, certificate, authority, state }
}

/// A certificate for the address, by an authority that is sent along.
fn server_config() -> (Arc<ServerConfig>, Vec<u8>, Vec<u8>) {
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key).expect("a certificate");
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().expect("a key");
    let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".into()]).expect("an address");
    let leaf = leaf.signed_by(&key, &issuer).expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone(), authority_certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .expect("a configuration");
    (Arc::new(config), leaf.der().to_vec(), authority_certificate.der().to_vec())
}

fn serve<S: Read + Write>(stream: S, state: &Mutex<State>) {
    let mut stream = BufReader::new(stream);
    while let Some((number, token, body)) = read_request(&mut stream) {
        let (answer, wrong) = {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let wrong = match &mut state.wrong {
                Some((of, wrong, left)) if *of == number && *left > 0 => {
                    *left -= 1;
                    Some(*wrong)
                }
                _ => None,
            };
            (state.answer(number, token.as_deref(), &body), wrong)
        };
        let stream = stream.get_mut();
        let done = match wrong {
            None => send(stream, &answer),
            Some(wrong) => misbehave(stream, wrong, answer),
        };
        if done.is_none() {
            return;
        }
    }
}

fn read_request(stream: &mut impl BufRead) -> Option<(u8, Option<String>, Vec<u8>)> {
    let mut line = || {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let (method, rest) = first.split_once(' ')?;
    assert_eq!(method, "POST");
    let number = rest.strip_prefix("/fdo/101/msg/").expect("the path of messages");
    let number = number.split(' ').next()?.parse().expect("a number");
    let (mut length, mut token, mut content_type) = (None, None, None);
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok(),
            "authorization" => token = Some(value.trim().to_owned()),
            "content-type" => content_type = Some(value.trim().to_owned()),
            "transfer-encoding" => panic!("some servers take no chunks"),
            _ => {}
        }
    }
    assert_eq!(content_type.as_deref(), Some("application/cbor"));
    let mut body = vec![0; length.expect("some servers want the length")];
    stream.read_exact(&mut body).ok()?;
    Some((number, token, body))
}

fn send(stream: &mut impl Write, answer: &Answer) -> Option<()> {
    write(stream, &[answer.head(answer.body.len()).as_bytes(), &answer.body].concat())
}

fn write(stream: &mut impl Write, bytes: &[u8]) -> Option<()> {
    stream.write_all(bytes).and_then(|()| stream.flush()).ok()
}

/// Answers as no server should; nothing where the connection is over.
fn misbehave(stream: &mut impl Write, wrong: Misbehaviour, mut answer: Answer) -> Option<()> {
    match wrong {
        Misbehaviour::Garbage => answer.body = vec![0xff; 20],
        // A byte string that fills the message.
        Misbehaviour::Longest | Misbehaviour::TooLong => {
            let length = MAX_MESSAGE_LEN - 3 + usize::from(wrong == Misbehaviour::TooLong);
            answer.body = vec![0; length + 3];
            answer.body[0] = 0x59;
            answer.body[1..3].copy_from_slice(&u16::try_from(length).expect("two bytes").to_be_bytes());
        }
        Misbehaviour::WrongType => {
            let other =
                MessageType::ALL.into_iter().find(|other| Some(other.number()) != answer.message_type);
            answer.message_type = other.map(MessageType::number);
        }
        Misbehaviour::NoType => answer.message_type = None,
        Misbehaviour::OddType => answer.message_type = Some(99),
        Misbehaviour::Status(status) => answer = Answer::status(status),
        Misbehaviour::Error(status, typed) => {
            answer = Answer::error(status, ErrorCode::NotFound, 0);
            answer.message_type = answer.message_type.filter(|_| typed);
        }
        Misbehaviour::Drop => return None,
        Misbehaviour::Cut => {
            write(stream, answer.head(answer.body.len() + 1).as_bytes())?;
            write(stream, &answer.body)?;
            return None;
        }
        Misbehaviour::NotHttp => {
            write(stream, b"SSH-2.0-OpenSSH_9.9\r\n\r\n\r\n")?;
            return None;
        }
        Misbehaviour::Redirect => {
            write(
                stream,
                b"HTTP/1.1 307 Elsewhere\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            )?;
            return Some(());
        }
        Misbehaviour::Endless => {
            write(stream, b"HTTP/1.1 200 OK\r\nmessage-type: 31\r\ntransfer-encoding: chunked\r\n\r\n")?;
            // A gigabyte is endless enough for a test that fails.
            for _ in 0..1 << 14 {
                write(stream, b"10000\r\n")?;
                write(stream, &[0; 0x10000])?;
                write(stream, b"\r\n")?;
            }
            return None;
        }
        Misbehaviour::Silent => {
            thread::sleep(Duration::from_secs(60));
            return None;
        }
        Misbehaviour::Trickle => {
            let mut bytes = answer.head(answer.body.len()).into_bytes();
            bytes.extend_from_slice(&answer.body);
            for byte in bytes {
                thread::sleep(Duration::from_millis(50));
                write(stream, &[byte])?;
            }
            return Some(());
        }
    }
    send(stream, &answer)
}

/// Nothing listens there.
pub(crate) fn nowhere() -> Target {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    Target { tls: false, host: Host::Ip([127, 0, 0, 1].into()), port }
}

/// A connection that says nothing in TLS.
pub(crate) fn mute() -> Target {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        let kept: Vec<TcpStream> = listener.incoming().flatten().collect();
        drop(kept);
    });
    Target { tls: true, host: Host::Ip([127, 0, 0, 1].into()), port }
}
