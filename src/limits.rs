//! Every bound of the gateway, with its reason. A bound that an operator may need to move is also a field of
//! [`Limits`], whose default is the constant.

use std::time::Duration;

/// OIDs of repositories and communities (ITI TF-3: Table 4.2.3.1.7-2).
pub const MAX_OID_CHARS: usize = 64;

/// Depth of XML elements. The deepest legal XDS or HL7 V3 message stays under 40.
pub const MAX_XML_DEPTH: usize = 100;
/// Attributes of one element, namespace declarations included. ebRIM has at most 12.
pub const MAX_XML_ATTRIBUTES: usize = 64;
/// Bytes of an element's or attribute's name.
pub const MAX_XML_NAME_BYTES: usize = 256;
/// Bytes of one attribute value.
pub const MAX_XML_ATTRIBUTE_BYTES: usize = 64 * 1024;
/// Elements of one message, and likewise attributes: bounds the tree's memory (40 and 20 bytes each).
pub const MAX_XML_NODES: usize = 4_000_000;
/// Distinct namespaces of one message.
pub const MAX_XML_NAMESPACES: usize = 256;
/// Bytes of a namespace's name; the longest of the field has 85. An element that is taken out of its message declares anew
/// what it uses, so that one long name would be written as often as there are objects.
pub const MAX_XML_NAMESPACE_BYTES: usize = 256;
/// Namespace declarations in force at one place: bounds what it costs to look a prefix up. Stacks that declare whatever
/// they know on the envelope come to about 40.
pub const MAX_XML_BINDINGS: usize = 128;

/// A SOAP envelope, with the documents that are inline in it as base64. Larger documents travel as MIME parts.
pub const MAX_ENVELOPE_BYTES: usize = 64 * 1024 * 1024;
/// One document, in document bytes (not base64).
pub const MAX_DOCUMENT_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// MIME parts of one message: the envelope, and as many documents as one can have.
pub const MAX_MIME_PARTS: usize = 1 + MAX_DOCUMENTS_PER_RETRIEVE;
/// Header bytes of one MIME part.
pub const MAX_MIME_HEADER_BYTES: usize = 16 * 1024;
/// Characters of a boundary: RFC 2046 says 70; some stacks send a little more.
pub const MAX_MIME_BOUNDARY_BYTES: usize = 128;
/// Bytes before the first boundary and after the last.
pub const MAX_MIME_PREAMBLE_BYTES: usize = 64 * 1024;
/// Blanks behind a boundary on its line, and in a row in a quoted-printable part: gateways of old padded lines.
pub const MAX_MIME_PADDING_BYTES: usize = 1024;
/// Small chunks of a body that are there already are joined up to this before they are looked at.
pub const MIN_READ_BYTES: usize = 8 * 1024;
/// Frame of a body into which small chunks are joined when sending.
pub const FRAME_BYTES: usize = 64 * 1024;
/// A chunk of this size is sent as it is, in a frame of its own: on plain sockets frames go out together without being
/// copied (about 0.1 µs each), while joining costs 0.4 µs per KiB. A registry object in ebRIM is larger.
pub const LARGE_CHUNK_BYTES: usize = 2 * 1024;
/// Parts that arrive before the root part are kept: in memory up to this, in a file beyond.
pub const MAX_EARLY_PART_MEMORY: usize = 1024 * 1024;

/// An envelope up to this size is parsed where it arrives (well under a millisecond), a larger one on a thread for such
/// work.
pub const PARSE_INLINE_BYTES: usize = 256 * 1024;
/// A registry object as it is returned, so that a damaged row does not ask for more memory than an envelope has.
pub const MAX_FRAGMENT_BYTES: usize = MAX_ENVELOPE_BYTES;
/// Registry objects of one submission up to which it is checked where it arrives (some 10 microseconds each), more of them
/// aside.
pub const INLINE_OBJECTS: usize = 100;
/// Bytes of a WS-Addressing header's value: they are repeated in answers and faults. URIs have a few hundred.
pub const MAX_ADDRESSING_BYTES: usize = 16 * 1024;
/// Header blocks that a fault names as not understood: enough to mend a message by.
pub const MAX_NOT_UNDERSTOOD: usize = 16;
/// What is kept of the reason that a peer's fault gives.
pub const MAX_FAULT_REASON_CHARS: usize = 2_000;

/// Bytes of one HL7 v2 message, that is of one MLLP frame. A message of patient identity has a few kilobytes.
pub const MAX_HL7_MESSAGE_BYTES: usize = 1024 * 1024;
/// Segments of one HL7 v2 message: an answer to a demographics query has two or three for each patient.
pub const MAX_HL7_SEGMENTS: usize = 10_000;
/// Fields of one segment; the longest of HL7 2.8 has about 100.
pub const MAX_HL7_FIELDS: usize = 500;
/// Repetitions of one field.
pub const MAX_HL7_REPETITIONS: usize = 1_000;
/// Components, and likewise subcomponents, of one field over all of its repetitions.
pub const MAX_HL7_COMPONENTS: usize = 20_000;
/// Character sets that one MSH-18 names.
pub const MAX_HL7_CHARSETS: usize = 8;
/// Characters of a character set's name; the longest of table 0211 has 13.
pub const MAX_HL7_CHARSET_CHARS: usize = 32;
/// Characters of what a sender calls itself (MSH-3, MSH-4) that are kept and logged; HL7 2.5 gives an HD 227.
pub const MAX_HL7_SYSTEM_CHARS: usize = 227;
/// Characters of a query's tag (QPD-2), under which its further pages are kept; HL7 2.5 gives it 32.
pub const MAX_HL7_TAG_CHARS: usize = 256;
/// Bytes between two MLLP frames: line ends and NULs are passed over, somebody who speaks another protocol is not listened to.
pub const MAX_MLLP_JUNK_BYTES: usize = 64 * 1024;
/// How long after a 0x1C the CR is waited for that some senders leave out.
pub const MLLP_END_WAIT: Duration = Duration::from_millis(500);
/// How long an MLLP connection may rest between two messages: senders keep theirs for the day, and open a new one if need be.
pub const MLLP_IDLE: Duration = Duration::from_secs(30 * 60);
/// How long our client keeps an idle MLLP connection.
pub const MLLP_CLIENT_IDLE: Duration = Duration::from_secs(60);

