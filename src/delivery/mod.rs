//! What is still to be told to others or by others, and survives us: how far each consumer of notifications has been told,
//! questions that were accepted and are not answered yet, and questions of ours that others accepted. Called by the actors;
//! knows no message and no socket.
//!
//! | file | what it keeps |
//! |---|---|
//! | [`outbox`] | each consumer's place in the index's events, and which links it was told (ITI-10, 46, 64) |
//! | [`questions`] | deferred questions to us (ITI-55), until their answers have been taken |
//! | [`asked`] | deferred questions of ours, until their answers have come |

pub mod asked;
pub mod outbox;
pub mod questions;

use crate::store::{Migration, Step};

/// Its tables.
pub const MIGRATION: Migration =
    Migration { room: "delivery", steps: &[Step::Both(FIRST), Step::Both(ASKED), Step::Both(QUESTIONS)] };

const FIRST: &str = "
-- Tells the notices of one data directory from those of another with the same numbers.
CREATE TABLE delivery_epoch (
    tenant TEXT PRIMARY KEY,
    epoch TEXT NOT NULL
) STRICT;

-- The last event that a consumer was told of, or that does not concern it.
CREATE TABLE delivery_position (
    tenant TEXT NOT NULL,
    consumer TEXT NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (tenant, consumer)
) STRICT, WITHOUT ROWID;

-- To which patient of the affinity domain a registry believes a local one to be linked.
CREATE TABLE delivery_link (
    tenant TEXT NOT NULL,
    consumer TEXT NOT NULL,
    local TEXT NOT NULL,
    patient TEXT NOT NULL,
    PRIMARY KEY (tenant, consumer, local)
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery_question (
    question INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    since INTEGER NOT NULL,
    address TEXT NOT NULL,                 -- where the answer goes, as asked
    message_id TEXT NOT NULL,
    certificate TEXT,                      -- who asked
    envelope BLOB NOT NULL
) STRICT;
CREATE INDEX delivery_question_tenant ON delivery_question (tenant, question);
";

const ASKED: &str = "
-- Questions of ours that are answered later: one about each patient to each community.
CREATE TABLE delivery_asked (
    tenant TEXT NOT NULL,
    patient TEXT NOT NULL,                 -- CX
    community TEXT NOT NULL,               -- homeCommunityId
    key TEXT NOT NULL,                     -- of our message and query
    round INTEGER NOT NULL,
    digest TEXT NOT NULL,                  -- of the demographics that were asked with
    state TEXT NOT NULL,                   -- sent, open, answered; or why it is unresolved
    until INTEGER NOT NULL,
    PRIMARY KEY (tenant, patient, community)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX delivery_asked_key ON delivery_asked (tenant, key);
CREATE INDEX delivery_asked_until ON delivery_asked (tenant, until);
";

/// Questions are kept by tenant and number: the numbers are each tenant's own, and none is given twice.
const QUESTIONS: &str = "
CREATE TABLE delivery_numbered (
    tenant TEXT PRIMARY KEY,
    question INTEGER NOT NULL              -- the last number that was given
) STRICT, WITHOUT ROWID;
INSERT INTO delivery_numbered (tenant, question)
SELECT tenant, max(question) FROM delivery_question GROUP BY tenant;

DROP INDEX delivery_question_tenant;
ALTER TABLE delivery_question RENAME TO delivery_question_before;
CREATE TABLE delivery_question (
    tenant TEXT NOT NULL,
    question INTEGER NOT NULL,
    since INTEGER NOT NULL,
    address TEXT NOT NULL,                 -- where the answer goes, as asked
    message_id TEXT NOT NULL,
    certificate TEXT,                      -- who asked
    envelope BLOB NOT NULL,
    PRIMARY KEY (tenant, question)
) STRICT;
INSERT INTO delivery_question (tenant, question, since, address, message_id, certificate, envelope)
SELECT tenant, question, since, address, message_id, certificate, envelope FROM delivery_question_before;
DROP TABLE delivery_question_before;
";
