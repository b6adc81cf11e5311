use std::{
    fs,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use crate::{
    Error, Process,
    client::{Client, ServerPlace},
    patience::Patience,
};

/// How long a process may take until it answers.
pub(crate) const START: Duration = Duration::from_secs(20);

/// A server that answers, its certificate and its credential for whoever started it.
pub(crate) struct Reached {
    pub(crate) place: ServerPlace,
    pub(crate) client: Client,
}

/// Waits for the first run of a server: its certificate, its credential for us, its first answer.
pub(crate) fn reach_server(
    server: &mut Process,
    data: &Path,
    url: &str,
    stop: &Arc<AtomicBool>,
) -> Result<Reached, Error> {
    let patience = Patience::new("the server answers", START, Arc::clone(stop));
    let answer = || -> Result<Reached, String> {
        let read = |name: &str| fs::read(data.join(name)).map_err(|error| format!("{name}: {error}"));
        let (token, certificate) = (read("admin.token")?, read("tls/cert.pem")?);
        let token = String::from_utf8_lossy(&token).trim().to_owned();
        let place = ServerPlace::new(url, &certificate).map_err(|error| error.chain())?;
        let client = Client::new(&place, Some(&token));
        match client.anonymous().status("/healthz") {
            Ok(200) => Ok(Reached { place, client }),
            Ok(status) => Err(format!("status {status}")),
            Err(error) => Err(error.chain()),
        }
    };
    loop {
        server.check()?;
        match answer() {
            Ok(reached) => return Ok(reached),
            Err(last) => patience.again(last)?,
        }
    }
}
