//! Deferred questions (ITI TF-2: 3.55.4.1.3): whoever was told that a question is accepted may rely on an answer, also when
//! we were started anew in between.

use std::sync::Arc;

use bytes::Bytes;

use crate::limits;
use crate::store::sql::params;
use crate::store::{Duty, Store, StoreError};

/// The open questions of one tenant. Cheap to clone.
#[derive(Clone)]
pub struct Questions {
    store: Store,
    tenant: Arc<str>,
    duty: Duty,
    most: i64,
}

/// An open question.
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    /// Ours, ascending.
    pub number: i64,
    /// When it was accepted, in seconds since 1970.
    pub since: i64,
    /// Where the answer goes, as the question says.
    pub address: String,
    /// wsa:MessageID of the question.
    pub message_id: String,
    /// Subject of the certificate of whoever asked.
    pub certificate: Option<String>,
    /// The whole question, as it came.
    pub envelope: Bytes,
}

/// Nothing of the patient it asks for.
impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Question({} of {})", self.number, self.since)
    }
}

/// What became of a question that is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is on disk.
    Yes,
    /// Too many are open.
    Full,
}

impl Questions {
    /// The questions in a store that has [`super::MIGRATION`].
    pub fn new(store: Store, tenant: Arc<str>) -> Self {
        let duty = store.duty(&format!("the deferred questions to {tenant}"));
        Self { store, tenant, duty, most: limits::MAX_DEFERRED_QUESTIONS }
    }
    /// The same, of which no more may be open.
    #[cfg(test)]
    pub(crate) fn at_most(self, most: i64) -> Self {
        Self { most, ..self }
    }

    /// Whether this gateway answers them: one of several does, whichever accepted them.
    pub async fn are_ours(&self) -> Result<bool, StoreError> {
        self.duty.is_ours().await
    }

    /// Keeps a question (its number and time are given here); returns when it is on disk.
    pub async fn keep(&self, question: Question) -> Result<Kept, StoreError> {
        let (tenant, most) = (Arc::clone(&self.tenant), self.most);
        let keep = self.store.write(move |connection| {
            let count = "SELECT COUNT(*) FROM delivery_question WHERE tenant = ?1";
            let open: i64 = connection.prepare_cached(count)?.query_row([&*tenant], |row| row.get(0))?;
            if open >= most {
                return Ok(Kept::Full);
            }
            let next = "INSERT INTO delivery_numbered (tenant, question) VALUES (?1, 1) \
                        ON CONFLICT (tenant) DO UPDATE SET question = delivery_numbered.question + 1 \
                        RETURNING question";
            let number: i64 = connection.prepare_cached(next)?.query_row([&*tenant], |row| row.get(0))?;
            let insert = "INSERT INTO delivery_question \
                          (tenant, question, since, address, message_id, certificate, envelope) \
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let Question { since, address, message_id, certificate, envelope, .. } = question;
            let values = params![&*tenant, number, since, address, message_id, certificate, &envelope[..]];
            connection.prepare_cached(insert)?.run(values)?;
            Ok(Kept::Yes)
        });
        keep.await
    }

    /// Those that are open, behind a number, oldest first; at most [`limits::DEFERRED_QUESTIONS_READ`] of them.
    pub async fn open(&self, after: i64) -> Result<Vec<Question>, StoreError> {
        let tenant = Arc::clone(&self.tenant);
        let read = self.store.read(move |connection| {
            let find = "SELECT question, since, address, message_id, certificate, envelope FROM delivery_question \
                        WHERE tenant = ?1 AND question > ?2 ORDER BY question LIMIT ?3";
            let mut find = connection.prepare_cached(find)?;
            let rows = find.query_map(params![&*tenant, after, limits::DEFERRED_QUESTIONS_READ], |row| {
                Ok(Question {
                    number: row.get(0)?,
                    since: row.get(1)?,
                    address: row.get(2)?,
                    message_id: row.get(3)?,
                    certificate: row.get(4)?,
                    envelope: row.get::<Vec<u8>>(5)?.into(),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        });
        read.await
    }

    /// A question is answered, or given up.
    pub async fn close(&self, number: i64) -> Result<(), StoreError> {
        let tenant = Arc::clone(&self.tenant);
        let delete = "DELETE FROM delivery_question WHERE tenant = ?1 AND question = ?2";
        let write = self.store.write(move |connection| {
            connection.prepare_cached(delete)?.execute(params![&*tenant, number])?;
            Ok(())
        });
        write.await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::MIGRATION;
    use crate::store::{Backend, Migration, testing};

    fn question(address: &str) -> Question {
        Question {
            number: 0,
            since: 1,
            address: address.to_owned(),
            message_id: "urn:uuid:1".to_owned(),
            certificate: None,
            envelope: Bytes::from_static(b"<question/>"),
        }
    }

    /// Questions that were kept before the tenant led their key are still open, and no number is given twice.
    #[tokio::test]
    async fn questions_of_before_stay_open_and_numbers_go_on() {
        for backend in [Backend::Sqlite, testing::backend("on_postgres")] {
            let folder = std::env::temp_dir().join(format!("sekisho-{}", uuid::Uuid::new_v4().simple()));
            let before = Migration { room: MIGRATION.room, steps: &MIGRATION.steps[..2] };
            let store = Store::open_in(&backend, &folder, &[before]).unwrap();
            let fill = |connection: &crate::store::Connection| {
                for (tenant, address) in [("a", "first"), ("b", "second"), ("a", "third")] {
                    connection.execute(
                        "INSERT INTO delivery_question (tenant, since, address, message_id, envelope)
                         VALUES (?1, 1, ?2, 'urn:uuid:1', ?3)",
                        params![tenant, address, [1_u8, 2]],
                    )?;
                }
                Ok(())
            };
            store.write(fill).await.unwrap();
            store.close();

            let store = Store::open_in(&backend, &folder, &[MIGRATION]).unwrap();
            let (a, b) =
                (Questions::new(store.clone(), "a".into()), Questions::new(store.clone(), "b".into()));
            let open = async |questions: &Questions| -> Vec<(i64, String)> {
                let open = questions.open(0).await.unwrap();
                open.into_iter().map(|question| (question.number, question.address)).collect()
            };
            assert_eq!(open(&a).await, [(1, "first".to_owned()), (3, "third".to_owned())]);
            assert_eq!(open(&b).await, [(2, "second".to_owned())]);
            a.close(3).await.unwrap();
            assert_eq!(a.keep(question("fourth")).await.unwrap(), Kept::Yes);
            assert_eq!(open(&a).await, [(1, "first".to_owned()), (4, "fourth".to_owned())]);
            assert_eq!(open(&b).await.len(), 1);
            store.close();
            std::fs::remove_dir_all(folder).unwrap();
        }
    }
}
