//! `sekisho demo`: three regions on loopback in one process, each a gateway with its own registry, repository, listeners and
//! certificates, started from configuration files by the same code as `serve`. Then the main job, told as tables.

pub(in crate::cli) mod certificates;
mod documents;
mod files;
mod people;
mod story;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use self::files::{folder, ports, write_configurations};
use self::people::{PEOPLE, REGIONS};
use self::story::{Asked, Retrieved};
use super::assemble::Running;
use super::demo_file::{DemoFile, DemoRegion};
use super::output::Output;
use super::serve::{self, stopping};
use super::submit::Batch;
use super::{Exit, Outcome, Stop};
use crate::demographics::DemographicsChange;
use crate::ids::{HomeCommunityId, PatientId};
use crate::transactions::errors::Status;
use crate::transactions::iti18::ITI18;

/// Three regions on loopback, and the main job done before your eyes.
#[derive(Debug, Args)]
pub struct Demo {
    /// Keep configuration, certificates and data here, with demo.json for outside clients; a folder under the temporary
    /// one if left out
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// End after the story
    #[arg(long)]
    once: bool,
    /// One JSON object of what happened, instead of tables
    #[arg(long)]
    json: bool,
}

/// The region that is stopped in the story.
const ABSENT: usize = 2;
/// How long it may take until it is asked again: its circuit breaker's pause, and a little.
const RETURN_DEADLINE: Duration = Duration::from_secs(15);

impl Demo {
    /// Starts the regions, tells the story, and stays up until it is stopped, unless it runs once.
    pub async fn run(self) -> Outcome {
        let output = Output::new(self.json);
        let directory = self.directory().await?;
        // The story itself tells who is away.
        serve::log_to_stderr(tracing::Level::ERROR, crate::config::LogFormat::Text);
        output.line(&format!("The demo's folder is {}", directory.display()));
        prepare(&directory).await?;
        let mut regions = Vec::new();
        for number in 0..REGIONS.len() {
            regions.push(Some(start(&directory, number).await?));
        }
        feed(&regions).await?;
        let file = description(&directory, &regions);
        fill(&file, output).await?;
        if self.once {
            announce(&directory, &file).await?;
        }
        let told = self.tell(&directory, &file, &mut regions, output).await;
        let exit = match (self.once, &told) {
            (false, Ok(_)) => {
                let stop = stopping();
                // Not earlier: whoever waits for it shall find every region there.
                announce(&directory, &file).await?;
                show_what_to_try(output, &directory);
                stop.await;
                Exit::Done
            }
            (_, Ok(exit)) => *exit,
            (_, Err(_)) => Exit::No,
        };
        for region in regions.into_iter().flatten() {
            region.shutdown().await;
        }
        DemoFile::remove(&directory);
        if self.once && self.dir.is_none() {
            let _ = tokio::fs::remove_dir_all(&directory).await;
        }
        told.map(|_| exit)
    }

    async fn directory(&self) -> Result<PathBuf, Stop> {
        let directory = match &self.dir {
            Some(directory) => directory.clone(),
            None => std::env::temp_dir().join(format!("sekisho-demo-{}", std::process::id())),
        };
        let made = tokio::fs::create_dir_all(&directory).await;
        let made = match made {
            Ok(()) => tokio::fs::canonicalize(&directory).await,
            Err(error) => Err(error),
        };
        made.map_err(|error| Stop::new(Exit::Usage, format!("{}: {error}", directory.display())))
    }

