//! The affinity domain's code lists (ITI TF-2: 3.42.4.1.3.3): for an attribute that a file names, the codes of each coding
//! scheme that may stand in it. Attributes that it does not name take any code; display names are never compared.
//!
//! ```toml
//! mimeType = ["text/xml", "application/pdf"]
//!
//! [classCode]
//! "2.16.840.1.113883.6.1" = ["34133-9", "18842-5"]
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;

use super::table::{self, Place};

/// Code lists by the attribute's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeLists {
    mime_types: Option<HashSet<String>>,
    codes: HashMap<&'static str, HashMap<String, HashSet<String>>>,
}

/// Why a file of code lists cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeListsError {
    /// No TOML, or not of this shape.
    #[error("{0}")]
    Toml(String),
    /// No attribute that holds codes is called so; the one that is spelt most like it.
    #[error("no attribute with codes is called {0:?}; did you mean {1:?}?")]
    Attribute(String, &'static str),
    /// A scheme or list is empty: it would refuse everything.
    #[error("{0}: scheme {1:?} has no codes, so nothing could be submitted with it; leave it out")]
    Empty(&'static str, String),
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "mimeType")]
    mime_types: Option<HashSet<String>>,
    #[serde(flatten)]
    codes: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl CodeLists {
    /// Reads a file; all that is wrong with it is told.
    pub fn parse(text: &str) -> Result<Self, Vec<CodeListsError>> {
        let File { mime_types, codes } =
            toml::from_str(text).map_err(|error| vec![CodeListsError::Toml(error.to_string())])?;
        let mut lists = Self { mime_types, codes: HashMap::new() };
        let mut wrong = Vec::new();
        for (name, schemes) in codes {
            let Some(attribute) = attributes().find(|known| *known == name) else {
                wrong.push(CodeListsError::Attribute(name.clone(), nearest(&name)));
                continue;
            };
            let empty = schemes.iter().filter(|(scheme, codes)| scheme.is_empty() || codes.is_empty());
            wrong.extend(empty.map(|(scheme, _)| CodeListsError::Empty(attribute, scheme.clone())));
            let schemes = schemes.into_iter().map(|(scheme, codes)| (scheme, codes.into_iter().collect()));
            lists.codes.insert(attribute, schemes.collect());
        }
        if wrong.is_empty() { Ok(lists) } else { Err(wrong) }
    }

    /// Whether an attribute may have a code.
    pub(super) fn has(&self, attribute: &str, code: &str, scheme: &str) -> bool {
        let Some(schemes) = self.codes.get(attribute) else { return true };
        schemes.get(scheme).is_some_and(|codes| codes.contains(code))
    }

    /// Whether a document may be of a media type.
    pub(super) fn has_mime_type(&self, mime_type: &str) -> bool {
        self.mime_types.as_ref().is_none_or(|listed| listed.contains(mime_type))
    }
}

/// The names of all attributes that hold codes.
fn attributes() -> impl Iterator<Item = &'static str> {
    let coded = table::ATTRIBUTES.iter().filter(|attribute| matches!(attribute.place, Place::Code(_)));
    coded.map(|attribute| attribute.cardinality.text)
}

fn nearest(text: &str) -> &'static str {
    attributes().min_by_key(|name| strsim::levenshtein(name, text)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_is_not_had_and_what_has_no_list_is() {
        let lists =
            CodeLists::parse("mimeType = [\"text/xml\"]\n[classCode]\n\"1.2\" = [\"a\", \"b\"]").unwrap();
        for (attribute, code, scheme, has) in [
            ("classCode", "a", "1.2", true),
            ("classCode", "c", "1.2", false),
            ("classCode", "a", "1.3", false),
            ("classCode", "a", "", false),
            ("typeCode", "a", "1.3", true),
        ] {
            assert_eq!(lists.has(attribute, code, scheme), has, "{attribute} {code} {scheme}");
        }
        assert!(lists.has_mime_type("text/xml") && !lists.has_mime_type("text/html"));
        assert!(CodeLists::parse("").unwrap().has_mime_type("text/html"));
    }

    #[test]
    fn all_that_is_wrong_with_a_file_is_told() {
        let text = "[classcode]\n\"1.2\" = [\"a\"]\n[typeCode]\n\"1.2\" = []";
        let wrong = CodeLists::parse(text).unwrap_err();
        assert_eq!(
            wrong,
            [
                CodeListsError::Attribute("classcode".into(), "classCode"),
                CodeListsError::Empty("typeCode", "1.2".into()),
            ]
        );
        assert!(matches!(CodeLists::parse("classCode = [\"a\"]").unwrap_err()[0], CodeListsError::Toml(_)));
    }
}