/// Documents that a repository gives, or removes, at once, and that a gateway asks a community for at once. What is asked
/// for beyond them is answered with an error each.
pub const MAX_DOCUMENTS_PER_RETRIEVE: usize = 1_000;
/// DocumentRequests of one message: each has an answer, if only an error. A message with more is none.
pub const MAX_DOCUMENT_REQUESTS: usize = 10_000;
/// Documents of one submission.
pub const MAX_DOCUMENTS_PER_SUBMISSION: usize = 1_000;
/// Registry objects of one removal: as many as of the submission that brought them.
pub const MAX_OBJECTS_PER_REMOVAL: usize = MAX_OBJECTS_PER_SUBMISSION;
/// Registry objects of one submission, associations included.
pub const MAX_OBJECTS_PER_SUBMISSION: usize = 10_000;
/// Violations that the validation of one message lists, enforced and reported ones each: enough to mend it by, and no way
/// to fill memory.
pub const MAX_VIOLATIONS_PER_MESSAGE: usize = 1_000;
/// Characters of the object's id and of the value in a violation. A UUID URN has 45.
pub const MAX_VIOLATION_VALUE_CHARS: usize = 100;
/// Characters of a violation's sentence, which may name what a peer wrote.
pub const MAX_VIOLATION_MESSAGE_CHARS: usize = 500;
/// Documents whose rows `sekisho verify-store` holds at once.
pub const VERIFIED_PAGE_DOCUMENTS: usize = 1_000;
/// Objects of a query's answer; beyond it, XDSTooManyResults.
pub const MAX_QUERY_RESULTS: usize = 10_000;
/// Values of one stored-query parameter.
pub const MAX_QUERY_VALUES: usize = 10_000;
/// Characters of a LIKE pattern in a stored query; ebRIM's values have at most 256.
pub const MAX_PATTERN_CHARS: usize = 256;
/// LIKE patterns of one stored-query parameter: each is a condition of its own in the statement.
pub const MAX_QUERY_PATTERNS: usize = 100;
/// How often one parameter may stand in a stored query where all of its lists must be met: the same.
pub const MAX_QUERY_CONJUNCTIONS: usize = 100;
/// RegistryErrors of one answer; the rest is counted in the last one.
pub const MAX_ERRORS_PER_ANSWER: usize = 200;
/// RegistryErrors that are read of a peer's answer: one for each document that can be asked for at once.
pub const MAX_ERRORS_READ: usize = MAX_DOCUMENTS_PER_RETRIEVE;

/// Names, addresses, telecoms or identifiers of one person in an HL7 V3 message, each; in HL7 v2, identifiers of PID-3, and
/// names, addresses and telecoms of each field, of which the first count. Somebody with many charts has a dozen.
pub const MAX_PERSON_VALUES: usize = 64;
/// Repetitions of one query parameter, and wanted domains, in an HL7 V3 query.
pub const MAX_V3_PARAMETER_VALUES: usize = 64;
/// Characters of an HL7 V3 message's or query's id, root and extension each, which answers repeat.
pub const MAX_V3_ID_CHARS: usize = 256;
/// Characters of the text that an acknowledgement gives a person to read.
pub const MAX_V3_DETAIL_CHARS: usize = 1_000;

/// HTTP header bytes of one request or answer.
pub const MAX_HTTP_HEADER_BYTES: usize = 64 * 1024;
/// HTTP headers of one request or answer.
pub const MAX_HTTP_HEADERS: usize = 100;
/// How long a listener rests when the system refuses a connection.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a client may take to send its request's headers.
pub const HTTP_HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may pause in the middle of a body, in either direction.
pub const HTTP_BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// What must move within that time: a byte now and then is no progress (attack 31).
pub const MIN_PROGRESS_BYTES: usize = 1024;
/// How long an idle connection is kept.
pub const HTTP_KEEP_ALIVE: Duration = Duration::from_secs(60);
/// How long our client keeps an idle connection: shorter than common servers do, so that a request is rarely sent into a
/// connection that its server is closing.
pub const CLIENT_KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Bytes that hyper reads or writes at once.
pub const HTTP_BUFFER_BYTES: usize = 256 * 1024;
/// After an answer to a request whose body was not read: how long, and how many bytes of it, are still taken in before the
/// connection is closed. Closing at once would make the kernel reset it, and the client might lose the answer.
pub const HTTP_LINGER: Duration = Duration::from_secs(2);
/// See [`HTTP_LINGER`].
pub const HTTP_LINGER_BYTES: usize = 8 * 1024 * 1024;
/// How long a TLS handshake may take.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Certificates in a peer's chain.
pub const MAX_TLS_CHAIN: u32 = 6;
/// Characters that are kept of a certificate's subject, or of one of its names.
pub const MAX_SUBJECT_CHARS: usize = 512;
/// Names that are kept of a certificate.
pub const MAX_CERTIFICATE_NAMES: usize = 32;
/// Connections of one listener; further ones are closed at once.
pub const MAX_CONNECTIONS: usize = 2_000;
/// Requests that are worked on at once; further ones wait in a bounded queue and are then shed.
pub const MAX_CONCURRENT_REQUESTS: usize = 256;
/// Requests that wait for their turn.
pub const MAX_QUEUED_REQUESTS: usize = 1_024;
/// Bytes of answers that are in memory and wait for their readers, over all connections; further answers wait for room and
/// are then shed. A slow reader has nearly all the time that it wants.
pub const MAX_ANSWER_MEMORY: usize = 512 * 1024 * 1024;
/// Answers up to this are not counted: all connections' together are less than what is.
pub const SMALL_ANSWER_BYTES: usize = 64 * 1024;
/// Bytes of requests' envelopes that are in memory at once, over all connections; a further one is shed. What is made of an
/// envelope takes about three times as much while it is worked on.
pub const MAX_ENVELOPE_MEMORY: usize = 512 * 1024 * 1024;
/// Envelopes up to this are not counted: all that are worked on at once take less than what is.
pub const SMALL_ENVELOPE_BYTES: usize = 256 * 1024;
/// How long a request waits for its turn before it is shed.
pub const MAX_QUEUE_WAIT: Duration = Duration::from_secs(5);
/// The whole of one request, first byte to last of the answer's envelope.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(60);
/// A submission with its documents: 4 GiB at 20 Mbit/s.
pub const SUBMISSION_DEADLINE: Duration = Duration::from_secs(30 * 60);
/// When a client that was shed may ask again.
pub const RETRY_AFTER: Duration = Duration::from_secs(5);
/// How long a shutdown waits for what is in flight.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(30);