    /// The story: everybody there, then one region away, then back again.
    async fn tell(
        &self,
        directory: &Path,
        file: &DemoFile,
        regions: &mut [Option<Running>],
        output: Output,
    ) -> Result<Exit, Stop> {
        let missing = || Stop::new(Exit::No, "the demo has no first region");
        let asking = file.regions.first().ok_or_else(missing)?;
        let person = PEOPLE[0];
        output.line(&format!(
            "\n{} asks its own gateway, over mutual TLS, for the documents of {} {} ({}):",
            REGIONS[0].name, person.kanji.0, person.kanji.1, asking.patient
        ));
        let whole = story::ask(asking).await?;
        story::show_asked(output, &whole);
        output.line("All of them, retrieved through the same gateway:");
        let folder = directory.join("retrieved");
        let _ = tokio::fs::remove_dir_all(&folder).await;
        let retrieved = story::retrieve(asking, &whole, &folder, output).await?;
        story::show_retrieved(output, &retrieved);
        let absent = REGIONS[ABSENT];
        output.line(&format!("{} is stopped, and the same question asked again:", absent.name));
        if let Some(region) = regions.get_mut(ABSENT).and_then(Option::take) {
            region.shutdown().await;
        }
        let partial = story::ask(asking).await?;
        story::show_asked(output, &partial);
        if !self.once {
            regions[ABSENT] = Some(start(directory, ABSENT).await?);
            let back = story::until_whole(asking, RETURN_DEADLINE).await?;
            output.line(&format!(
                "{} is started again; the same question gives {}.\n",
                absent.name, back.status
            ));
        }
        Ok(judged(&whole, &retrieved, &partial, output))
    }
}

/// Says whether everything went as it should.
fn judged(whole: &Asked, retrieved: &Retrieved, partial: &Asked, output: Output) -> Exit {
    let absent = format!("urn:oid:{}", REGIONS[ABSENT].home());
    let checks = [
        ("every region answered", whole.is_whole()),
        ("every document came with the bytes that its metadata promise", retrieved.is_whole(whole)),
        (
            "the region that was away is named, and nobody else's documents are lost",
            partial.misses_only(&absent),
        ),
    ];
    let rows = checks.map(|(what, holds)| [what.to_owned(), if holds { "yes" } else { "NO" }.to_owned()]);
    output.table(["what should be", "is"], &rows);
    let good = checks.iter().all(|(_, holds)| *holds);
    output.json(&json!({ "ok": good, "asked": whole, "retrieved": retrieved, "partial": partial }));
    if good { Exit::Done } else { Exit::No }
}

/// Certificates and configuration files.
async fn prepare(directory: &Path) -> Result<(), Stop> {
    let directory = directory.to_owned();
    let prepared = tokio::task::spawn_blocking(move || -> Result<(), String> {
        DemoFile::remove(&directory);
        let folders: Vec<_> =
            (0..REGIONS.len()).map(|n| folder(&directory, n).join("certificates")).collect();
        let folders: Vec<_> = folders.iter().map(PathBuf::as_path).collect();
        certificates::provide(&directory, &folders).map_err(|error| error.to_string())?;
        let ports = ports(&directory).map_err(|error| error.to_string())?;
        write_configurations(&directory, &ports).map_err(|error| error.to_string())
    });
    let failed = |error: String| Stop::new(Exit::Unavailable, format!("the demo's folder: {error}"));
    prepared.await.map_err(|error| failed(error.to_string()))?.map_err(failed)
}

async fn start(directory: &Path, number: usize) -> Result<Running, Stop> {
    Running::start(&folder(directory, number).join("sekisho.toml"), &[]).await
}

async fn announce(directory: &Path, file: &DemoFile) -> Result<(), Stop> {
    let (directory, file) = (directory.to_owned(), file.clone());
    let written = tokio::task::spawn_blocking(move || file.write(&directory)).await;
    let failed = |problem: String| Stop::new(Exit::Unavailable, format!("demo.json: {problem}"));
    written.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))
}

/// Announces every region's patients to its index, as its hospital would (ITI-8): what was announced in an earlier run
/// changes nothing.
async fn feed(regions: &[Option<Running>]) -> Result<(), Stop> {
    for (number, running) in regions.iter().enumerate() {
        let Some(index) = running.as_ref().and_then(Running::index) else { continue };
        for person in &PEOPLE {
            let Some(id) = person.ids.get(number).copied().flatten() else { continue };
            let refused = |error: String| Stop::new(Exit::No, format!("a patient was refused: {error}"));
            let patient =
                PatientId::parse(&REGIONS[number].patient(id)).map_err(|e| refused(e.to_string()))?;
            let change = DemographicsChange::set(&person.demographics());
            index.announce(vec![patient], change, None).await.map_err(|error| refused(error.to_string()))?;
        }
    }
    Ok(())
}

