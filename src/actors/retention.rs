//! How long a tenant keeps what was submitted: entries of an age are deprecated, or removed with their documents, as its
//! configuration says. Nothing is ever removed by itself where it says nothing.
//!
//! A removal is that of ITI-62 and ITI-86 in one commit (RMD: 3.62.4.1.3, 3.86.4.1.3): what those would refuse, stays. Every
//! step is a whole by itself, so that a pass can break off anywhere and begin again.
//!
//! Of several gateways on one database one has this duty, and another one takes over when that is gone. But documents that
//! lie in a gateway's own folder are removed by that gateway, whoever has the duty: nobody else reaches their bytes.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;

use crate::limits;
use crate::registry::{Age, Aged, Registry, Standing, Window};
use crate::repository::{Remover, Repository};
use crate::store::{Duty, StoreError};

/// What becomes of entries of an age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRule {
    /// Full days since they were submitted.
    pub days: u32,
    /// classCode, `code^^scheme`; None for all.
    pub class: Option<String>,
    /// What becomes of them.
    pub action: RetentionAction,
}

/// What becomes of an entry whose time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetentionAction {
    /// Queries offer it no more by default; it can still be retrieved.
    Deprecate,
    /// It is removed, with its document.
    Remove,
}

impl RetentionAction {
    /// Its name in configuration, logs and metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Deprecate => "deprecate",
            Self::Remove => "remove",
        }
    }
}

/// What a pass did by one rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries deprecated or removed; in a dry run, those that would be.
    pub done: u64,
    /// Entries that cannot be removed, since something that stays needs them.
    pub kept: u64,
    /// Entries that could not be removed this time.
    pub failed: u64,
    /// Entries whose documents lie in another gateway's folder, which that one removes.
    pub elsewhere: u64,
}

/// Whether a pass changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earnest {
    /// It does.
    Real,
    /// It tells what it would do.
    Rehearsal,
}

/// The retention of one tenant.
#[derive(Clone)]
pub struct Retention {
    tenant: String,
    registry: Registry,
    repository: Repository,
    rules: Vec<RetentionRule>,
    duty: Duty,
}

/// What of a pass is this gateway's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    /// All but what lies in other gateways' folders.
    Duty,
    /// What lies in its own folder.
    Folder,
}

/// What became of an entry that was to be removed.
enum Fate {
    Removed,
    Kept,
    Failed,
}

impl Retention {
    /// Of a tenant by name, if it has rules; by whoever has the duty.
    pub fn new(
        tenant: &str,
        registry: Registry,
        repository: Repository,
        rules: Vec<RetentionRule>,
        duty: Duty,
    ) -> Option<Self> {
        (!rules.is_empty()).then(|| Self { tenant: tenant.to_owned(), registry, repository, rules, duty })
    }

    /// Whose it is.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Looks from time to time; never ends.
    pub async fn follow(self) {
        loop {
            if let Err(error) = self.pass(Earnest::Real).await {
                tracing::error!(%error, tenant = self.tenant, "retention broke off, and begins again later");
            }
            tokio::time::sleep(limits::RETENTION_INTERVAL).await;
        }
    }

