//! The directory of communities: one file each in a folder, read again when it changes. A new state of the folder is put in
//! force as a whole, and whoever asks holds the state that he began with. A file that is wrong leaves its last good version
//! in force and raises an alarm.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use crate::federation::breaker::{BreakerState, RetryBudget};
use crate::federation::community_file::{Described, Surroundings};
use crate::federation::member::ObservedCounts;
use crate::federation::peer::Peer;
use crate::federation::quirks::{QuirkSets, compiled_in};
use crate::federation::{Source, community_file};
use crate::ids::HomeCommunityId;
use crate::limits::{self, Limits};
use crate::wire::soap::Replies;

pub use community_file::Problem;

/// Where the directory is, and what its communities share.
#[derive(Debug, Clone, Default)]
pub struct DirectorySettings {
    /// The folder of the community files.
    pub folder: PathBuf,
    /// A folder of quirk sets that are added to those compiled in, or replace them.
    pub quirks: Option<PathBuf>,
    /// Our certificate and key, for communities whose file names none.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Our own homeCommunityIds: nobody else's.
    pub own: Vec<HomeCommunityId>,
    /// Bounds of answers.
    pub limits: Limits,
    /// Where answers come from communities that are asked asynchronously; None where none can be.
    pub replies: Option<Replies>,
}

/// A community of the directory.
#[derive(Debug, Clone)]
pub struct Community {
    /// Its file.
    pub file: PathBuf,
    /// Whether it is asked at all.
    pub enabled: bool,
    /// How it is asked.
    pub peer: Arc<Peer>,
}

/// The communities at one moment, in the order of their files' names.
#[derive(Debug, Default)]
pub struct Communities {
    all: Vec<Community>,
    by_home: HashMap<HomeCommunityId, usize>,
}

impl Communities {
    /// All of them.
    pub fn all(&self) -> &[Community] {
        &self.all
    }

    /// The community with that homeCommunityId.
    pub fn find(&self, home: &HomeCommunityId) -> Option<&Community> {
        self.by_home.get(home).and_then(|index| self.all.get(*index))
    }
}

/// The directory; see the module.
#[derive(Debug)]
pub struct Directory {
    settings: DirectorySettings,
    retries: Arc<RetryBudget>,
    in_force: RwLock<Arc<Communities>>,
    /// Held while the folder is read; never on the path of a request.
    reading: Mutex<Read>,
    problems: RwLock<Vec<Problem>>,
}

/// What was read last.
#[derive(Debug, Default)]
struct Read {
    seen: Stamps,
    quirks: QuirkSets,
    files: BTreeMap<PathBuf, (String, Stamps, Described)>,
}

/// Files and when they were changed; None for one that is not there.
type Stamps = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

/// The directory as the status page shows it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct DirectoryStatus {
    /// Whether the files on disk differ from what is in force because they are wrong.
    pub alarm: bool,
    /// What is wrong with them.
    pub problems: Vec<Problem>,
    /// The communities.
    pub communities: Vec<CommunityStatus>,
}

/// A community as the status page shows it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct CommunityStatus {
    /// For people.
    pub name: String,
    /// Its homeCommunityIds.
    pub homes: Vec<String>,
    /// Whether it is asked at all.
    pub enabled: bool,
    /// Endpoints by transaction.
    pub endpoints: Vec<(&'static str, String)>,
    /// What its circuit breaker lets through.
    pub breaker: BreakerState,
    /// Documents that it takes per retrieve request, configured or learned.
    pub max_documents_per_retrieve: usize,
    /// What it did.
    pub observed: ObservedCounts,
}

impl Directory {
    /// Reads the directory, or gives every problem of every file. Touches the disk.
    pub fn load(settings: DirectorySettings) -> Result<Arc<Self>, Vec<Problem>> {
        let directory = Self {
            settings,
            retries: RetryBudget::new(),
            in_force: RwLock::default(),
            reading: Mutex::default(),
            problems: RwLock::default(),
        };
        let problems = directory.reload();
        if problems.is_empty() { Ok(Arc::new(directory)) } else { Err(problems) }
    }