/// A community's answer to a query or the head of its answer to a retrieve.
pub const PEER_DEADLINE: Duration = Duration::from_secs(20);
/// A consumer's question over all communities.
pub const FAN_OUT_DEADLINE: Duration = Duration::from_secs(25);
/// Connecting to a peer, TLS included.
pub const PEER_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Communities that are asked at once for one question.
pub const MAX_FAN_OUT_CONCURRENCY: usize = 256;
/// Idle connections kept for one peer.
pub const MAX_IDLE_PER_PEER: usize = 32;
/// A peer's documents up to this size are received whole before the answer begins, so that the answer's status is true;
/// larger ones stream through, and a failure then breaks the connection off.
pub const PREFETCH_DOCUMENT_BYTES: usize = 1024 * 1024;
/// The same for all documents of one answer together.
pub const PREFETCH_TOTAL_BYTES: usize = 16 * 1024 * 1024;
/// Chunk in which documents are read and written.
pub const CHUNK_BYTES: usize = 128 * 1024;
/// Recent answers' documents whose hash is remembered, to compare with what is retrieved.
pub const MAX_FINGERPRINTS: usize = 200_000;

/// Threads that read from the store, each with a connection. Reads are short and in memory; more than the cores that a
/// small gateway has would only take turns.
pub const STORE_READERS: usize = 3;
/// Jobs that wait for a reader; further ones are told that the store is busy.
pub const MAX_QUEUED_READS: usize = 1_024;
/// Jobs that wait for the writer; further ones are told that the store is busy.
pub const MAX_QUEUED_WRITES: usize = 1_024;
/// Writing jobs that share one commit: bounds what one failing disk takes down, and how long the first waits.
pub const MAX_GROUP_JOBS: usize = 256;
/// Changed rows after which the WAL is brought into the database file, a page that was changed often only once: those of some
/// two thousand submissions of one document, or of sixty of fifty. Whoever reads a page looks for it in all of the WAL first.
pub const CHECKPOINT_AFTER_ROWS: u64 = 30_000;
/// Bytes of a database page: five or six registry objects as they are packed.
pub const STORE_PAGE_BYTES: i64 = 8 * 1024;
/// Pages of the WAL beyond which the writer stops once to start it anew.
pub const MAX_WAL_PAGES: i64 = 32_768;
/// Pages that the writer keeps in memory, KiB: a group that changes more of them than that writes some twice. Nothing is
/// mapped into memory instead: whenever the file grows, all that was mapped is faulted in once more.
pub const STORE_WRITER_CACHE_KIB: i64 = 64 * 1024;
/// Pages that each reader keeps, KiB, until somebody writes.
pub const STORE_READER_CACHE_KIB: i64 = 16 * 1024;
/// How long a connection waits for another process (a backup, a shell) that holds a lock.
pub const STORE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a data directory, or a cross-reference cache, that another process holds is tried again meanwhile.
pub const STORE_LOCK_PAUSE: Duration = Duration::from_millis(50);
/// Prepared statements that a connection keeps.
pub const MAX_PREPARED_STATEMENTS: usize = 128;
/// How often the writer looks after its connection when there is nothing to write.
pub const STORE_WATCH: Duration = Duration::from_secs(2);

/// Threads that read from PostgreSQL, each with a connection; one more connection writes. They wait more than they work.
pub const POSTGRES_READERS: usize = 6;
/// Bytes of an identifier that something is found by: ebRIM's 256 characters, whatever they are.
pub const MAX_IDENTIFIER_BYTES: usize = 4 * 256;
/// Bytes of any other value that objects are found by. PostgreSQL's keys have a third of a page, 2,704 with what leads; a
/// code and its scheme, of 256 characters each, take no more than this.
pub const MAX_KEY_BYTES: usize = 2_560;

