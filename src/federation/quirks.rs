//! Quirks: how a community differs from the rules, as data. A set of quirks is a file `NAME.toml` in `profiles/peers/`,
//! one per product, vendor or habit; the sets there are compiled in, and a configured folder adds or replaces some. A
//! community's file names the sets that hold for it; a later one overrides an earlier one.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What to do with an object that came without `home`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingHome {
    /// Drop it and report XDSMissingHomeCommunityId (ITI TF-2: 3.18.4.1.3).
    #[default]
    Report,
    /// Fill in the community's own.
    Fill,
}

/// What to do with a document whose bytes differ from the metadata that were handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verification {
    /// Pass it on with a warning.
    #[default]
    Report,
    /// Withhold it with an error.
    Enforce,
}

/// What to do with a DocumentEntry that lacks a required attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InvalidMetadata {
    /// Pass it on with a warning.
    #[default]
    Pass,
    /// Leave it out with an error.
    Drop,
}

/// How retrieve requests travel to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestForm {
    /// MTOM, as the Technical Framework has it.
    #[default]
    Mtom,
    /// Plain SOAP.
    Simple,
}

/// Which range of times every FindDocuments to it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeedsDateRange {
    /// None.
    #[default]
    None,
    /// `$XDSDocumentEntryCreationTimeFrom` and `To`.
    CreationTime,
    /// `$XDSDocumentEntryServiceStartTimeFrom` and `To`.
    ServiceStartTime,
}

/// The quirks of one community; the default is a community that follows the rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Quirks {
    /// Answers without wsa:RelatesTo are accepted.
    pub relates_to_optional: bool,
    /// See [`MissingHome`].
    pub missing_home: MissingHome,
    /// Documents in one retrieve request; None for as many as there are.
    pub max_documents_per_retrieve: Option<usize>,
    /// See [`RequestForm`].
    pub request_form: RequestForm,
    /// See [`NeedsDateRange`].
    pub needs_date_range: NeedsDateRange,
    /// See [`Verification`].
    pub verification: Verification,
    /// See [`InvalidMetadata`].
    pub invalid_metadata: InvalidMetadata,
}

/// A file of quirks: what it leaves out it does not change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuirkSet {
    /// For people.
    pub description: String,
    relates_to_optional: Option<bool>,
    missing_home: Option<MissingHome>,
    max_documents_per_retrieve: Option<usize>,
    request_form: Option<RequestForm>,
    needs_date_range: Option<NeedsDateRange>,
    verification: Option<Verification>,
    invalid_metadata: Option<InvalidMetadata>,
}

/// Sets by name.
pub type QuirkSets = BTreeMap<String, QuirkSet>;

const COMPILED_IN: &[(&str, &str)] = &[
    ("date-range", include_str!("../../profiles/peers/date-range.toml")),
    ("drop-invalid-metadata", include_str!("../../profiles/peers/drop-invalid-metadata.toml")),
    ("enforce-hash", include_str!("../../profiles/peers/enforce-hash.toml")),
    ("fill-home", include_str!("../../profiles/peers/fill-home.toml")),
    ("no-relates-to", include_str!("../../profiles/peers/no-relates-to.toml")),
    ("one-document-per-retrieve", include_str!("../../profiles/peers/one-document-per-retrieve.toml")),
    ("simple-retrieve", include_str!("../../profiles/peers/simple-retrieve.toml")),
];

/// The sets that the program brings along.
pub fn compiled_in() -> QuirkSets {
    // A set that did not parse would be missing here; the test below reads each of them.
    let read = |(name, text): &(&str, &str)| toml::from_str(text).ok().map(|set| ((*name).to_owned(), set));
    COMPILED_IN.iter().filter_map(read).collect()
}

impl Quirks {
    /// Applies a set over what is there.
    pub fn apply(&mut self, set: &QuirkSet) {
        fn over<T: Copy>(value: &mut T, with: Option<T>) {
            if let Some(with) = with {
                *value = with;
            }
        }
        over(&mut self.relates_to_optional, set.relates_to_optional);
        over(&mut self.missing_home, set.missing_home);
        over(&mut self.request_form, set.request_form);
        over(&mut self.needs_date_range, set.needs_date_range);
        over(&mut self.verification, set.verification);
        over(&mut self.invalid_metadata, set.invalid_metadata);
        if set.max_documents_per_retrieve.is_some() {
            self.max_documents_per_retrieve = set.max_documents_per_retrieve.filter(|most| *most > 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_that_is_compiled_in_reads_and_says_what_it_is() {
        let sets = compiled_in();
        assert_eq!(sets.len(), COMPILED_IN.len());
        assert!(sets.values().all(|set| !set.description.is_empty() && *set != QuirkSet::default()));
    }

    #[test]
    fn later_sets_override_earlier_ones_and_leave_the_rest() {
        let sets = compiled_in();
        let mut quirks = Quirks::default();
        quirks.apply(&sets["fill-home"]);
        quirks.apply(&sets["one-document-per-retrieve"]);
        assert_eq!(quirks.missing_home, MissingHome::Fill);
        assert_eq!(quirks.max_documents_per_retrieve, Some(1));
        quirks.apply(&toml::from_str("description = ''\nmissing_home = 'report'").unwrap());
        assert_eq!(quirks.missing_home, MissingHome::Report);
        assert_eq!(quirks.max_documents_per_retrieve, Some(1));
    }

    #[test]
    fn an_unknown_quirk_is_an_error() {
        assert!(toml::from_str::<QuirkSet>("description = ''\nrelates_to_optinal = true").is_err());
    }
}
