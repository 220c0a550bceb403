//! The main job before one's eyes: one question at region 1, every region's documents in the answer, all of them retrieved
//! and their hashes checked; then one region is away, and the same question says so.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::people::{REGIONS, Region};
use crate::cli::demo_file::DemoRegion;
use crate::cli::output::Output;
use crate::cli::peer::Peer;
use crate::cli::query::{FoundDocument, errors_json, find_documents, status};
use crate::cli::retrieve::{Files, Saved, check_mark, document_request};
use crate::cli::{Exit, Stop};
use crate::ids::{HomeCommunityId, PatientId};
use crate::transactions::errors::{RegistryError, Status};
use crate::transactions::iti18::{ITI18, QueryRequest};
use crate::transactions::iti43::{ITI43, RetrieveRequest};

/// How long one step of the story may take.
const STEP_DEADLINE: Duration = Duration::from_secs(60);
/// Between questions while a region comes back.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// A question and its answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// Success, PartialSuccess or Failure.
    pub status: &'static str,
    /// Milliseconds until all of the answer was there.
    pub milliseconds: u64,
    /// What came from whom.
    pub communities: Vec<Share>,
    /// Errors and warnings.
    pub errors: serde_json::Value,
    /// What was found.
    pub documents: Vec<FoundDocument>,
}

/// What one community gave.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// homeCommunityId.
    pub home: String,
    /// For people.
    pub name: &'static str,
    /// Documents found.
    pub documents: usize,
    /// Milliseconds for the same question to this community alone.
    pub alone_milliseconds: u64,
    /// `ok`, or the code of its error.
    pub status: String,
}

/// Documents retrieved.
#[derive(Debug, Serialize)]
pub struct Retrieved {
    /// Success, PartialSuccess or Failure.
    pub status: &'static str,
    /// Milliseconds.
    pub milliseconds: u64,
    /// What is in which file, and whether its hash is its metadata's.
    pub documents: Vec<Saved>,
}

impl Asked {
    /// Whether every community answered.
    pub fn is_whole(&self) -> bool {
        self.status == status(Status::Success) && self.communities.iter().all(|share| share.documents > 0)
    }
    /// Whether exactly this community is named as the one that failed.
    pub fn misses_only(&self, home: &str) -> bool {
        self.status == status(Status::PartialSuccess)
            && self.communities.iter().all(|share| (share.status != OK) == (share.home == home))
    }
}

impl Retrieved {
    /// Whether everything came, with the right bytes.
    pub fn is_whole(&self, asked: &Asked) -> bool {
        self.documents.len() == asked.documents.len()
            && self.documents.iter().all(|saved| saved.ok == Some(true))
    }
}

const OK: &str = "ok";

/// A portal's client.
pub fn portal(region: &DemoRegion) -> Result<Peer, Stop> {
    Peer::new(&region.ca, Some((&region.client_certificate, &region.client_key)), STEP_DEADLINE)
}

/// Asks a region's gateway for everything about its patient of the story (ITI-18): all communities together, then
/// each alone to see how long it takes.
pub async fn ask(region: &DemoRegion) -> Result<Asked, Stop> {
    let patient =
        PatientId::parse(&region.patient).map_err(|error| Stop::new(Exit::Usage, error.to_string()))?;
    let (portal, url) = (portal(region)?, region.endpoint("iti18")?);
    let request = find_documents(&patient);
    let started = Instant::now();
    let response = portal.query(&ITI18, &url, &request).await?;
    let milliseconds = since(started);
    let documents: Vec<_> = response.objects.iter().map(FoundDocument::of).collect();
    let mut communities = Vec::new();
    for region in &REGIONS {
        let home = Some(format!("urn:oid:{}", region.home()));
        let started = Instant::now();
        portal.query(&ITI18, &url, &QueryRequest { home, ..request.clone() }).await?;
        communities.push(share(region, since(started), &documents, &response.errors));
    }
    let errors = errors_json(&response.errors);
    Ok(Asked { status: status(response.status), milliseconds, communities, errors, documents })
}

/// Asks until every region answers again, or the time is over.
pub async fn until_whole(region: &DemoRegion, patience: Duration) -> Result<Asked, Stop> {
    let started = Instant::now();
    loop {
        let asked = ask(region).await?;
        if asked.is_whole() || started.elapsed() > patience {
            return Ok(asked);
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

fn since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn share(region: &Region, alone: u64, documents: &[FoundDocument], errors: &[RegistryError]) -> Share {
    let oid = region.home();
    let home = format!("urn:oid:{oid}");
    let is_this = |text: &str| HomeCommunityId::parse(text).is_ok_and(|id| id.oid().as_str() == oid);
    let names_it = |error: &&RegistryError| {
        error.location.as_deref().is_some_and(is_this) || error.context.contains(&home)
    };
    Share {
        documents: documents.iter().filter(|d| d.home.as_deref().is_some_and(is_this)).count(),
        alone_milliseconds: alone,
        status: errors.iter().find(names_it).map_or(OK.to_owned(), |error| error.code.to_string()),
        home,
        name: region.name,
    }
}

/// Retrieves what was found, through the same gateway (ITI-43), into a folder.
pub async fn retrieve(
    region: &DemoRegion,
    asked: &Asked,
    folder: &Path,
    output: Output,
) -> Result<Retrieved, Stop> {
    let started = Instant::now();
    let total = asked.documents.iter().map(|document| document.size).sum();
    let mut files = Files::new(folder, asked.documents.clone(), output.progress(total)).await?;
    let request =
        RetrieveRequest { documents: asked.documents.iter().filter_map(document_request).collect() };
    let head = portal(region)?.retrieve(&ITI43, &region.endpoint("iti43")?, &request, &mut files).await;
    files.finish();
    Ok(Retrieved { status: status(head?.status), milliseconds: since(started), documents: files.saved })
}

/// Shows a question's answer as a table.
pub fn show_asked(output: Output, asked: &Asked) {
    let row = |share: &Share| {
        [
            share.name.to_owned(),
            share.home.clone(),
            share.documents.to_string(),
            format!("{} ms", share.alone_milliseconds),
            share.status.clone(),
        ]
    };
    let rows: Vec<_> = asked.communities.iter().map(row).collect();
    output.table(["community", "homeCommunityId", "documents", "time, asked alone", "status"], &rows);
    output.line(&format!(
        "{} after {} ms for all together: {} documents\n",
        asked.status,
        asked.milliseconds,
        asked.documents.len()
    ));
}

/// Shows what was retrieved.
pub fn show_retrieved(output: Output, retrieved: &Retrieved) {
    let row = |saved: &Saved| {
        let name = saved.file.file_name().map(|name| name.to_string_lossy().into_owned());
        [
            name.unwrap_or_default(),
            saved.home.clone().unwrap_or_default(),
            crate::cli::output::bytes(saved.size),
            saved.sha1.clone(),
            check_mark(saved.ok).to_owned(),
        ]
    };
    let rows: Vec<_> = retrieved.documents.iter().map(row).collect();
    output.table(["file", "homeCommunityId", "size", "sha1", "as in the metadata"], &rows);
    let Retrieved { status, milliseconds, documents } = retrieved;
    output.line(&format!("{status} after {milliseconds} ms: {} documents\n", documents.len()));
}