/// Rows that a gateway changes in PostgreSQL before it has the tables looked at anew; then twice as many each time. Where
/// nothing is known of a table, or what it was when it was empty, keys are not used that should be.
pub const POSTGRES_FIRST_ANALYZED: u64 = 500;
/// How long a connection to PostgreSQL may take to come about.
pub const POSTGRES_CONNECT: Duration = Duration::from_secs(5);
/// How long PostgreSQL works on a statement of ours before it gives up.
pub const POSTGRES_STATEMENT: Duration = Duration::from_secs(20);
/// How long PostgreSQL works on a statement of a migration: an index of many millions of rows takes its time.
pub const POSTGRES_MIGRATION: Duration = Duration::from_secs(6 * 60 * 60);
/// How long a transaction that writes may be silent before PostgreSQL takes its lock away: a gateway that has stopped in the
/// middle of a group holds up all others.
pub const POSTGRES_IDLE_WRITING: Duration = Duration::from_secs(10);
/// The same of one that only reads, and may work for minutes on what it has read: it holds up nobody, but old rows stay.
pub const POSTGRES_IDLE_READING: Duration = Duration::from_secs(15 * 60);
/// How long a statement is waited for. Afterwards the connection is given up: PostgreSQL itself would have answered.
pub const POSTGRES_PATIENCE: Duration = Duration::from_secs(30);
/// A connection from which nothing was heard for so long is tried before it is relied upon.
pub const POSTGRES_QUIET: Duration = Duration::from_secs(1);
/// How long PostgreSQL is left alone after a connection failed: twice as long each time, up to the longest.
pub const POSTGRES_FIRST_PAUSE: Duration = Duration::from_millis(100);
/// See [`POSTGRES_FIRST_PAUSE`].
pub const POSTGRES_LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Records of the patient index that are in memory at once where all of them are looked at: some kilobytes each.
pub const INDEX_PAGE_RECORDS: i64 = 1_000;

/// Memory for records of the patient index as they are compared, and for their keys: some 470 bytes for each record, so two
/// millions and more; others are read from the disk when they are looked for. Nothing is taken before there are records.
pub const INDEX_MEMORY_BYTES: usize = 1024 * 1024 * 1024;

/// Documents up to this share segment files and are kept in memory until they are committed; larger ones get a file each.
pub const SMALL_DOCUMENT_BYTES: u64 = 1024 * 1024;
/// A segment that has reached this is closed and the next one begun.
pub const SEGMENT_BYTES: u64 = 256 * 1024 * 1024;
/// Bytes of small documents that are gathered before they are written: what a group of submissions brings, usually.
pub const SEGMENT_BUFFER_BYTES: usize = 2 * 1024 * 1024;
/// Segments that are held open for reading.
pub const MAX_OPEN_SEGMENTS: usize = 64;
/// Documents that wait in memory for their commit, over all submissions to all tenants; beyond it, small ones get a file too.
pub const MAX_STAGED_MEMORY: usize = 64 * 1024 * 1024;
/// A smaller piece of what was received is copied before it is kept, so that what is kept holds on to no more than four
/// times its size.
pub const MIN_KEPT_SLICE_BYTES: usize = HTTP_BUFFER_BYTES / 4;
/// Bytes of a large document that are gathered before they are written; twice that is in memory.
pub const SPOOL_BATCH_BYTES: usize = 512 * 1024;
/// Small documents of one retrieve that are read before its answer begins; further ones are read as they are sent.
pub const MAX_EAGER_BYTES: u64 = 16 * 1024 * 1024;
/// Documents whose place is remembered after they were retrieved: about 500 bytes each.
pub const MAX_RECENT_DOCUMENTS: usize = 20_000;
/// Bytes of documents that one request copies out of the page cache on a thread of the runtime: about 25 microseconds.
pub const MAX_CACHED_READ_BYTES: u64 = 256 * 1024;
/// Bytes of segments without rows that are taken for what a crash left behind: a group of jobs holds what
/// [`MAX_STAGED_MEMORY`] allows, and another may have been staged while it ran.
pub const MAX_SETTLED_BYTES: u64 = 2 * MAX_STAGED_MEMORY as u64;
/// Removed documents whose bytes are erased between two writes to the database.
pub const MAX_ERASURES_AT_ONCE: usize = 1_000;
/// Large files without rows that are taken for what a crash left behind.
pub const MAX_SETTLED_FILES: usize = 2 * MAX_CONCURRENT_REQUESTS;

/// Bytes of a document that are sealed as one piece: part of the format of what is stored.
pub const SEALED_CHUNK_BYTES: usize = 128 * 1024;
/// Bytes of a part of an object; a document of up to this is put in one request. S3 wants at least 5 MiB, and takes 10,000.
pub const OBJECT_PART_BYTES: u64 = 8 * 1024 * 1024;
/// Parts of large documents that are in memory at once, over all submissions.
pub const MAX_PARTS_IN_MEMORY: usize = 12;
/// Parts of one document that are on their way at once.
pub const MAX_PARTS_PER_DOCUMENT: usize = 3;
/// Objects that are put or fetched at once for one message.
pub const MAX_OBJECTS_AT_ONCE: usize = 8;
/// How long an object store may take until its answer begins, with what is sent to it.
pub const OBJECT_REQUEST_DEADLINE: Duration = Duration::from_secs(30);
/// Retries of one request to an object store.
pub const MAX_OBJECT_RETRIES: usize = 3;
/// How long after the first attempt another one may begin.
pub const OBJECT_RETRY_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before the first retry; it doubles.
pub const OBJECT_RETRY_PAUSE: Duration = Duration::from_millis(100);
/// How often an object store is asked whether it is there.
pub const OBJECT_STORE_WATCH_PERIOD: Duration = Duration::from_secs(15);
/// An object without a row that is older than this belongs to no submission any more: a request has ended long before, and
/// neither our clock nor the store's jumps by so much.
pub const ORPHAN_GRACE: Duration = Duration::from_secs(3 * 24 * 3600);
/// Days back that orphans are looked for at the start and once a day.
pub const ORPHAN_DAYS: i64 = 7;
/// How often they are looked for.
pub const ORPHAN_PERIOD: Duration = Duration::from_secs(24 * 3600);
/// Bytes of the id of a tenant's key.
pub const MAX_KEY_ID_BYTES: usize = 64;
/// Parts in which a repository's usage is counted: enough that gateways seldom meet in one, few enough to be added up.
pub const USAGE_PARTS: u32 = 16;