    /// The communities as they are now. Hold them for one question.
    pub fn communities(&self) -> Arc<Communities> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether files on disk could not be taken over.
    pub fn alarm(&self) -> bool {
        !self.problems.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// What operators want to see.
    pub fn status(&self) -> DirectoryStatus {
        let problems = self.problems.read().unwrap_or_else(PoisonError::into_inner).clone();
        let communities = self.communities().all.iter().map(Community::status).collect();
        DirectoryStatus { alarm: !problems.is_empty(), problems, communities }
    }

    /// Reads the folder again and puts what is right in force; gives what is wrong. Touches the disk.
    pub fn reload(&self) -> Vec<Problem> {
        let mut last = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, mut problems) = self.read_folder(&last);
        *last = read;
        let communities = self.assemble(&last, &mut problems);
        let count = communities.all.len();
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(communities);
        metrics::gauge!("sekisho_directory_alarm").set(if problems.is_empty() { 0.0 } else { 1.0 });
        metrics::gauge!("sekisho_directory_communities").set(count as f64);
        for problem in &problems {
            tracing::error!(%problem, "the directory of communities has a problem; what was in force stays");
        }
        tracing::info!(
            communities = count,
            problems = problems.len(),
            "the directory of communities was read"
        );
        *self.problems.write().unwrap_or_else(PoisonError::into_inner) = problems.clone();
        problems
    }

    /// Looks every [`limits::DIRECTORY_POLL`] whether a file has changed, and then reads the folder again. Runs until it is
    /// dropped.
    pub async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(limits::DIRECTORY_POLL).await;
            let directory = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || {
                if directory.has_changed() {
                    directory.reload();
                }
            });
            if looked.await.is_err() {
                tracing::error!("looking at the directory of communities failed");
            }
        }
    }

    /// Where answers come from communities that are asked asynchronously.
    pub fn replies(&self) -> Option<&Replies> {
        self.settings.replies.as_ref()
    }

    fn has_changed(&self) -> bool {
        let last = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        self.stamps(&last) != last.seen
    }

    /// The files that matter: those in the folders, and those that the communities name.
    fn stamps(&self, read: &Read) -> Stamps {
        let folders = [Some(&self.settings.folder), self.settings.quirks.as_ref()];
        let listed = folders.into_iter().flatten().flat_map(|folder| toml_files(folder).unwrap_or_default());
        let named = read.files.values().flat_map(|(_, stamps, _)| stamps.keys().cloned());
        listed.chain(named).map(stamp).collect()
    }

    fn read_folder(&self, last: &Read) -> (Read, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut read = Read { quirks: self.read_quirks(last, &mut problems), ..Read::default() };
        let surroundings = Surroundings {
            quirk_sets: read.quirks.clone(),
            identity: self.settings.identity.clone(),
            retries: Arc::clone(&self.retries),
            limits: self.settings.limits.clone(),
            replies: self.settings.replies.clone(),
        };
        let paths = match toml_files(&self.settings.folder) {
            Ok(paths) => paths,
            Err(problem) => {
                problems.push(problem);
                last.files.keys().cloned().collect()
            }
        };
        for path in paths {
            let before = last.files.get(&path);
            let unchanged = |text: &str| {
                before.filter(|(old, stamps, _)| {
                    *old == text
                        && last.quirks == read.quirks
                        && stamps.iter().all(|(file, then)| stamp(file.clone()).1 == *then)
                })
            };
            let taken = bounded_text(&path).and_then(|text| match unchanged(&text) {
                Some(same) => Ok(same.clone()),
                None => community_file::read(&path, &text, &surroundings).map(|described| {
                    let stamps = described.files.iter().cloned().map(stamp).collect();
                    (text, stamps, described)
                }),
            });
            match taken {
                Ok(taken) => {
                    read.files.insert(path, taken);
                }
                Err(wrong) => {
                    problems.extend(wrong);
                    if let Some(before) = before {
                        read.files.insert(path, before.clone());
                    }
                }
            }
        }
        read.seen = self.stamps(&read);
        (read, problems)
    }

    fn read_quirks(&self, last: &Read, problems: &mut Vec<Problem>) -> QuirkSets {
        let mut sets = compiled_in();
        let Some(folder) = &self.settings.quirks else { return sets };
        let paths = toml_files(folder).unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        for path in paths {
            let Some(name) = path.file_stem().map(|name| name.to_string_lossy().into_owned()) else {
                continue;
            };
            let set = bounded_text(&path).and_then(|text| {
                toml::from_str(&text).map_err(|error| {
                    let offset = error.span().map_or(0, |span| span.start);
                    vec![Problem::at(&path, &text, offset, error.message())]
                })
            });
            match set {
                Ok(set) => {
                    sets.insert(name, set);
                }
                Err(wrong) => {
                    problems.extend(wrong);
                    if let Some(before) = last.quirks.get(&name) {
                        sets.insert(name, before.clone());
                    }
                }
            }
        }
        sets
    }

    /// Files in the order of their names; a homeCommunityId belongs to the first that claims it.
    fn assemble(&self, read: &Read, problems: &mut Vec<Problem>) -> Communities {
        let mut communities = Communities::default();
        for (file, (_, _, described)) in &read.files {
            let homes = described.peer.member.homes();
            let taken = homes.iter().find_map(|home| {
                if self.settings.own.contains(home) {
                    return Some(format!("{home} is our own homeCommunityId"));
                }
                let other = communities.find(home)?;
                Some(format!("{home} is claimed by {} already", other.file.display()))
            });
            if let Some(taken) = taken {
                problems.push(Problem::of_file(file, taken));
                continue;
            }
            let index = communities.all.len();
            communities.by_home.extend(homes.iter().map(|home| (home.clone(), index)));
            communities.all.push(Community {
                file: file.clone(),
                enabled: described.enabled,
                peer: Arc::clone(&described.peer),
            });
        }
        communities
    }
}

