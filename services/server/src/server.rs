use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use store::Store;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

use crate::{
    Config, Error,
    app::{
        App,
        credentials::{self, WELCOME, WELCOME_SECONDS},
    },
    http, keys, reconcile, serve, tls,
};

/// A running server.
pub struct Server {
    local_addr: SocketAddr,
    admin_link: Option<String>,
    certificate: PathBuf,
    admin_token: PathBuf,
    app: Arc<App>,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts: reads or makes keys, certificate and database, verifies every stored release, listens.
    pub async fn start(config: Config) -> Result<Self, Error> {
        keys::private_folder(&config.data)?;
        let files = tls::Files::load(&config)?;
        let acceptor = TlsAcceptor::from(files.server_config()?);
        let store = Store::open(&config.data.join("sextant.sqlite")).await?;
        let address = config.listen;
        let listener =
            TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })?;
        let local_addr = listener.local_addr().map_err(|source| Error::Listen { address, source })?;
        let (head_timeout, admin_token) = (config.head_timeout, config.data.join("admin.token"));
        let named = config.names.first().cloned();
        let (public_url, own) = (public_url(&config, local_addr), files.certificates()?);
        let app = Arc::new(App::start(config, store, public_url, own).await?);

        let admin_link = match first_run(&app, &admin_token).await? {
            Some(code) => {
                let named = named.unwrap_or_else(|| host(local_addr));
                Some(format!("https://{named}:{}/welcome?code={code}", local_addr.port()))
            }
            None => None,
        };
        let accepting = serve::serve(
            listener,
            acceptor,
            http::router(app.clone()),
            head_timeout,
            app.closing.subscribe(),
        );
        let tasks = vec![
            tokio::spawn(accepting),
            tokio::spawn(reconcile::run(app.clone())),
            tokio::spawn(reconcile::run_registrations(app.clone())),
        ];
        tracing::info!(%local_addr, "listening");
        Ok(Self { local_addr, admin_link, certificate: files.certificate, admin_token, app, tasks })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The link that makes the first administrator, on the first run. It works once.
    pub fn admin_link(&self) -> Option<&str> {
        self.admin_link.as_deref()
    }

    /// The certificate that clients pin, in PEM.
    pub fn certificate(&self) -> &PathBuf {
        &self.certificate
    }

    /// The file that holds the administrator's token for programs.
    pub fn admin_token(&self) -> &PathBuf {
        &self.admin_token
    }

    /// The public key of results, a COSE_Key: what gateways take as their verifier's.
    pub fn result_key(&self) -> &[u8] {
        &self.app.result_key.public
    }

    /// Makes the reconcilers look now.
    pub fn nudge(&self) {
        self.app.nudge.notify_one();
    }

    /// Stops accepting, lets open requests finish, closes the database.
    pub async fn shutdown(self) {
        self.app.closing.send_replace(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task ended badly");
            }
        }
        self.app.store.close().await;
    }
}

/// Where devices reach the server, as far as it knows by itself.
fn public_url(config: &Config, local: SocketAddr) -> String {
    if let Some(url) = &config.onboarding.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let host = config.names.first().cloned().unwrap_or_else(|| host(local));
    format!("https://{host}:{}", local.port())
}

/// The host of a local address in a URL.
fn host(local: SocketAddr) -> String {
    match local.ip() {
        ip if ip.is_unspecified() => "localhost".to_owned(),
        ip if ip.is_ipv6() => format!("[{ip}]"),
        ip => ip.to_string(),
    }
}

/// Makes the administrator's token and the code of the welcome link, unless there is an administrator.
async fn first_run(app: &App, file: &std::path::Path) -> Result<Option<String>, Error> {
    if app.store.has_token("admin").await? {
        return Ok(None);
    }
    let now = app.now();
    let admin = credentials::issue("admin", "first administrator", now, None);
    // The file comes first: a token that nobody can read would lock everybody out.
    keys::write_private(file, admin.text.as_bytes())?;
    app.store.add_token(admin.token, "server").await?;
    let welcome = credentials::issue(WELCOME, "welcome", now, Some(WELCOME_SECONDS));
    app.store.add_token(welcome.token, "server").await?;
    Ok(Some(welcome.text))
}