/// Requests to one community that are under way at once; further ones wait within their deadline.
pub const MAX_CONCURRENT_PER_PEER: usize = 64;
/// Identities of one patient in one community that are asked for; beyond it the correlation is wrong.
pub const MAX_IDENTITIES_PER_COMMUNITY: usize = 16;
/// Attempts at one question, the first included.
pub const MAX_PEER_ATTEMPTS: u32 = 3;
/// Pause before the first retry; it doubles, and varies by half, so that retries of many do not meet.
pub const PEER_RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Retries that may be spent at once over all communities, in thousandths.
pub const RETRY_BUDGET_MILLIS: i64 = 100_000;
/// What a first attempt earns of a retry, in thousandths.
pub const RETRY_EARNED_MILLIS: i64 = 100;
/// Consecutive failures that open a community's circuit breaker.
pub const BREAKER_FAILURES: u32 = 5;
/// How long a breaker stays open before it probes.
pub const BREAKER_PAUSE: Duration = Duration::from_secs(10);
/// How much later than its own deadline a fan-out looks for answers that came at the last moment.
pub const FAN_OUT_GRACE: Duration = Duration::from_millis(10);
/// What may follow the last document of a peer's answer, before its connection is given up instead of used again.
pub const PEER_DRAIN_WAIT: Duration = Duration::from_millis(100);
/// How often the directory of communities is looked at for changes.
pub const DIRECTORY_POLL: Duration = Duration::from_secs(1);
/// One file of the directory of communities, or one set of quirks.
pub const MAX_COMMUNITY_FILE_BYTES: u64 = 256 * 1024;
/// Communities of one directory.
pub const MAX_COMMUNITIES: usize = 10_000;

/// Entries of the cross-reference cache: the patients of a large region in some communities each. About 300 bytes on disk.
pub const MAX_CROSSREF_ENTRIES: usize = 20_000_000;
/// Its memory; the rest is left to the system's page cache.
pub const CROSSREF_MEMORY_BYTES: u64 = 32 * 1024 * 1024;
/// How much of that is for entries that need no page of sled's; a page has many, and sled takes more than it is given. In
/// percent.
pub const CROSSREF_HELD_PERCENT: u64 = 75;
/// sled refuses to work with less.
pub const CROSSREF_LEAST_PAGES_BYTES: u64 = 1024 * 1024;
/// What an entry in memory needs beside the bytes of its key and itself: places in tables, and what allocators add.
pub const CROSSREF_HELD_OVERHEAD: u64 = 128;
/// An entry in memory altogether, more or less: by this it is reckoned how many there will be.
pub const CROSSREF_HELD_BYTES: u64 = 256;
/// Parts of the memory with a lock each: a part grows at once, which the others do not wait for.
pub const CROSSREF_MEMORY_SHARDS: usize = 1_024;
/// How full the memory gets at the start, when nobody has asked for anything yet. In percent.
pub const CROSSREF_MEMORY_FULL_PERCENT: u64 = 95;
/// Entries that are counted at once at the start.
pub const CROSSREF_STOCK_AT_ONCE: usize = 1_000;
/// Counters by which it is noticed that an entry in memory was changed since. With five million entries a change makes some
/// 80 others be read from sled once more; with renewals once a week that is once in two hours for each.
pub const CROSSREF_STAMPS: usize = 65_536;
/// How long the cache of a process that is on its way out is waited for.
pub const CROSSREF_BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Expired entries that go with each that comes.
pub const CROSSREF_SWEPT_PER_WRITE: usize = 2;
/// Entries that go with each that comes while there are too many: a bound that was lowered is reached step by step.
pub const CROSSREF_EVICTED_PER_WRITE: usize = 64;
/// Patients of a stripe who could not be forgotten, since the disk failed. If there are more, nothing is told of any of its
/// patients until the next start.
pub const CROSSREF_TO_FORGET: usize = 64;
/// A line of its export: as many identifiers as an entry may have, as long as they may be.
pub const MAX_CROSSREF_LINE_BYTES: u64 = 32 * 1024;
/// Counters by which it is noticed that a patient was forgotten while a question was under way: two patients who share one
/// cost an answer that is not kept.
pub const CROSSREF_STRIPES: usize = 4_096;
/// Events of the patient index that are followed at once.
pub const CROSSREF_EVENTS_AT_ONCE: usize = 1_000;
/// How long the cache waits for events of the patient index before it looks by itself.
pub const CROSSREF_PATIENCE: Duration = Duration::from_secs(10);

