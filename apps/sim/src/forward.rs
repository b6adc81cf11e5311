//! A door into a namespace: connections to an address of this machine go on to one inside.

use std::{
    io,
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use crate::netns::Namespace;

/// How long the far end may take to accept.
const PATIENCE: Duration = Duration::from_secs(5);

/// Listens on a free port of the loopback, as long as the process lives, and gives its address.
///
/// A socket stays in the namespace it was made in, whichever thread uses it: one thread made inside is the whole bridge.
pub fn forward(space: &Namespace, to: SocketAddr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    space.spawn(move || {
        for near in listener.incoming().flatten() {
            thread::spawn(move || {
                if let Ok(far) = TcpStream::connect_timeout(&to, PATIENCE) {
                    // Either side may end it; then there is nothing left to do.
                    let _ended = join(near, far);
                }
            });
        }
    })?;
    Ok(address)
}

fn join(near: TcpStream, far: TcpStream) -> io::Result<()> {
    let (near_too, far_too) = (near.try_clone()?, far.try_clone()?);
    let back = thread::spawn(move || pump(far_too, near_too));
    pump(near, far);
    back.join().map_err(|_| io::ErrorKind::Other.into())
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let _ended = io::copy(&mut from, &mut to);
    let _ended = to.shutdown(Shutdown::Write);
}
