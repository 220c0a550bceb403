//! The XDS metadata model (ITI TF-3: 4.1, 4.2): ebRIM objects as they travel, typed views on them, and the rules.

pub mod cda;
pub mod codes;
mod relation;
pub mod rim;
pub mod validate;
pub mod views;

pub use relation::Relation;
pub use rim::{Association, Classification, ExternalIdentifier, Kind, Object, Slot, Submission};
pub use views::{
    Author, AuthorRef, Code, CodeRef, DocumentEntry, DocumentEntryBuilder, Folder, FolderBuilder,
    SubmissionSet, SubmissionSetBuilder,
};