/// Matches of one demographics query: who gets more has not asked for somebody. All pages together.
pub const MAX_DEMOGRAPHICS_MATCHES: usize = 2_000;
/// Demographics queries whose further pages are kept, over all callers; the one that was used longest ago goes first.
pub const MAX_CONTINUATIONS: usize = 1_000;
/// The same for one caller: nobody can push out everybody else's.
pub const MAX_CONTINUATIONS_PER_CALLER: usize = 32;
/// Matches that are kept for further pages, over all callers: about a kilobyte each.
pub const MAX_KEPT_MATCHES: usize = 50_000;
/// How long further pages are kept after they were last asked for.
pub const CONTINUATION_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// Reference parameters of an endpoint reference: they are repeated in the reply. Stacks send one or two.
pub const MAX_REFERENCE_PARAMETERS: usize = 16;
/// Answers to our own asynchronous requests that are waited for at once.
pub const MAX_AWAITED_REPLIES: usize = 1_024;
/// Requests with a ReplyTo of their own that are worked on, or whose answers are under way, at once.
pub const MAX_ASYNC_EXCHANGES: usize = 256;
/// Those of them whose answers go to one host and port: a dead one must not take the places of all.
pub const MAX_ASYNC_EXCHANGES_PER_HOST: usize = 64;
/// Attempts to deliver an asynchronous answer, the first included.
pub const MAX_REPLY_ATTEMPTS: u32 = 4;
/// Pause before the second attempt; each further one is three times as long.
pub const REPLY_RETRY_PAUSE: Duration = Duration::from_secs(1);
/// One attempt to deliver an answer that is in memory.
pub const REPLY_DEADLINE: Duration = Duration::from_secs(30);
/// Records that share one blocking key, beyond which the key says nothing of them: a birthday has 30 in a million.
pub const MAX_RECORDS_PER_KEY: usize = 500;
/// Records that share a name, beyond which the name alone brings none of them together.
pub const MAX_RECORDS_PER_NAME: usize = 8;
/// Candidates that are compared with one record; those that share the most keys with it come first.
pub const MAX_CANDIDATES: usize = 1_000;
/// Links that matching keeps of one record: the surest.
pub const MAX_LINKS_FOUND: usize = 16;
/// Records of one person. A patient of every facility of a region has some dozens.
pub const MAX_RECORDS_PER_PERSON: usize = 256;
/// Records beyond which no further persons are looked at because a pair stood back: of newborns who are described alike, say.
pub const MAX_RECORDS_REGROUPED: usize = 4 * MAX_RECORDS_PER_PERSON;
/// Records whose insured person's number is looked at as one: a family's, at all its facilities.
pub const MAX_INSURED_ALIKE: usize = 64;
/// Former versions of one record that serve linking.
pub const MAX_FORMER_VERSIONS: usize = 32;
/// Records that one question looks through: what a wide one leaves out is found by a closer one.
pub const MAX_SEARCHED_RECORDS: usize = 5_000;
/// Records written lately whose keys are remembered, so that what was compared before the writer's turn holds: as many as
/// can be on their way from there to here, and as many again.
pub const MAX_RECENT_RECORDS: usize = 2 * (MAX_QUEUED_READS + MAX_QUEUED_WRITES + MAX_GROUP_JOBS);
/// Keys of the patient index that are held in memory before they become a file: of some 40,000 records. They are read anew
/// at a start, which takes a quarter of a second.
pub const MAX_KEYS_IN_MEMORY: usize = 750_000;
/// Rows of a bulk load that are under way at once: they share commits.
pub const IMPORT_ROWS_AT_ONCE: usize = MAX_GROUP_JOBS;
/// Records that are matched again in one turn of the writer: others wait for some tens of milliseconds.
pub const REMATCHED_AT_ONCE: i64 = 64;
/// Bytes of one HL7 v2 message of a bulk load.
pub const MAX_IMPORTED_MESSAGE_BYTES: usize = 1024 * 1024;
/// Events of the patient index that are kept for those who read on from where they stopped.
pub const MAX_KEPT_EVENTS: u64 = 1_000_000;
/// The latest events, which are in memory, too.
pub const MAX_EVENTS_AT_HAND: usize = 1_024;
/// Events that are forgotten with one statement.
pub const EVENTS_FORGOTTEN_AT_ONCE: u64 = 256;
/// Keys under which one record is found by another of the same person; a record in kanji and kana with one address and one
/// telephone number has about 20.
pub const MAX_BLOCKING_KEYS: usize = 32;
/// Random pairs by which the chances of coincidence are measured.
pub const MAX_RANDOM_PAIRS: usize = 1_000_000;
/// Rounds of learning: it settles within about 20.
pub const MAX_LEARNING_ROUNDS: usize = 200;
/// Records that weights are learnt from; of more, as many are drawn.
pub const MAX_LEARNING_RECORDS: usize = 200_000;
/// Pairs of one person below which weights are not learnt: they would be chance.
pub const MIN_LEARNING_PAIRS: f64 = 100.0;
/// Models that are kept: the last one holds, the others tell who learnt when.
pub const MAX_KEPT_MODELS: i64 = 8;
/// Days of birth that one question looks up, of 32 in each month: five years.
pub const MAX_BIRTH_DAYS: u32 = 5 * 12 * 32;
/// Events of the index that are looked through at once for one consumer of notifications.
pub const NOTIFY_EVENTS_AT_ONCE: usize = 256;
/// One attempt to tell a consumer, its acknowledgement included.
pub const NOTIFY_DEADLINE: Duration = Duration::from_secs(30);
/// Pause before the second attempt; it doubles with each further one.
pub const NOTIFY_PAUSE: Duration = Duration::from_secs(1);
/// Up to this: a consumer that comes back after a week is told within minutes.
pub const MAX_NOTIFY_PAUSE: Duration = Duration::from_secs(5 * 60);
/// Deferred questions that are answered at once.
pub const MAX_DEFERRED_AT_ONCE: usize = 16;
/// How often a gateway looks whether deferred questions are left to it: by one that is gone, or that only accepted them.
pub const DEFERRED_LOOK: Duration = Duration::from_secs(5);
/// Open questions that are read at once when they are taken up: some kilobytes each.
pub const DEFERRED_QUESTIONS_READ: i64 = 100;
/// How long it is tried to answer a deferred question: a peer that was away over a long weekend gets its answers.
pub const DEFERRED_LIFETIME: Duration = Duration::from_secs(5 * 24 * 60 * 60);
/// How long a deferred question waits for a patient index that is away or busy, before it is answered that we are: its sender
/// would then ask again, and be no better off.
pub const DEFERRED_PATIENCE: Duration = Duration::from_secs(60 * 60);
/// Deferred questions that are open at once; further ones are told that they must be asked immediately.
pub const MAX_DEFERRED_QUESTIONS: i64 = 10_000;
/// Deferred questions of ours that are remembered at once, answered ones included; further ones are not asked.
pub const MAX_ASKED_QUESTIONS: i64 = 10_000;
/// How long an answer to a deferred question of ours is waited for: as long as we try to deliver ours.
pub const ASKED_LIFETIME: Duration = DEFERRED_LIFETIME;
/// How long a deferred question is remembered after its answer: one that comes twice is known, and one that told nobody
/// apart is not asked for again at once.
pub const ANSWERED_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How long a deferred answer is kept that says nothing of it, where the operator has not agreed on anything either: without
/// that, it would be of no use to whoever comes back for it.
pub const DEFERRED_ANSWER_LIFE: Duration = Duration::from_secs(60 * 60);

