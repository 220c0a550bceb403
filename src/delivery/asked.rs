//! Deferred questions that we asked (ITI TF-2: 3.55.4.1.3): one for each patient and community, from before it is sent until
//! its time is over. Answers may come after we were started anew, so they are on disk.

use std::sync::Arc;

use crate::ids::{HomeCommunityId, PatientId};
use crate::limits;
use crate::store::sql::{self, OptionalExtension as _, Row, params};
use crate::store::{Store, StoreError};

/// The questions of one tenant. Cheap to clone.
#[derive(Clone)]
pub struct AskedQuestions {
    store: Store,
    tenant: Arc<str>,
    most: i64,
}

/// A question of ours.
#[derive(Clone, PartialEq, Eq)]
pub struct AskedQuestion {
    /// A UUID: of our message, and of the query in it. Nobody else can guess it.
    pub key: String,
    /// About whom, by our identifier.
    pub patient: PatientId,
    /// Whom.
    pub community: HomeCommunityId,
    /// The first question, or one with more about the patient.
    pub round: u32,
    /// Of the demographics that were asked with, hexadecimal: whoever is somebody else by now is asked about anew.
    pub digest: String,
    /// How far it is.
    pub state: AskedState,
    /// In seconds since 1970: from then on it is as if it had never been asked.
    pub until: u64,
}

/// How far a question is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedState {
    /// On its way: whether it arrived is not known (yet).
    Sent,
    /// The community has promised an answer.
    Open,
    /// The answer came, and its use is made; another one changes nothing.
    Answered,
    /// An answer came that tells nobody apart or gives a reason: that one's name. It is not asked again at once.
    Unresolved(String),
}

/// Nothing of the patient.
impl std::fmt::Debug for AskedQuestion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AskedQuestion({} to {}, {:?})", self.key, self.community, self.state)
    }
}

/// What became of a question that is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is on disk, in place of an earlier one about the same patient to the same community.
    Yes,
    /// Too many are open.
    Full,
}

const SENT: &str = "sent";
const OPEN: &str = "open";
const ANSWERED: &str = "answered";

impl AskedState {
    fn name(&self) -> &str {
        match self {
            Self::Sent => SENT,
            Self::Open => OPEN,
            Self::Answered => ANSWERED,
            Self::Unresolved(why) => why,
        }
    }
    fn of(name: String) -> Self {
        match name.as_str() {
            SENT => Self::Sent,
            OPEN => Self::Open,
            ANSWERED => Self::Answered,
            _ => Self::Unresolved(name),
        }
    }
}

impl AskedQuestions {
    /// The questions in a store that has [`super::MIGRATION`].
    pub fn new(store: Store, tenant: Arc<str>) -> Self {
        Self { store, tenant, most: limits::MAX_ASKED_QUESTIONS }
    }

    /// Keeps a question; returns when it is on disk.
    pub async fn keep(&self, question: AskedQuestion, now: u64) -> Result<Kept, StoreError> {
        let (tenant, most) = (Arc::clone(&self.tenant), self.most);
        let keep = self.store.write(move |connection| {
            let sweep = "DELETE FROM delivery_asked WHERE tenant = ?1 AND until <= ?2";
            connection.prepare_cached(sweep)?.execute(params![&*tenant, seconds(now)])?;
            let AskedQuestion { key, patient, community, round, digest, state, until } = question;
            let (patient, community) = (patient.to_cx(), community.to_urn());
            // One that takes another's place takes no more room.
            let count = "SELECT COUNT(*) FROM delivery_asked
                         WHERE tenant = ?1 AND (patient <> ?2 OR community <> ?3)";
            let others = params![&*tenant, patient, community];
            let kept: i64 = connection.prepare_cached(count)?.query_row(others, |row| row.get(0))?;
            if kept >= most {
                return Ok(Kept::Full);
            }
            let insert = "INSERT INTO delivery_asked VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                          ON CONFLICT (tenant, patient, community) DO UPDATE SET key = excluded.key, round = excluded.round,
                              digest = excluded.digest, state = excluded.state, until = excluded.until";
            connection.prepare_cached(insert)?.execute(params![
                &*tenant,
                patient,
                community,
                key,
                round,
                digest,
                state.name(),
                seconds(until)
            ])?;
            Ok(Kept::Yes)
        });
        keep.await
    }

    /// The question about a patient to a community whose time is not over.
    pub async fn about(
        &self,
        patient: &PatientId,
        community: &HomeCommunityId,
        now: u64,
    ) -> Result<Option<AskedQuestion>, StoreError> {
        let find = "SELECT * FROM delivery_asked WHERE tenant = ?1 AND patient = ?2 AND community = ?3 AND until > ?4";
        let (tenant, patient, community) = (Arc::clone(&self.tenant), patient.to_cx(), community.to_urn());
        let read = self.store.read(move |connection| {
            let values = params![&*tenant, patient, community, seconds(now)];
            Ok(connection.prepare_cached(find)?.query_row(values, question).optional()?)
        });
        read.await?.transpose()
    }

