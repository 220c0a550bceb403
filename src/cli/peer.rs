//! A client for a peer's transactions, as the subcommands and the demo use it: where the peer is, who we are, and the three
//! things that are asked of it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use hyper::Uri;

use super::demo_file::{DemoFile, DemoRegion};
use super::{Exit, Stop};
use crate::config::Destination;
use crate::limits::{self, Limits};
use crate::metadata::Submission;
use crate::transactions::dry_run;
use crate::transactions::errors::RegistryResponse;
use crate::transactions::iti18::{self, QueryRequest, QueryResponse};
use crate::transactions::iti41::{self, ITI41};
use crate::transactions::iti43::{self, DocumentHead, DocumentSource, RetrieveRequest, RetrieveResponseHead};
use crate::transactions::{Malformed, Transaction};
use crate::wire::hl7v2::mllp::{MllpClient, MllpError, MllpPeer};
use crate::wire::http::{Client, ClientSettings, HttpError, TlsClient, TlsError};
use crate::wire::soap::{Attachment, CallError, Endpoint, Form, Message, Outgoing, call};
use crate::wire::stream::{Content, StreamError};

/// Where the peer is and who we are: options of `query`, `retrieve`, `submit` and `feed`.
#[derive(Debug, Clone, Args)]
pub struct PeerOptions {
    /// The endpoint's URL
    #[arg(long, value_name = "URL", required_unless_present = "demo")]
    url: Option<Uri>,
    /// A demo's folder: its endpoints and certificates are used
    #[arg(long, value_name = "DIR", conflicts_with_all = ["url", "cert", "key", "ca"])]
    demo: Option<PathBuf>,
    /// Which region of the demo
    #[arg(long, value_name = "N", default_value_t = 1, requires = "demo")]
    region: usize,
    /// Our certificate for mutual TLS, PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Whom to trust, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Seconds to wait for an answer
    #[arg(long, value_name = "S", default_value_t = limits::REQUEST_DEADLINE.as_secs())]
    timeout: u64,
}

/// What the options come to.
pub struct Place {
    /// The peer.
    pub peer: Peer,
    /// The endpoint.
    pub url: Uri,
    /// The patient whom the demo's question is about.
    pub patient: Option<String>,
}

impl PeerOptions {
    /// Finds the endpoint called `endpoint` (as `demo.json` calls it) and makes a client.
    pub fn place(&self, endpoint: &str) -> Result<Place, Stop> {
        let deadline = Duration::from_secs(self.timeout);
        if let Some(directory) = &self.demo {
            let region = DemoFile::read(directory)?.region(self.region)?;
            let url = region.endpoint(endpoint)?;
            let peer =
                Peer::new(&region.ca, Some((&region.client_certificate, &region.client_key)), deadline)?;
            return Ok(Place { peer, url, patient: Some(region.patient) });
        }
        let url = self.url.clone().ok_or_else(|| Stop::new(Exit::Usage, "give --url or --demo"))?;
        let peer = match &self.ca {
            Some(ca) => Peer::new(ca, self.cert.as_deref().zip(self.key.as_deref()), deadline)?,
            None if url.scheme_str() == Some("https") => {
                return Err(Stop::new(
                    Exit::Usage,
                    format!("{url} is https: name whom to trust with --ca FILE"),
                ));
            }
            None => Peer::plain(deadline)?,
        };
        Ok(Place { peer, url, patient: None })
    }
}