/// What `demo.json` says.
fn description(directory: &Path, regions: &[Option<Running>]) -> DemoFile {
    let one = |(number, (region, running)): (usize, (&people::Region, &Option<Running>))| {
        let folder = folder(directory, number);
        let bound = running.as_ref().map(Running::bound);
        DemoRegion {
            home: format!("urn:oid:{}", region.home()),
            name: region.name.to_owned(),
            assigning_authority: region.authority(),
            repository: region.repository(),
            patient: PEOPLE[0].ids[number].map(|id| region.patient(id)).unwrap_or_default(),
            endpoints: bound.map(|bound| bound.endpoints.clone()).unwrap_or_default(),
            mllps: bound.and_then(|bound| bound.mllps.clone()),
            mllp: bound.and_then(|bound| bound.mllp.clone()),
            operator: bound.and_then(|bound| bound.operator.clone()).unwrap_or_default(),
            client_certificate: folder.join("certificates/client.pem"),
            client_key: folder.join("certificates/client.key"),
            ca: directory.join("ca.pem"),
            config: folder.join("sekisho.toml"),
        }
    };
    DemoFile { regions: REGIONS.iter().zip(regions).enumerate().map(one).collect() }
}

/// Submits every region's documents (ITI-41), patient by patient, unless they are there from an earlier run.
async fn fill(file: &DemoFile, output: Output) -> Result<(), Stop> {
    for (number, region) in file.regions.iter().enumerate() {
        let peer = story::portal(region)?;
        let (query, submit) = (region.endpoint("hosted-iti18")?, region.endpoint("iti41")?);
        let charts = tokio::task::spawn_blocking(move || documents::charts(number)).await;
        let mut counts = BTreeMap::from([("patients", 0), ("documents", 0)]);
        for chart in charts.unwrap_or_default() {
            let patient = PatientId::parse(&chart.patient).map_err(|e| Stop::new(Exit::No, e.to_string()))?;
            let there = peer.query(&ITI18, &query, &super::query::find_documents(&patient)).await?;
            *counts.entry("patients").or_default() += 1;
            *counts.entry("documents").or_default() += chart.documents.len();
            if !there.objects.is_empty() {
                continue;
            }
            let mut batch = Batch::new(patient, &format!("{}.4", REGIONS[number].root), "ja-JP");
            chart.documents.into_iter().for_each(|document| batch.add(document));
            let (submission, contents) = batch.finish();
            let response = peer.submit(&submit, &submission, contents).await?;
            if response.status != Status::Success {
                let why: Vec<_> =
                    response.errors.iter().map(|e| format!("{}: {}", e.code, e.context)).collect();
                return Err(Stop::new(
                    Exit::No,
                    format!("{} refused its documents: {}", region.name, why.join("; ")),
                ));
            }
        }
        let home = HomeCommunityId::parse(&region.home).map(|home| home.to_urn()).unwrap_or_default();
        output.line(&format!(
            "{} ({home}) is up: {} patients, {} documents",
            region.name, counts["patients"], counts["documents"]
        ));
    }
    Ok(())
}

fn show_what_to_try(output: Output, directory: &Path) {
    let program =
        std::env::current_exe().map_or_else(|_| "sekisho".to_owned(), |path| path.display().to_string());
    let demo = format!("--demo {}", directory.display());
    output.line("\nThe gateways stay up; Ctrl-C stops them. From another terminal:");
    output.line(&format!("  {program} query {demo}"));
    output.line(&format!(
        "  {program} query {demo} --region 2 --json | {program} retrieve {demo} --region 2 --out documents"
    ));
    output.line(&format!(
        "  {program} doctor --config {}",
        folder(directory, 0).join("sekisho.toml").display()
    ));
    output
        .line(&format!("Endpoints, identifiers and certificates: {}", directory.join("demo.json").display()));
}
