//! How strictly each rule is taken: the built-in levels of `profiles/validation.toml`, what a configuration changes in them
//! for submissions, and which rules it asks of a peer's answers. A rule can be announced: reported until a day, enforced
//! from it on, so that senders are not cut off overnight.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use jiff::civil::Date;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::table;
use super::{CodeLists, Level};

/// What a configuration says of one rule: `"report"`, or a table with the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSetting {
    /// How strictly it is taken.
    pub level: Level,
    /// With `enforce`: the day, `2027-04-01`, from which it is; until then it is reported.
    pub from: Option<String>,
    /// Where the Technical Framework has it: for readers of the file.
    pub section: Option<String>,
}

/// Settings by rule id, as files have them.
pub type RuleSettings = BTreeMap<String, RuleSetting>;

/// How strictly each rule is taken. Rules that are not named are enforced.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    rules: HashMap<&'static str, (Level, Option<Date>)>,
    codes: Arc<CodeLists>,
    contents: Arc<[Arc<str>]>,
}

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No TOML, or not of this shape.
    #[error("{0}")]
    Toml(String),
    /// No rule has that id; the one that is spelt like it, if there is one.
    #[error("there is no rule {0:?}{hint}", hint = .1.map(|id| format!("; did you mean {id:?}?")).unwrap_or_default())]
    UnknownRule(String, Option<&'static str>),
    /// `from` is no date.
    #[error("rule {rule:?}: from = {text:?} is no date such as 2027-04-01")]
    Date {
        /// The rule.
        rule: String,
        /// What stands there.
        text: String,
    },
    /// `from` with another level than enforce.
    #[error("rule {0:?}: from says since when a rule is enforced, so its level must be \"enforce\"")]
    DateWithoutEnforce(String),
}

static BUILT_IN: LazyLock<Settings> =
    // A test reads the same text, so it can be read; if it could not, every rule would be enforced.
    LazyLock::new(|| Settings::parse(Settings::BUILT_IN_TEXT).unwrap_or_default());

impl Settings {
    /// `profiles/validation.toml`.
    pub const BUILT_IN_TEXT: &str = include_str!("../../../profiles/validation.toml");

    /// The built-in levels.
    pub fn built_in() -> &'static Settings {
        &BUILT_IN
    }

    /// Every rule enforced: what conformance tests ask of a sender.
    pub fn strict() -> Settings {
        Settings::default()
    }

    /// No rule checked: of a peer's answers, only what somebody asks for is.
    pub fn nothing() -> Settings {
        let rules = table::rules().map(|(rule, _)| (rule.id, (Level::Off, None))).collect();
        Settings { rules, ..Settings::default() }
    }

    /// Reads a file like `profiles/validation.toml`; all that is wrong with it is told.
    pub fn parse(text: &str) -> Result<Settings, Vec<SettingsError>> {
        let rules: RuleSettings =
            toml::from_str(text).map_err(|error| vec![SettingsError::Toml(error.to_string())])?;
        Settings::strict().with(&rules)
    }

    /// These settings with some rules taken otherwise, as for one peer.
    pub fn with(&self, changes: &RuleSettings) -> Result<Settings, Vec<SettingsError>> {
        let mut settings = self.clone();
        let mut wrong = Vec::new();
        for (id, setting) in changes {
            wrong.extend(settings.take(id, setting).err());
        }
        if wrong.is_empty() { Ok(settings) } else { Err(wrong) }
    }

    /// Takes one rule otherwise.
    pub fn take(&mut self, id: &str, setting: &RuleSetting) -> Result<(), SettingsError> {
        let (rule, taken) = setting.read(id)?;
        self.rules.insert(rule, taken);
        Ok(())
    }

    /// The same with an affinity domain's code lists.
    pub fn with_codes(mut self, codes: CodeLists) -> Settings {
        self.codes = Arc::new(codes);
        self
    }

    /// The same with the media types that documents may be of; none allows all.
    pub fn with_contents(mut self, media_types: Vec<Arc<str>>) -> Settings {
        self.contents = media_types.into();
        self
    }

    /// The media types that documents may be of.
    pub(super) fn contents(&self) -> &[Arc<str>] {
        &self.contents
    }

    /// The affinity domain's code lists.
    pub(super) fn codes(&self) -> &CodeLists {
        &self.codes
    }

    /// How strictly a rule is taken on a day.
    pub fn level(&self, rule: &str, today: Date) -> Level {
        match self.rules.get(rule) {
            None => Level::Enforce,
            Some((Level::Enforce, Some(from))) if today < *from => Level::Report,
            Some((level, _)) => *level,
        }
    }

    /// The rules that are named, for listings.
    pub fn named(&self) -> impl Iterator<Item = &'static str> {
        self.rules.keys().copied()
    }
}