impl PeerOptions {
    /// A client for HL7 v2 over MLLP, and how long to wait for an answer.
    pub fn mllp(&self) -> Result<(MllpClient, Duration), Stop> {
        let url = match (&self.demo, &self.url) {
            (Some(directory), _) => DemoFile::read(directory)?.region(self.region)?.mllps()?,
            (None, Some(url)) => url.to_string(),
            (None, None) => return Err(Stop::new(Exit::Usage, "give --url or --demo")),
        };
        let destination = Destination::parse(&url).map_err(|problem| Stop::new(Exit::Usage, problem))?;
        let Destination::Mllp { host, port, tls } = destination else {
            return Err(Stop::new(
                Exit::Usage,
                format!("{url}: write mllp://host:port or mllps://host:port"),
            ));
        };
        let peer = MllpPeer { host, port, tls: if tls { Some(self.trust(&url)?) } else { None } };
        Ok((MllpClient::new(&peer)?, Duration::from_secs(self.timeout)))
    }

    /// Whom to trust and who we are.
    fn trust(&self, url: &str) -> Result<TlsClient, Stop> {
        if let Some(directory) = &self.demo {
            let DemoRegion { ca, client_certificate, client_key, .. } =
                DemoFile::read(directory)?.region(self.region)?;
            return Ok(TlsClient::new(&ca, Some((&client_certificate, &client_key)))?);
        }
        let problem = || Stop::new(Exit::Usage, format!("{url} is TLS: name whom to trust with --ca FILE"));
        let ca = self.ca.as_ref().ok_or_else(problem)?;
        Ok(TlsClient::new(ca, self.cert.as_deref().zip(self.key.as_deref()))?)
    }
}

/// Why a peer gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// No usable answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A SOAP answer whose body is not the transaction's.
    #[error("the answer's body: {0}")]
    Malformed(#[from] Malformed),
    /// A SOAP answer without a body.
    #[error("the answer's soap:Body is empty")]
    NoBody,
    /// It took a dry run for a submission.
    #[error("the peer does not say that this was a dry run: it may have stored the documents")]
    NoDryRun,
    /// Documents that broke off.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// Our own disk.
    #[error("{0}: {1}")]
    Disk(PathBuf, std::io::Error),
}

impl From<PeerError> for Stop {
    fn from(error: PeerError) -> Self {
        let (exit, next) = match &error {
            PeerError::Call(CallError::Connect(_)) => (Exit::Unavailable, "; `sekisho doctor URL` tells why"),
            PeerError::Call(CallError::Fault(_)) | PeerError::NoDryRun => (Exit::No, ""),
            _ => (Exit::Unavailable, ""),
        };
        Self::new(exit, format!("{error}{next}"))
    }
}

impl From<TlsError> for Stop {
    fn from(error: TlsError) -> Self {
        Self::new(Exit::Usage, error.to_string())
    }
}

impl From<MllpError> for Stop {
    fn from(error: MllpError) -> Self {
        Self::new(Exit::Unavailable, error.to_string())
    }
}

impl From<HttpError> for Stop {
    fn from(error: HttpError) -> Self {
        Self::new(Exit::Unavailable, error.to_string())
    }
}

/// A peer's client.
#[derive(Debug, Clone)]
pub struct Peer {
    client: Client,
    limits: Limits,
    deadline: Duration,
}

impl Peer {
    /// Over TLS, with our identity where the peer wants one.
    pub fn new(ca: &Path, identity: Option<(&Path, &Path)>, deadline: Duration) -> Result<Self, Stop> {
        Self::with(Some(TlsClient::new(ca, identity)?), deadline)
    }

    /// Over plain HTTP.
    pub fn plain(deadline: Duration) -> Result<Self, Stop> {
        Self::with(None, deadline)
    }

    fn with(tls: Option<TlsClient>, deadline: Duration) -> Result<Self, Stop> {
        let client = Client::new(&ClientSettings { tls, ..ClientSettings::default() })?;
        Ok(Self { client, limits: Limits::default(), deadline })
    }

    /// ITI-18 or ITI-38.
    pub async fn query(
        &self,
        transaction: &Transaction,
        url: &Uri,
        request: &QueryRequest,
    ) -> Result<QueryResponse, PeerError> {
        let body = vec![iti18::write_request(request)];
        let answer = self.ask(transaction, url, body, Vec::new()).await?;
        Ok(iti18::read_response(answer.envelope.body().ok_or(PeerError::NoBody)?)?)
    }

