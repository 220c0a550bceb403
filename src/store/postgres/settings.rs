//! Where the database is, and as whom it is spoken to.

use std::time::Duration;

use openssl::ssl::{SslConnector, SslMethod};
use openssl::x509::X509;
use postgres_openssl::MakeTlsConnector;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config};

use super::Session;
use crate::limits;
use crate::store::StoreError;
use crate::store::sql::{Connection, Error};

/// Where PostgreSQL is.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    config: Config,
    /// Whom to trust besides the platform's authorities.
    authorities: Vec<X509>,
}

/// Once per connection. No transaction of ours outlives these; what was acknowledged is on disk, whatever the server's
/// default; short statements gain nothing from being compiled.
fn session_settings() -> String {
    let milliseconds = |duration: Duration| duration.as_millis();
    format!(
        "SET statement_timeout = {statement};
         SET lock_timeout = {lock};
         SET idle_in_transaction_session_timeout = {idle};
         SET jit = off;
         SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit') IN ('off', 'local')",
        statement = milliseconds(limits::POSTGRES_STATEMENT),
        lock = milliseconds(limits::STORE_BUSY_TIMEOUT),
        idle = milliseconds(limits::POSTGRES_IDLE_TRANSACTION),
    )
}

impl PostgresSettings {
    /// Reads a connection string (`host=… dbname=… user=…`, or a URL); an Err says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut config: Config =
            text.parse().map_err(|error| format!("this is no connection string: {error}"))?;
        if config.get_password().is_some() {
            return Err("a password does not belong into a connection string".to_owned());
        }
        if config.get_hosts().is_empty() {
            return Err("the connection string names no host".to_owned());
        }
        if config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_))) {
            config.ssl_mode(SslMode::Disable);
        } else if config.get_ssl_mode() == SslMode::Prefer && !config.get_hosts().iter().all(is_local) {
            config.ssl_mode(SslMode::Require);
        }
        if config.get_application_name().is_none() {
            config.application_name("sekisho");
        }
        config.connect_timeout(limits::POSTGRES_CONNECT);
        config.tcp_user_timeout(limits::POSTGRES_PATIENCE);
        config.keepalives_idle(limits::POSTGRES_QUIET);
        Ok(Self { config, authorities: Vec::new() })
    }

    /// With a password.
    pub fn with_password(mut self, password: &str) -> Self {
        self.config.password(password);
        self
    }

    /// With certificate authorities besides the platform's.
    pub fn trusting(mut self, authorities: Vec<X509>) -> Self {
        self.authorities = authorities;
        self
    }

    /// Whether somebody on the way could read along.
    pub fn is_open_to_the_network(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Disable && !self.config.get_hosts().iter().all(is_local)
    }

    /// Connects. Blocks; never on the runtime's threads.
    pub(super) fn connect(&self) -> Result<Connection, StoreError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(self.client(&runtime))?;
        Ok(Session::new(runtime, client).into())
    }

    async fn client(&self, runtime: &Runtime) -> Result<Client, Error> {
        let tls = self.tls().map_err(|error| Error::Away(format!("TLS: {error}")))?;
        let connecting = tokio::time::timeout(limits::POSTGRES_CONNECT, self.config.connect(tls));
        let in_time = connecting.await.map_err(|_| Error::Away("it does not answer".to_owned()))?;
        let (client, connection) = in_time?;
        runtime.spawn(async {
            // Whoever waits for an answer is told.
            let _ = connection.await;
        });
        client.batch_execute(&session_settings()).await?;
        Ok(client)
    }

    fn tls(&self) -> Result<MakeTlsConnector, openssl::error::ErrorStack> {
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        for authority in &self.authorities {
            builder.cert_store_mut().add_cert(authority.clone())?;
        }
        Ok(MakeTlsConnector::new(builder.build()))
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        }
    }
}
