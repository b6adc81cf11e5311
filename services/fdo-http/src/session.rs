use std::time::{Duration, Instant};

use fdo::{
    ErrorCode, ErrorMessage, Failure, MAX_MESSAGE_LEN, Message, MessageType, Pins, Step, SubProtocol, Target,
};
use ureq::{
    Agent,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    unversioned::{
        resolver::DefaultResolver,
        transport::{Connector as _, TcpConnector},
    },
};

use crate::{Cause, Client, Error, HttpFault, tls::TlsConnector};

/// Path of messages, before their number (section 4.3: the version is part of it).
const PATH: &str = "/fdo/101/msg/";
const CBOR: &str = "application/cbor";
/// The header that says which message an answer is.
const MESSAGE_TYPE: &str = "message-type";

/// One protocol with one server. The token that the server gives is the session's, and the newest one counts.
#[derive(Debug)]
pub struct Session {
    agent: Agent,
    protocol: SubProtocol,
    target: Target,
    token: Option<HeaderValue>,
    exchange: Duration,
    deadline: Instant,
}

impl Session {
    pub(crate) fn open(
        client: &Client,
        protocol: SubProtocol,
        target: &Target,
        pins: &Pins,
    ) -> Result<Self, Error> {
        let limits = client.limits;
        let first = match protocol {
            SubProtocol::Di => MessageType::AppStart,
            SubProtocol::To0 => MessageType::Hello,
            SubProtocol::To1 => MessageType::HelloRv,
            SubProtocol::To2 => MessageType::HelloDevice,
        };
        let connector = TlsConnector::new(&client.tls, target, pins).map_err(|fault| Error {
            protocol,
            message: first,
            target: target.clone(),
            cause: fault.into(),
        })?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("sextant/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(limits.connect))
            .timeout_per_read(Some(limits.stall))
            .timeout_per_write(Some(limits.stall))
            .build();
        let connector = ().chain(TcpConnector::default()).chain(connector);
        Ok(Self {
            agent: Agent::with_parts(config, connector, DefaultResolver::default()),
            protocol,
            target: target.clone(),
            token: None,
            exchange: limits.exchange,
            deadline: Instant::now() + limits.session,
        })
    }

    /// Carries out a protocol from its first message: `receive` takes each answer and says what comes next. What it does not
    /// take, the server is told.
    pub fn run<T>(
        &mut self,
        first: Message,
        mut receive: impl FnMut(MessageType, &[u8]) -> Result<Step<T>, Cause>,
    ) -> Result<T, Error> {
        let mut message = first;
        loop {
            let sent = message.message_type;
            let (found, body) = self.exchange(&message)?;
            match receive(found, &body) {
                Ok(Step::Send(next)) => message = next,
                Ok(Step::Done(value)) => return Ok(value),
                Err(cause) => {
                    if let Cause::Protocol(failure) = &cause {
                        self.tell(failure, found);
                    }
                    return Err(self.error(sent, cause));
                }
            }
        }
    }

    /// Sends a message and gets what is answered: which message it says to be, and its body.
    fn exchange(&mut self, message: &Message) -> Result<(MessageType, Vec<u8>), Error> {
        self.try_exchange(message).map_err(|fault| {
            if fault.is_answer() {
                self.report(&ErrorMessage {
                    code: ErrorCode::MessageBody.number(),
                    previous: message.message_type.number(),
                    text: fault.code().into(),
                    at: None,
                    correlation: None,
                });
            }
            self.error(message.message_type, fault.into())
        })
    }

    fn try_exchange(&mut self, message: &Message) -> Result<(MessageType, Vec<u8>), HttpFault> {
        if message.body.len() > MAX_MESSAGE_LEN {
            return Err(HttpFault::TooLong);
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(HttpFault::TimeLimit);
        }
        let mut response = self.post(message.message_type, &message.body, left.min(self.exchange))?;
        if let Some(token) = response.headers().get(header::AUTHORIZATION) {
            let mut token = token.clone();
            token.set_sensitive(true);
            self.token = Some(token);
        }
        let (status, found) = (response.status(), message_type(response.headers()));
        // One byte more than there may be tells that there are too many.
        let body = response.body_mut().with_config().limit(MAX_MESSAGE_LEN as u64 + 1).read_to_vec()?;
        if body.len() > MAX_MESSAGE_LEN {
            return Err(HttpFault::TooLong);
        }
        if status == StatusCode::OK {
            return Ok((found.ok_or(HttpFault::NoMessageType)?, body));
        }
        // Servers differ in the status of errors, and in whether they say that it is one.
        match found {
            Some(MessageType::Error) => Ok((MessageType::Error, body)),
            None if ErrorMessage::decode(&body).is_ok() => Ok((MessageType::Error, body)),
            _ => Err(HttpFault::Status(status.as_u16())),
        }
    }

    fn post(
        &self,
        message_type: MessageType,
        body: &[u8],
        limit: Duration,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let url = format!("{}{PATH}{}", self.target, message_type.number());
        let mut request = self.agent.post(url).header(header::CONTENT_TYPE, CBOR);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token.clone());
        }
        request.config().timeout_global(Some(limit)).build().send(body)
    }

    /// Tells the server why it is not heard any further.
    fn tell(&self, failure: &Failure, found: MessageType) {
        if let Some(message) = failure.message(found) {
            self.report(&message);
        }
    }

    /// Whoever never gave a token has no session to end. What becomes of the report changes nothing here.
    fn report(&self, message: &ErrorMessage) {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if self.token.is_some() && !left.is_zero() {
            let _told = self.post(MessageType::Error, &message.encode(), left.min(self.exchange));
        }
    }

    /// Why it ended at a message.
    pub(crate) fn error(&self, message: MessageType, cause: Cause) -> Error {
        Error { protocol: self.protocol, message, target: self.target.clone(), cause }
    }
}

fn message_type(headers: &HeaderMap) -> Option<MessageType> {
    let number = headers.get(MESSAGE_TYPE)?.to_str().ok()?;
    MessageType::from_number(number.trim().parse().ok()?)
}