/// How long an answer of another community about a patient is kept at most, whatever it says: people move and marry.
pub const MAX_CORRELATION_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How long others may keep our answers, unless the configuration says otherwise.
pub const CORRELATION_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Questions to one community about one patient: a second one with what it wished for.
pub const MAX_DISCOVERY_ROUNDS: u32 = 2;
/// People in one answer to a patient discovery; who describes more describes nobody.
pub const MAX_DISCOVERED: usize = 10;
/// People listed to a search by four items in an emergency.
pub const MAX_EMERGENCY_ANSWERS: usize = 5;
/// The degree from which on somebody is listed in an emergency.
pub const EMERGENCY_DEGREE: u8 = 60;
/// The degree from which on somebody is found in a patient discovery, unless the configuration says otherwise: the link
/// between two records of one person with a typing error reaches more.
pub const DISCOVERY_DEGREE: u8 = 95;
/// Years over which a birth time in a patient discovery may reach.
pub const MAX_DISCOVERY_BIRTH_YEARS: u16 = 5;
/// Patient discoveries of one caller in a minute: a gateway of a large region in its busiest hour.
pub const DISCOVERIES_PER_MINUTE: u32 = 6_000;
/// What a question costs besides that finds nobody or is refused: ten such questions a second at most.
pub const DISCOVERY_MISS_COST: u32 = 10;
/// Callers whose questions are counted.
pub const MAX_RATED_CALLERS: usize = 10_000;
/// Questions to communities about patients that concurrent queries share.
pub const MAX_SHARED_DISCOVERIES: usize = 10_000;

/// Free bytes of the data directory's file system below which the gateway says that it is not ready: the database's log may
/// grow to half of it, and documents that are arriving need room too.
pub const MIN_FREE_DISK_BYTES: u64 = 512 * 1024 * 1024;
/// How often the disk and what tenants hold are looked at.
pub const STOCKTAKING_INTERVAL: Duration = Duration::from_secs(10);
/// Parts of a quota in a hundred from which on the operator is warned.
pub const QUOTA_WARNING_PERCENT: u64 = 80;
/// Tenants of one gateway besides its own: each has its segment, whose buffer is two megabytes while it is written.
pub const MAX_TENANTS: usize = 500;
/// Bytes of a tenant's name.
pub const MAX_TENANT_NAME_BYTES: usize = 32;
/// Bytes of a document's beginning in which the content gate looks for a CDA's body. Headers have some ten kilobytes.
pub const MAX_INSPECTED_BYTES: usize = 256 * 1024;
/// Documents that are scanned at once: a scanner has about as many threads.
pub const MAX_CONCURRENT_SCANS: usize = 32;
/// How long a document waits for its turn with the scanner.
pub const SCAN_TURN_WAIT: Duration = Duration::from_secs(30);
/// Bytes of a document that are gathered before it has a turn: one that is not larger is scanned when it is here whole, and
/// a slow sender of it holds up nobody.
pub const SCAN_GATHERED_BYTES: u64 = 256 * 1024;
/// How long the sender of a larger one has before its pace matters.
pub const SCAN_GRACE: Duration = Duration::from_secs(5);
/// Bytes in a second below which a sender loses its turn, where others wait for one.
pub const SCAN_SLOWEST_BYTES: u64 = 64 * 1024;
/// How often somebody who waits for a turn looks for such a sender.
pub const SCAN_TURN_LOOK: Duration = Duration::from_millis(250);
/// How long it may take to reach a scanner.
pub const SCANNER_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a scanner may leave bytes untaken.
pub const SCANNER_WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a scanner may think about a document that it has whole.
pub const SCAN_VERDICT_TIMEOUT: Duration = Duration::from_secs(120);
/// A scanner's answer, without what an ICAP server sends of a document.
pub const MAX_SCANNER_ANSWER_BYTES: usize = 16 * 1024;
/// Bytes that an ICAP server gets before it is asked whether it wants the rest.
pub const MAX_ICAP_PREVIEW_BYTES: usize = 64 * 1024;
/// How long an ICAP server's options hold, whatever it says.
pub const MAX_ICAP_OPTIONS_LIFE: Duration = Duration::from_secs(60 * 60);
/// Characters of what a scanner found, in answers and logs.
pub const MAX_FINDING_CHARS: usize = 100;
/// Registry objects that are looked at at once for what has been kept for long enough: a few milliseconds of a reader.
pub const RETENTION_WINDOW_OBJECTS: i64 = 2_000;
/// Entries that are removed at once for their age; they share a commit.
pub const RETENTION_AT_ONCE: usize = 16;
/// Pause between two windows: whoever submits and asks comes first.
pub const RETENTION_PAUSE: Duration = Duration::from_millis(50);
/// How often it is looked for what has been kept for long enough: ages are counted in days.
pub const RETENTION_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// Rules of retention of one tenant.
pub const MAX_RETENTION_RULES: usize = 32;

