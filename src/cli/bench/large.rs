//! Row 4: one large document from its source through repository, Responding Gateway and Initiating Gateway to a consumer,
//! each hop a process of its own.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use openssl::sha::Sha256;

use super::figures::{Figures, Row};
use super::process::Process;
use super::setting::{Neighbour, Region};
use super::{Run, data};
use crate::limits::{CHUNK_BYTES, Limits};
use crate::transactions::Transaction;
use crate::transactions::iti41::ITI41;
use crate::transactions::iti43::{DocumentRequest, ITI43, RetrieveRequest};
use crate::transactions::{iti41, iti43};
use crate::wire::http::{Client, ClientSettings};
use crate::wire::soap::{self, Attachment, Endpoint, Form, Message, Outgoing};
use crate::wire::stream::Content;

/// What a hop may grow by.
const GROWTH_MIB: f64 = 64.0;

/// Row 4.
pub async fn large(run: &Run) -> Result<Vec<Row>, String> {
    let size = run.large_mib * 1024 * 1024;
    let patient = data::patient(1);
    let store = Region::new(run, "large-repository", 11)?;
    let repository = store.start(&[], &[])?;
    let front = Region::new(run, "large-responding", 12)?;
    let responding = front.start_bridge(&repository.http(), &store.repository)?;
    let neighbour = Neighbour { home: front.home.clone(), base: responding.http() };
    let behind = Region::new(run, "large-initiating", 13)?;
    let initiating = behind.start(&[neighbour], std::slice::from_ref(&patient))?;

    let mut rows = Vec::new();
    let (sent, mut row) = {
        let watch = Watch::over(&[("repository", &repository)]);
        let began = Instant::now();
        let digest = submit(&repository, &patient, size).await?;
        let seconds = began.elapsed().as_secs_f64();
        (digest, watch.rows(&format!("row 4: ITI-41 of {} MiB", run.large_mib), size, seconds))
    };
    rows.append(&mut row);
    let watch = Watch::over(&[
        ("repository", &repository),
        ("responding gateway", &responding),
        ("initiating gateway", &initiating),
    ]);
    let began = Instant::now();
    let request = DocumentRequest {
        home: Some(front.home.clone()),
        repository: store.repository.clone(),
        document: data::unique_id(99, 1),
    };
    let received = retrieve(&initiating, request).await?;
    rows.extend(watch.rows(
        &format!("row 4: ITI-43 of {} MiB", run.large_mib),
        size,
        began.elapsed().as_secs_f64(),
    ));
    if sent != received {
        return Err(format!(
            "the document arrived altered: SHA-256 {} was sent, {} arrived",
            hex(&sent),
            hex(&received)
        ));
    }
    Ok(rows)
}

struct Watch<'p>(Vec<(&'static str, &'p Process, f64)>);

impl<'p> Watch<'p> {
    fn over(hops: &[(&'static str, &'p Process)]) -> Self {
        let begin = |&(name, process): &(&'static str, &'p Process)| {
            process.reset_peak();
            (name, process, process.resident_mib())
        };
        Self(hops.iter().map(begin).collect())
    }
    fn rows(&self, work: &str, size: u64, seconds: f64) -> Vec<Row> {
        let row = |(name, process, before): &(&str, &Process, f64)| {
            let growth = process.peak_mib() - before;
            Row {
                work: format!("{work}, {name} ({:.0} MB/s)", size as f64 / seconds / 1e6),
                ours: Figures { peak_mib: Some(process.peak_mib()), ..Figures::default() },
                limit: Figures::default(),
                reach: format!("grows by ≤ {GROWTH_MIB} MiB"),
                reached: format!("{growth:.1} MiB"),
                met: Some(growth <= GROWTH_MIB),
            }
        };
        self.0.iter().map(row).collect()
    }
}

/// Bytes that do not compress and are the same every time: a multiplicative sequence, chunk by chunk.
fn chunks(size: u64) -> impl Iterator<Item = Bytes> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut left = size;
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let length = left.min(CHUNK_BYTES as u64) as usize;
        left -= length as u64;
        let mut chunk = Vec::with_capacity(length + 8);
        while chunk.len() < length {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            chunk.extend_from_slice(&state.to_le_bytes());
        }
        chunk.truncate(length);
        Some(Bytes::from(chunk))
    })
}

async fn submit(repository: &Process, patient: &str, size: u64) -> Result<[u8; 32], String> {
    let submission = data::submission(patient, 99, 1, 1, "application/octet-stream");
    let stream = futures_util::stream::iter(chunks(size).map(Ok)).boxed();
    let documents = submission
        .document_entries()
        .map(|entry| entry.entry_uuid().to_owned())
        .zip([Content::from_stream(Some(size), stream)])
        .map(|(id, content)| (id, "application/octet-stream".to_owned(), content))
        .collect();
    let (body, attachments) =
        iti41::write_request(&submission, documents, Form::Mtom).await.map_err(|error| error.to_string())?;
    let message = call(repository, "/services/iti-41", ITI41, body, attachments).await?;
    let response = message.envelope.body().ok_or("an empty answer")?;
    let response = iti41::read_response(response).map_err(|error| error.to_string())?;
    if !response.errors.is_empty() {
        return Err(format!("the submission was refused: {:?}", response.errors));
    }
    let mut digest = Sha256::new();
    chunks(size).for_each(|chunk| digest.update(&chunk));
    Ok(digest.finish())
}

async fn retrieve(gateway: &Process, request: DocumentRequest) -> Result<[u8; 32], String> {
    let body = vec![iti43::write_request(&RetrieveRequest { documents: vec![request] })];
    let mut message = call(gateway, "/services/iti-43", ITI43, body, Vec::new()).await?;
    let response = message.envelope.body().ok_or("an empty answer")?;
    let response = iti43::read_response(response).map_err(|error| error.to_string())?;
    if !response.errors.is_empty() || response.documents.len() != 1 {
        return Err(format!("the retrieve failed: {:?}", response.errors));
    }
    let mut digest = Sha256::new();
    message.attachments.next().await.map_err(|error| error.to_string())?.ok_or("no part")?;
    while let Some(chunk) = message.attachments.chunk().await.map_err(|error| error.to_string())? {
        digest.update(&chunk);
    }
    Ok(digest.finish())
}

async fn call(
    server: &Process,
    path: &str,
    transaction: Transaction,
    body: Vec<Bytes>,
    attachments: Vec<Attachment>,
) -> Result<Message, String> {
    let client = Client::new(&ClientSettings::default()).map_err(|error| error.to_string())?;
    let url = format!("{}{path}", server.http());
    let endpoint = Endpoint { url: url.parse().map_err(|_| url.clone())?, relates_to_optional: false };
    let outgoing = Outgoing {
        form: Form::Mtom,
        action: transaction.action.into(),
        to: Some(url),
        body,
        attachments,
        ..Outgoing::default()
    };
    let deadline = Instant::now() + Duration::from_secs(600);
    soap::call(&client, &endpoint, outgoing, &Limits::default(), deadline)
        .await
        .map_err(|error| error.to_string())
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