impl Community {
    fn status(&self) -> CommunityStatus {
        let peer = &self.peer;
        let endpoints = peer.lines.all().map(|(name, line)| (name, line.endpoint.url.to_string())).collect();
        let line = peer.lines.all().next().map(|(_, line)| line);
        CommunityStatus {
            name: peer.member.name.clone(),
            homes: peer.member.homes().iter().map(HomeCommunityId::to_urn).collect(),
            enabled: self.enabled,
            endpoints,
            breaker: line.map_or(BreakerState::Closed, |line| line.prudence.breaker()),
            max_documents_per_retrieve: peer.max_documents(),
            observed: peer.member.observed.counts(),
        }
    }
}

/// The `*.toml` files of a folder, by name.
fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| Problem::of_file(folder, format!("the folder cannot be read: {error}")))?;
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    if paths.len() > limits::MAX_COMMUNITIES {
        let message = format!("{} files; at most {} are read", paths.len(), limits::MAX_COMMUNITIES);
        return Err(Problem::of_file(folder, message));
    }
    Ok(paths)
}

fn bounded_text(path: &Path) -> Result<String, Vec<Problem>> {
    let problem = |message: String| vec![Problem::of_file(path, message)];
    let unreadable = |error: std::io::Error| problem(format!("cannot be read: {error}"));
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > limits::MAX_COMMUNITY_FILE_BYTES {
        let limit = limits::MAX_COMMUNITY_FILE_BYTES;
        return Err(problem(format!("has {length} bytes; at most {limit} are read")));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

fn stamp(path: PathBuf) -> (PathBuf, Option<(SystemTime, u64)>) {
    let stamp = std::fs::metadata(&path).ok().and_then(|m| Some((m.modified().ok()?, m.len())));
    (path, stamp)
}

#[cfg(test)]
mod tests;