    /// One pass over everything, by each rule in its order; in earnest, over what is this gateway's to do.
    pub async fn pass(&self, earnest: Earnest) -> Result<Vec<(RetentionRule, Tally)>, StoreError> {
        if earnest == Earnest::Real {
            self.registry.begin_days().await?;
        }
        let mut tallies = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            let Some(share) = self.share(rule, earnest).await? else { continue };
            let tally = self.pass_by(rule, share, earnest).await?;
            if earnest == Earnest::Real {
                self.tell(rule, tally);
            }
            tallies.push((rule.clone(), tally));
        }
        Ok(tallies)
    }

    /// What this gateway does by a rule, as things are at the moment.
    async fn share(&self, rule: &RetentionRule, earnest: Earnest) -> Result<Option<Share>, StoreError> {
        if earnest == Earnest::Rehearsal || self.duty.is_ours().await? {
            return Ok(Some(Share::Duty));
        }
        let here = self.repository.remover(self.repository.id().as_str()).await? == Remover::ThisGateway;
        Ok((rule.action == RetentionAction::Remove && here).then_some(Share::Folder))
    }

    async fn pass_by(
        &self,
        rule: &RetentionRule,
        share: Share,
        earnest: Earnest,
    ) -> Result<Tally, StoreError> {
        let age = Age {
            days: rule.days,
            class: rule.class.clone(),
            standing: match rule.action {
                RetentionAction::Deprecate => Standing::Approved,
                RetentionAction::Remove => Standing::Any,
            },
        };
        let (mut tally, mut after) = (Tally::default(), 0);
        let mut removers = HashMap::new();
        loop {
            let Window { mut entries, next } = self.registry.aged(age.clone(), after).await?;
            let Some(next) = next else { return Ok(tally) };
            if self.share(rule, earnest).await? != Some(share) {
                return Ok(tally);
            }
            after = next;
            match (rule.action, earnest) {
                _ if entries.is_empty() => {}
                (RetentionAction::Deprecate, Earnest::Rehearsal) => tally.done += entries.len() as u64,
                (RetentionAction::Deprecate, Earnest::Real) => {
                    let ids: Vec<_> = entries.into_iter().map(|entry| entry.id).collect();
                    tally.done += ids.len() as u64;
                    self.registry.deprecate(ids).await?;
                }
                (RetentionAction::Remove, _) => {
                    self.learn_removers(&entries, &mut removers).await?;
                    let due = entries.len();
                    entries.retain(|entry| share.includes(remover_of(entry, &removers)));
                    tally.elsewhere += (due - entries.len()) as u64;
                    self.remove_all(entries, earnest, &mut tally).await?;
                }
            }
            tokio::time::sleep(pause(earnest)).await;
        }
    }

    /// Looks up who removes the documents of repositories that were not met before.
    async fn learn_removers(
        &self,
        entries: &[Aged],
        removers: &mut HashMap<String, Remover>,
    ) -> Result<(), StoreError> {
        for (repository, _) in entries.iter().filter_map(|entry| entry.document.as_ref()) {
            if !removers.contains_key(repository) {
                removers.insert(repository.clone(), self.repository.remover(repository).await?);
            }
        }
        Ok(())
    }

    async fn remove_all(
        &self,
        entries: Vec<Aged>,
        earnest: Earnest,
        tally: &mut Tally,
    ) -> Result<(), StoreError> {
        let mut entries = entries.into_iter().peekable();
        while entries.peek().is_some() {
            let some: Vec<_> = entries.by_ref().take(limits::RETENTION_AT_ONCE).collect();
            let removing = some.iter().map(|entry| self.remove(entry, earnest));
            for (fate, entry) in join_all(removing).await.into_iter().zip(&some) {
                // What two of them share, a SubmissionSet, the later one has to look at again.
                let fate = match fate? {
                    Fate::Failed => self.remove(entry, earnest).await?,
                    fate => fate,
                };
                match fate {
                    Fate::Removed => tally.done += 1,
                    Fate::Kept => tally.kept += 1,
                    Fate::Failed => tally.failed += 1,
                }
            }
        }
        Ok(())
    }

    /// Removes an entry and its document in one commit.
    async fn remove(&self, entry: &Aged, earnest: Earnest) -> Result<Fate, StoreError> {
        let Ok(leaving) = self.registry.leaving(entry.id.clone()).await? else { return Ok(Fate::Kept) };
        if earnest == Earnest::Rehearsal || leaving.is_empty() {
            return Ok(Fate::Removed);
        }
        let ours = |(repository, _): &&(String, String)| repository == self.repository.id().as_str();
        let documents = entry.document.iter().filter(ours).map(|(_, unique_id)| unique_id.clone()).collect();
        let removing = self.registry.removing(leaving);
        match self.repository.remove(documents, removing).await {
            Ok(_) => Ok(Fate::Removed),
            Err(error) => {
                tracing::debug!(%error, tenant = self.tenant, "an entry is removed later");
                Ok(Fate::Failed)
            }
        }
    }

    fn tell(&self, rule: &RetentionRule, tally: Tally) {
        let Tally { done, kept, failed, .. } = tally;
        let action = rule.action.label();
        for (result, count) in [("done", done), ("kept", kept), ("failed", failed)] {
            metrics::counter!("sekisho_retention_total", "tenant" => self.tenant.clone(), "action" => action, "result" => result)
                .increment(count);
        }
        if (done, kept, failed) != (0, 0, 0) {
            tracing::info!(tenant = self.tenant, action, days = rule.days, done, kept, failed, "retention");
        }
    }
}

impl Share {
    fn includes(self, remover: Remover) -> bool {
        match self {
            Self::Duty => remover != Remover::AnotherGateway,
            Self::Folder => remover == Remover::ThisGateway,
        }
    }
}

/// Who removes an entry: whoever can remove its document, if it has one.
fn remover_of(entry: &Aged, removers: &HashMap<String, Remover>) -> Remover {
    let known = entry.document.as_ref().and_then(|(repository, _)| removers.get(repository));
    known.copied().unwrap_or(Remover::Anyone)
}

fn pause(earnest: Earnest) -> Duration {
    match earnest {
        Earnest::Real => limits::RETENTION_PAUSE,
        Earnest::Rehearsal => Duration::ZERO,
    }
}