/// Changes to metadata and documents that `check --store --settle` makes without being told how many.
pub const MAX_UNCONFIRMED_CHANGES: usize = 10;
/// Files of one bulk submission.
pub const MAX_BULK_FILES: usize = 1_000_000;
/// Submissions of a bulk load that are under way at once, at most.
pub const MAX_BULK_PARALLEL: u8 = 64;
/// Attempts at one of them at a peer that is busy, the first included.
pub const MAX_BULK_ATTEMPTS: u32 = 4;
/// Pause before the second attempt; it doubles.
pub const BULK_RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Bytes of a line of a bulk load's journal.
pub const MAX_JOURNAL_LINE_BYTES: u64 = 64 * 1024;

/// Bytes of one SAML assertion. With certificates and a few dozen attributes it has ten to twenty kilobytes.
pub const MAX_ASSERTION_BYTES: usize = 64 * 1024;
/// Bytes of the canonical form of an assertion, in which declarations are repeated where they are used.
pub const MAX_CANONICAL_BYTES: usize = 512 * 1024;
/// Characters of an assertion's ID and of what it calls its issuer, an audience, or a person: URIs have a few hundred.
pub const MAX_ASSERTED_CHARS: usize = 1024;
/// Values of all attributes of one assertion together. EPR and XSPA have some twenty.
pub const MAX_ASSERTED_VALUES: usize = 256;
/// Audiences that an assertion names, confirmations of its subject, and statements of authentication, each.
pub const MAX_ASSERTION_PARTS: usize = 32;
/// Prefixes of an InclusiveNamespaces PrefixList.
pub const MAX_INCLUSIVE_PREFIXES: usize = 32;
/// Bits of an RSA key that assertions are signed with, at least (the same as OpenSSL's security level 2).
pub const MIN_RSA_BITS: u32 = 2048;
/// The same of an elliptic curve's key.
pub const MIN_CURVE_BITS: u32 = 256;
/// Issuers of assertions, and certificates of one of them: the present one and the next, perhaps of several servers.
pub const MAX_ASSERTION_ISSUERS: usize = 256;
/// See [`MAX_ASSERTION_ISSUERS`]. Each costs a verification where none fits.
pub const MAX_ISSUER_CERTIFICATES: usize = 4;
/// How far an issuer's clock may be off, where the configuration says nothing.
pub const CLOCK_SKEW: Duration = Duration::from_secs(60);
/// How far it may be off at most: an assertion lives for minutes.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(300);

/// The bounds that an operator may move, with the constants above as defaults.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// See [`MAX_ENVELOPE_BYTES`].
    pub max_envelope_bytes: usize,
    /// See [`MAX_DOCUMENT_BYTES`].
    pub max_document_bytes: u64,
    /// See [`MAX_CONNECTIONS`].
    pub max_connections: usize,
    /// See [`MAX_CONCURRENT_REQUESTS`].
    pub max_concurrent_requests: usize,
    /// See [`MAX_QUEUED_REQUESTS`].
    pub max_queued_requests: usize,
    /// See [`MAX_ANSWER_MEMORY`].
    pub max_answer_memory_bytes: usize,
    /// See [`MAX_ENVELOPE_MEMORY`].
    pub max_envelope_memory_bytes: usize,
    /// See [`MIN_FREE_DISK_BYTES`].
    pub min_free_disk_bytes: u64,
    /// See [`MAX_QUERY_RESULTS`].
    pub max_query_results: usize,
    /// See [`HTTP_HEADER_TIMEOUT`], in milliseconds.
    pub header_timeout_ms: u64,
    /// See [`HTTP_BODY_IDLE_TIMEOUT`], in milliseconds.
    pub body_idle_timeout_ms: u64,
    /// See [`REQUEST_DEADLINE`], in milliseconds.
    pub request_deadline_ms: u64,
    /// See [`SHUTDOWN_GRACE`], in milliseconds.
    pub shutdown_grace_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_envelope_bytes: MAX_ENVELOPE_BYTES,
            max_document_bytes: MAX_DOCUMENT_BYTES,
            max_connections: MAX_CONNECTIONS,
            max_concurrent_requests: MAX_CONCURRENT_REQUESTS,
            max_queued_requests: MAX_QUEUED_REQUESTS,
            max_answer_memory_bytes: MAX_ANSWER_MEMORY,
            max_envelope_memory_bytes: MAX_ENVELOPE_MEMORY,
            min_free_disk_bytes: MIN_FREE_DISK_BYTES,
            max_query_results: MAX_QUERY_RESULTS,
            header_timeout_ms: HTTP_HEADER_TIMEOUT.as_millis() as u64,
            body_idle_timeout_ms: HTTP_BODY_IDLE_TIMEOUT.as_millis() as u64,
            request_deadline_ms: REQUEST_DEADLINE.as_millis() as u64,
            shutdown_grace_ms: SHUTDOWN_GRACE.as_millis() as u64,
        }
    }
}