impl RuleSetting {
    fn read(&self, id: &str) -> Result<(&'static str, (Level, Option<Date>)), SettingsError> {
        let known = table::rules().find(|(rule, _)| rule.id == id);
        let (rule, _) = known.ok_or_else(|| SettingsError::UnknownRule(id.to_owned(), nearest(id)))?;
        let from = match &self.from {
            None => None,
            Some(_) if self.level != Level::Enforce => {
                return Err(SettingsError::DateWithoutEnforce(id.to_owned()));
            }
            Some(text) => Some(
                text.parse().map_err(|_| SettingsError::Date { rule: id.to_owned(), text: text.clone() })?,
            ),
        };
        Ok((rule.id, (self.level, from)))
    }
}

/// The rule whose id is spelt most like a text.
fn nearest(text: &str) -> Option<&'static str> {
    let ids = table::rules().map(|(rule, _)| (strsim::levenshtein(rule.id, text), rule.id));
    ids.min().filter(|(distance, _)| *distance <= (text.len() / 3).max(2)).map(|(_, id)| id)
}

impl<'de> Deserialize<'de> for RuleSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LevelOrTable)
    }
}

struct LevelOrTable;

impl<'de> Visitor<'de> for LevelOrTable {
    type Value = RuleSetting;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("\"off\", \"report\", \"enforce\", or a table with level and from")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RuleSetting, E> {
        let level = Level::deserialize(text.into_deserializer())?;
        Ok(RuleSetting { level, from: None, section: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RuleSetting, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            level: Level,
            from: Option<String>,
            section: Option<String>,
        }
        let Table { level, from, section } = Table::deserialize(MapAccessDeserializer::new(map))?;
        Ok(RuleSetting { level, from, section })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const RULE: &str = "de.creation-time.cardinality";

    #[test]
    fn a_rule_can_be_announced() {
        let text = format!("{RULE:?} = {{ level = \"enforce\", from = \"2027-04-01\" }}");
        let settings = Settings::parse(&text).unwrap();
        assert_eq!(settings.level(RULE, date(2027, 3, 31)), Level::Report);
        assert_eq!(settings.level(RULE, date(2027, 4, 1)), Level::Enforce);
        assert_eq!(settings.level("de.hash.sha1", date(2027, 3, 31)), Level::Enforce);
    }

    #[test]
    fn of_nothing_only_what_is_named_is_checked() {
        let changes = toml::from_str(&format!("{RULE:?} = \"report\"")).unwrap();
        let settings = Settings::nothing().with(&changes).unwrap();
        assert_eq!(settings.level(RULE, date(2027, 4, 1)), Level::Report);
        assert_eq!(settings.level("de.hash.sha1", date(2027, 4, 1)), Level::Off);
    }

    #[test]
    fn all_that_is_wrong_with_settings_is_told() {
        let text = "\"de.hash.sha\" = \"off\"\n\"de.hash.sha1\" = { level = \"off\", from = \"2027-04-01\" }\n\
                    \"de.size.number\" = { level = \"enforce\", from = \"soon\" }";
        let wrong = Settings::parse(text).unwrap_err();
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(wrong.contains(&SettingsError::UnknownRule("de.hash.sha".into(), Some("de.hash.sha1"))));
        for unreadable in [
            "{ level = \"loud\" }",
            "\"loud\"",
            "{ from = \"2027-04-01\" }",
            "{ level = \"off\", x = 1 }",
            "3",
        ] {
            assert!(Settings::parse(&format!("\"de.hash.sha1\" = {unreadable}")).is_err(), "{unreadable}");
        }
    }

    #[test]
    fn the_built_in_settings_name_every_rule_and_its_section() {
        let file: RuleSettings = toml::from_str(Settings::BUILT_IN_TEXT).unwrap();
        let table: BTreeMap<&str, &str> = table::rules().map(|(rule, _)| (rule.id, rule.section)).collect();
        assert_eq!(table.len(), table::rules().count(), "rule ids are unique");
        let file: BTreeMap<&str, &str> = file
            .iter()
            .map(|(id, setting)| (id.as_str(), setting.section.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(file, table);
        assert_eq!(Settings::parse(Settings::BUILT_IN_TEXT).unwrap().named().count(), table.len());
    }
}