    /// ITI-41.
    pub async fn submit(
        &self,
        url: &Uri,
        submission: &Submission,
        documents: Vec<(String, String, Content)>,
    ) -> Result<RegistryResponse, PeerError> {
        let (body, attachments) = iti41::write_request(submission, documents, Form::Mtom).await?;
        let answer = self.ask(&ITI41, url, body, attachments).await?;
        Ok(iti41::read_response(answer.envelope.body().ok_or(PeerError::NoBody)?)?)
    }

    /// A dry run of ITI-41. A peer that has none refuses it, or, breaking SOAP, does not: then this fails.
    pub async fn rehearse(
        &self,
        url: &Uri,
        submission: &Submission,
        documents: Vec<(String, String, Content)>,
    ) -> Result<RegistryResponse, PeerError> {
        let (body, attachments) = iti41::write_request(submission, documents, Form::Mtom).await?;
        let headers = vec![dry_run::request_block()];
        let request = Outgoing { headers, body, attachments, ..request(&ITI41, url) };
        let answer = self.send(url, request).await?;
        if !dry_run::is_marked(&answer.envelope) {
            return Err(PeerError::NoDryRun);
        }
        Ok(iti41::read_response(answer.envelope.body().ok_or(PeerError::NoBody)?)?)
    }

    /// ITI-43 or ITI-39. Each document's bytes go to `sink` as they arrive, in the order of the message.
    pub async fn retrieve<S: Sink>(
        &self,
        transaction: &Transaction,
        url: &Uri,
        request: &RetrieveRequest,
        sink: &mut S,
    ) -> Result<RetrieveResponseHead, PeerError> {
        let body = vec![iti43::write_request(request)];
        let mut answer = self.ask(transaction, url, body, Vec::new()).await?;
        let head = iti43::read_response(answer.envelope.body().ok_or(PeerError::NoBody)?)?;
        for (document, source) in &head.documents {
            if let DocumentSource::Inline(bytes) = source {
                sink.begin(document).await?;
                sink.chunk(bytes.clone()).await?;
                sink.end().await?;
            }
        }
        while let Some(part) = answer.attachments.next().await? {
            let is_this = |source: &_| matches!(source, DocumentSource::Part(id) if *id == part.content_id);
            let Some((document, _)) = head.documents.iter().find(|(_, source)| is_this(source)) else {
                continue;
            };
            sink.begin(document).await?;
            while let Some(chunk) = answer.attachments.chunk().await? {
                sink.chunk(chunk).await?;
            }
            sink.end().await?;
        }
        Ok(head)
    }

    async fn ask(
        &self,
        transaction: &Transaction,
        url: &Uri,
        body: Vec<Bytes>,
        attachments: Vec<Attachment>,
    ) -> Result<Message, CallError> {
        self.send(url, Outgoing { body, attachments, ..request(transaction, url) }).await
    }

    async fn send(&self, url: &Uri, request: Outgoing) -> Result<Message, CallError> {
        let endpoint = Endpoint { url: url.clone(), relates_to_optional: false };
        call(&self.client, &endpoint, request, &self.limits, Instant::now() + self.deadline).await
    }
}

fn request(transaction: &Transaction, url: &Uri) -> Outgoing {
    Outgoing {
        form: if transaction.mtom { Form::Mtom } else { Form::Simple },
        action: transaction.action.to_owned(),
        to: Some(url.to_string()),
        ..Outgoing::default()
    }
}

/// Where retrieved documents go.
pub trait Sink {
    /// A document begins.
    fn begin(&mut self, document: &DocumentHead) -> impl Future<Output = Result<(), PeerError>> + Send;
    /// Its next bytes.
    fn chunk(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), PeerError>> + Send;
    /// It is whole.
    fn end(&mut self) -> impl Future<Output = Result<(), PeerError>> + Send;
}