    /// The question of that key whose time is not over.
    pub async fn of_key(&self, key: &str, now: u64) -> Result<Option<AskedQuestion>, StoreError> {
        let find = "SELECT * FROM delivery_asked WHERE tenant = ?1 AND key = ?2 AND until > ?3";
        let (tenant, key) = (Arc::clone(&self.tenant), key.to_owned());
        let read = self.store.read(move |connection| {
            let values = params![&*tenant, key, seconds(now)];
            Ok(connection.prepare_cached(find)?.query_row(values, question).optional()?)
        });
        read.await?.transpose()
    }

    /// The community has promised an answer; one that has come already stays.
    pub async fn promised(&self, key: &str) -> Result<(), StoreError> {
        let update = "UPDATE delivery_asked SET state = ?3 WHERE tenant = ?1 AND key = ?2 AND state = ?4";
        let (tenant, key) = (Arc::clone(&self.tenant), key.to_owned());
        let write = self.store.write(move |connection| {
            connection.prepare_cached(update)?.execute(params![&*tenant, key, OPEN, SENT])?;
            Ok(())
        });
        write.await
    }

    /// An answer came: the first one counts. Whether this was it.
    pub async fn answered(&self, key: &str, state: AskedState, until: u64) -> Result<bool, StoreError> {
        let update = "UPDATE delivery_asked SET state = ?3, until = ?4
                      WHERE tenant = ?1 AND key = ?2 AND state IN (?5, ?6)";
        let (tenant, key) = (Arc::clone(&self.tenant), key.to_owned());
        let write = self.store.write(move |connection| {
            let values = params![&*tenant, key, state.name(), seconds(until), SENT, OPEN];
            Ok(connection.prepare_cached(update)?.execute(values)? > 0)
        });
        write.await
    }
}

/// A row, in the order of its columns.
fn question(row: &Row<'_>) -> sql::Result<Result<AskedQuestion, StoreError>> {
    let damaged = || StoreError::Damaged("a deferred question cannot be read".into());
    let (patient, community): (String, String) = (row.get(1)?, row.get(2)?);
    let (Ok(patient), Ok(community)) = (PatientId::parse(&patient), HomeCommunityId::parse(&community))
    else {
        return Ok(Err(damaged()));
    };
    let until: i64 = row.get(7)?;
    Ok(Ok(AskedQuestion {
        key: row.get(3)?,
        patient,
        community,
        round: row.get(4)?,
        digest: row.get(5)?,
        state: AskedState::of(row.get(6)?),
        until: u64::try_from(until).unwrap_or_default(),
    }))
}

fn seconds(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::MIGRATION;

    fn asked(patient: &str, key: &str, until: u64) -> AskedQuestion {
        AskedQuestion {
            key: key.to_owned(),
            patient: PatientId::parse(&format!("{patient}^^^&1.2.3&ISO")).unwrap(),
            community: HomeCommunityId::parse("1.5").unwrap(),
            round: 1,
            digest: "d".to_owned(),
            state: AskedState::Sent,
            until,
        }
    }

    #[tokio::test]
    async fn one_question_a_patient_and_community_until_its_first_answer_or_its_end() {
        let folder = std::env::temp_dir().join(format!("sekisho-asked-{}", uuid::Uuid::new_v4()));
        let store = {
            let folder = folder.clone();
            tokio::task::spawn_blocking(move || Store::open(&folder, &[MIGRATION]).unwrap()).await.unwrap()
        };
        let questions = AskedQuestions::new(store.clone(), "one".into());
        let state =
            async |key: &str, now: u64| questions.of_key(key, now).await.unwrap().map(|asked| asked.state);
        let first = asked("P", "first", 100);
        assert_eq!(questions.keep(first.clone(), 10).await.unwrap(), Kept::Yes);
        assert_eq!(questions.about(&first.patient, &first.community, 10).await.unwrap(), Some(first.clone()));
        assert_eq!(state("first", 100).await, None, "its time is over");

        // A later one takes its place, and the earlier one's answer is nobody's.
        questions.keep(asked("P", "second", 100), 10).await.unwrap();
        assert_eq!(state("first", 10).await, None);
        questions.promised("second").await.unwrap();
        assert_eq!(state("second", 10).await, Some(AskedState::Open));
        let why = AskedState::Unresolved("ambiguous".to_owned());
        assert!(questions.answered("second", why.clone(), 50).await.unwrap());
        assert!(
            !questions.answered("second", AskedState::Answered, 90).await.unwrap(),
            "the first one counts"
        );
        questions.promised("second").await.unwrap();
        assert_eq!(state("second", 10).await, Some(why), "a promise that comes late changes nothing");

        // Where there is no more room, one may still take the place of another.
        let full = AskedQuestions { most: 1, ..questions.clone() };
        assert_eq!(full.keep(asked("Q", "too many", 100), 10).await.unwrap(), Kept::Full);
        assert_eq!(full.keep(asked("P", "second round", 100), 10).await.unwrap(), Kept::Yes);
        full.keep(asked("P", "second", 50), 10).await.unwrap();

        // What is over goes with the next one that comes, and others' stay theirs.
        questions.keep(asked("Q", "third", 100), 60).await.unwrap();
        assert_eq!(state("second", 10).await, None);
        let others = AskedQuestions::new(store.clone(), "two".into());
        assert_eq!(others.of_key("third", 60).await.unwrap(), None);
        tokio::task::spawn_blocking(move || store.close()).await.unwrap();
        let _ = std::fs::remove_dir_all(&folder);
    }
}
