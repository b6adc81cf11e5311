//! A relay between a device that keeps to the first token of its session and a server that gives another with every answer.

use std::{
    collections::HashMap,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

/// Answers at a listener with what a server answers, until this process ends. Only the token is another one.
pub(crate) fn start(listener: TcpListener, agent: ureq::Agent, server: String) {
    std::thread::spawn(move || {
        // By the first token of a session, the newest.
        let mut newest = HashMap::new();
        for stream in listener.incoming() {
            // Who broke off asks again or fails, and says so.
            let _answered = stream.and_then(|stream| relay(stream, &agent, &server, &mut newest));
        }
    });
}

fn relay(
    mut stream: TcpStream,
    agent: &ureq::Agent,
    server: &str,
    newest: &mut HashMap<String, String>,
) -> io::Result<()> {
    let mut request = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    request.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut first, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        request.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => first = Some(value.to_owned()),
            "content-length" => length = value.parse().map_err(io::Error::other)?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    request.read_exact(&mut body)?;

    let mut asked = agent.post(format!("{server}{path}")).header("content-type", "application/cbor");
    if let Some(first) = &first {
        asked = asked.header("authorization", newest.get(first).unwrap_or(first));
    }
    let mut answer = asked.send(&body).map_err(io::Error::other)?;
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let (token, kind) =
        (header("authorization").map(str::to_owned), header("message-type").map(str::to_owned));
    let token = token.unwrap_or_default();
    let first = first.unwrap_or_else(|| token.clone());
    newest.insert(first.clone(), token);
    let body = answer.body_mut().read_to_vec().map_err(io::Error::other)?;
    write!(
        stream,
        "HTTP/1.1 {}\r\nContent-Type: application/cbor\r\nMessage-Type: {}\r\nAuthorization: {first}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        answer.status(),
        kind.unwrap_or_default(),
        body.len()
    )?;
    stream.write_all(&body)
}
