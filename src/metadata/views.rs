//! Typed views on objects: every attribute of the XDS model by its own name (ITI TF-3: 4.2.3.2 to 4.2.3.4), for reading,
//! and builders for making objects.

use crate::metadata::rim::Object;

/// A coded value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Code {
    /// The code.
    pub code: String,
    /// The coding scheme.
    pub scheme: String,
    /// The display name.
    pub display: String,
}

/// An author, as its attributes were written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Author {
    /// XCN.
    pub person: Option<String>,
    /// XON values.
    pub institutions: Vec<String>,
    /// Roles.
    pub roles: Vec<String>,
    /// Specialties.
    pub specialties: Vec<String>,
    /// XTN values.
    pub telecommunications: Vec<String>,
}

/// A DocumentEntry.
#[derive(Debug, Clone, Copy)]
pub struct DocumentEntry<'a>(pub &'a Object);

/// A SubmissionSet.
#[derive(Debug, Clone, Copy)]
pub struct SubmissionSet<'a>(pub &'a Object);

/// A Folder.
#[derive(Debug, Clone, Copy)]
pub struct Folder<'a>(pub &'a Object);
