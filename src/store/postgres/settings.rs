//! Where the database is, and as whom it is spoken to.

use std::net::IpAddr;
use std::time::Duration;

use openssl::ssl::{SslConnector, SslMethod};
use openssl::x509::X509;
use postgres_openssl::MakeTlsConnector;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config};

use super::Session;
use crate::limits;
use crate::store::StoreError;
use crate::store::sql::{Connection, Error, with_causes};

/// Where PostgreSQL is.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    config: Config,
    /// Whom to trust besides the platform's authorities.
    authorities: Vec<X509>,
}

/// Once per connection. No transaction of ours outlives these; what was acknowledged is on disk, whatever the server's
/// default; short statements gain nothing from being compiled. Every statement of ours has a key to begin with and one for
/// each table that it joins: tables that look small, or about which nothing is known yet, are no reason to read them
/// through. A host that vanished is noticed by the server, too, whose session would keep its locks.
fn session_settings() -> String {
    let milliseconds = |duration: Duration| duration.as_millis();
    format!(
        "SET statement_timeout = {statement};
         SET lock_timeout = {lock};
         SET idle_in_transaction_session_timeout = {idle};
         SET jit = off;
         SET enable_seqscan = off;
         SET enable_hashjoin = off;
         SET enable_mergejoin = off;
         SET tcp_keepalives_idle = 5;
         SET tcp_keepalives_interval = 2;
         SET tcp_keepalives_count = 3;
         SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit') IN ('off', 'local')",
        statement = milliseconds(limits::POSTGRES_STATEMENT),
        lock = milliseconds(limits::STORE_BUSY_TIMEOUT),
        idle = milliseconds(limits::POSTGRES_IDLE_READING),
    )
}

impl PostgresSettings {
    /// Reads a connection string (`host=… dbname=… user=…`, or a URL); an Err says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut config: Config =
            text.parse().map_err(|error| format!("this is no connection string: {}", with_causes(&error)))?;
        if config.get_password().is_some() {
            return Err("a password does not belong into a connection string".to_owned());
        }
        if config.get_hosts().is_empty() {
            return Err("the connection string names no host".to_owned());
        }
        // "prefer" is what stands there where nothing does. What does not leave this machine needs no certificate, and many
        // servers come with one that nobody has signed.
        match config.get_ssl_mode() {
            _ if config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_))) => {
                config.ssl_mode(SslMode::Disable)
            }
            SslMode::Prefer if is_local(&config) => config.ssl_mode(SslMode::Disable),
            SslMode::Prefer => config.ssl_mode(SslMode::Require),
            _ => &mut config,
        };
        // Of several servers one takes what is written; the others are its copies.
        if config.get_hosts().len() > 1 {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
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
        self.config.get_ssl_mode() == SslMode::Disable && !is_local(&self.config)
    }

    /// Connects. Blocks; never on the runtime's threads.
    pub(super) fn connect(&self) -> Result<Connection, StoreError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(self.client(&runtime))?;
        Ok(Session::new(runtime, client).into())
    }

    async fn client(&self, runtime: &Runtime) -> Result<Client, Error> {
        let tls = self.tls().map_err(|error| Error::Away(format!("TLS: {error}")))?;
        // Each of several servers has its time: the first may be the one that is away.
        let patience = limits::POSTGRES_CONNECT * (self.config.get_hosts().len() as u32 + 1);
        let connecting = async {
            let (client, connection) = self.config.connect(tls).await?;
            runtime.spawn(async {
                // Whoever waits for an answer is told.
                let _ = connection.await;
            });
            client.batch_execute(&session_settings()).await?;
            Ok(client)
        };
        let connected = tokio::time::timeout(patience, connecting).await;
        connected.unwrap_or_else(|_| Err(Error::Away("it does not answer".to_owned())))
    }

    fn tls(&self) -> Result<MakeTlsConnector, openssl::error::ErrorStack> {
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        for authority in &self.authorities {
            builder.cert_store_mut().add_cert(authority.clone())?;
        }
        Ok(MakeTlsConnector::new(builder.build()))
    }
}

/// Whether nothing leaves this machine.
fn is_local(config: &Config) -> bool {
    let is_local = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
    };
    config.get_hosts().iter().all(is_local) && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_server_is_spoken_to_follows_from_where_it_is() {
        use SslMode::{Disable, Require};
        use TargetSessionAttrs::{Any, ReadWrite};
        for (text, tls, wanted) in [
            ("host=/run/postgresql user=s", Disable, Any),
            ("host=localhost user=s", Disable, Any),
            ("host=127.0.0.1 user=s sslmode=require", Require, Any),
            ("host=db.example user=s", Require, Any),
            ("host=db.example user=s sslmode=disable", Disable, Any),
            ("host=localhost hostaddr=192.0.2.1 user=s", Require, Any),
            ("host=localhost,db.example user=s", Require, ReadWrite),
            ("postgresql://s@one.example,two.example/sekisho", Require, ReadWrite),
        ] {
            let config = PostgresSettings::parse(text).unwrap().config;
            assert_eq!((config.get_ssl_mode(), config.get_target_session_attrs()), (tls, wanted), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_connection_string_is_told() {
        for (text, expected) in [
            ("host=a user=b password=c", "a password does not belong"),
            ("user=b", "names no host"),
            ("nonsense", "no connection string"),
        ] {
            let problem = PostgresSettings::parse(text).unwrap_err();
            assert!(problem.contains(expected) && !problem.contains("=c"), "{text}: {problem}");
        }
    }
}
