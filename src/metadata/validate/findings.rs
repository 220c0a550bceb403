//! Violations on their way into a [`Report`].

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::table::Rule;
use super::{CodeLists, Level, Report, Settings, Violation};
use crate::limits;

/// Violations as they are found, sorted by how strictly their rules are taken.
pub(super) struct Findings<'s> {
    settings: &'s Settings,
    today: Date,
    pub(super) report: Report,
}

impl<'s> Findings<'s> {
    pub(super) fn new(settings: &'s Settings) -> Self {
        Self { settings, today: Timestamp::now().to_zoned(TimeZone::UTC).date(), report: Report::default() }
    }

    /// The affinity domain's code lists.
    pub(super) fn codes(&self) -> &'s CodeLists {
        self.settings.codes()
    }

    /// Takes a violation in. Whatever of it a peer wrote is cut: what it sent too long would come back many times.
    pub(super) fn add(&mut self, rule: &'static Rule, object: &str, value: &str, message: impl AsRef<str>) {
        let cut = |text: &str, chars| text.chars().take(chars).collect();
        let list = match self.settings.level(rule.id, self.today) {
            Level::Off => return,
            Level::Report => &mut self.report.reported,
            Level::Enforce => &mut self.report.enforced,
        };
        // Each list for itself: no flood of what is only reported may hide what is enforced.
        if list.len() >= limits::MAX_VIOLATIONS_PER_MESSAGE {
            return;
        }
        list.push(Violation {
            rule: rule.id,
            section: rule.section,
            class: rule.class,
            object: cut(object, limits::MAX_VIOLATION_VALUE_CHARS),
            value: cut(value, limits::MAX_VIOLATION_VALUE_CHARS),
            message: cut(message.as_ref(), limits::MAX_VIOLATION_MESSAGE_CHARS),
        });
    }
}
