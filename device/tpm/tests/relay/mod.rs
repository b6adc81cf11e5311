//! What stands between a user and a TPM: sees every command, and does with answers what a test says.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

use sextant_tpm::Address;

/// What becomes of an answer to the command of this code; nothing where the connection ends in its place.
pub(crate) type Change = dyn FnMut(u32, Vec<u8>) -> Option<Vec<u8>> + Send;

#[derive(Clone)]
pub(crate) struct Relay {
    pub(crate) address: Address,
    state: Arc<Mutex<State>>,
}

struct State {
    change: Box<Change>,
    commands: Vec<u32>,
}

impl Relay {
    pub(crate) fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { change: Box::new(|_, answer| Some(answer)), commands: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // What breaks off is what the test wants to break off.
                let _broken = serve(stream.unwrap(), &socket, &shared);
            }
        });
        Self { address: Address::Tcp { host: "127.0.0.1".into(), port }, state }
    }

    pub(crate) fn change(&self, change: impl FnMut(u32, Vec<u8>) -> Option<Vec<u8>> + Send + 'static) {
        self.state.lock().unwrap().change = Box::new(change);
    }

    /// Codes of the commands since this was asked last.
    pub(crate) fn commands(&self) -> Vec<u32> {
        std::mem::take(&mut self.state.lock().unwrap().commands)
    }
}

fn serve(mut user: TcpStream, socket: &Path, state: &Mutex<State>) -> std::io::Result<()> {
    let mut tpm = UnixStream::connect(socket)?;
    loop {
        let command = whole(&mut user)?;
        let code = u32::from_be_bytes(command[6..10].try_into().unwrap());
        tpm.write_all(&command)?;
        let answer = whole(&mut tpm)?;
        let mut state = state.lock().unwrap();
        state.commands.push(code);
        match (state.change)(code, answer) {
            Some(answer) => user.write_all(&answer)?,
            None => return Ok(()),
        }
    }
}

fn whole(from: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; 10];
    from.read_exact(&mut message)?;
    let len = u32::from_be_bytes(message[2..6].try_into().unwrap()) as usize;
    message.resize(len, 0);
    from.read_exact(&mut message[10..])?;
    Ok(message)
}
