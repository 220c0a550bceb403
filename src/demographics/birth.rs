//! Dates of birth, as exact as they are known, and ranges of them.

use crate::time::zone_minutes;

/// A date or time of birth: 4 to 14 digits, `YYYY[MM[DD[HHMM[SS]]]]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct BirthTime(Box<str>);

impl BirthTime {
    /// Reads a DTM or TS: digits, with fraction and zone passed over. None if there is no year, or no such month or day, or
    /// something behind the digits that is neither: of `1960-02-29` only the year would be left.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim();
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let (digits, behind) = digits.split_at_checked(end)?;
        let digits = digits.get(..end.min(14))?;
        if !matches!(digits.len(), 4 | 6 | 8 | 10 | 12 | 14) || !is_fraction_and_zone(behind, digits.len()) {
            return None;
        }
        let time = Self(digits.into());
        let month = time.month().is_none_or(|month| (1..=12).contains(&month));
        let day = time.day().is_none_or(|day| (1..=31).contains(&day));
        (month && day).then_some(time)
    }
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The year.
    pub fn year(&self) -> u16 {
        self.part(0, 4).unwrap_or(0)
    }
    /// The month, if it is known.
    pub fn month(&self) -> Option<u16> {
        self.part(4, 6)
    }
    /// The day of the month, if it is known.
    pub fn day(&self) -> Option<u16> {
        self.part(6, 8)
    }
    /// `YYYYMMDD`, if the day is known.
    pub fn date(&self) -> Option<&str> {
        self.0.get(..8)
    }
    fn part(&self, from: usize, to: usize) -> Option<u16> {
        self.0.get(from..to)?.parse().ok()
    }
}

/// Whether that may stand behind so many digits: a fraction, a zone behind at least a day.
fn is_fraction_and_zone(text: &str, digits: usize) -> bool {
    let at = text.find(['+', '-']).unwrap_or(text.len());
    let (fraction, zone) = text.split_at(at);
    let is_fraction = fraction.is_empty()
        || fraction.strip_prefix('.').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    is_fraction && (zone.is_empty() || digits >= 8 && zone_minutes(zone).is_some())
}

impl std::fmt::Debug for BirthTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(BirthTime)")
    }
}

/// What a query says of a birth: exact to the digits that it gives, or a range; either end may be open.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum BirthRange {
    /// Born within this year, month or day.
    Within(BirthTime),
    /// Not before the first, not after the second, each as exact as it is given.
    Between(Option<BirthTime>, Option<BirthTime>),
}

impl BirthRange {
    /// Whether a birth lies within. One that is known less exactly than the range asks does not contradict it where what is
    /// known agrees.
    pub fn admits(&self, birth: &BirthTime) -> bool {
        let agree = |a: &BirthTime, b: &BirthTime| {
            let common = a.as_str().len().min(b.as_str().len());
            a.as_str().get(..common).cmp(&b.as_str().get(..common))
        };
        match self {
            Self::Within(time) => agree(birth, time).is_eq(),
            Self::Between(low, high) => {
                low.as_ref().is_none_or(|low| agree(birth, low).is_ge())
                    && high.as_ref().is_none_or(|high| agree(birth, high).is_le())
            }
        }
    }
}

impl std::fmt::Debug for BirthRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(BirthRange)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_birth_is_as_exact_as_its_digits() {
        let birth = BirthTime::parse("19600229").unwrap();
        assert_eq!((birth.year(), birth.month(), birth.day()), (1960, Some(2), Some(29)));
        assert_eq!(BirthTime::parse("196002").unwrap().date(), None);
        assert_eq!(BirthTime::parse("196002291530.123+0900").unwrap().date(), Some("19600229"));
        for zoned in ["19600229+0900", "19600229000000.0000-0500", "196002291530+09:00"] {
            assert_eq!(BirthTime::parse(zoned).unwrap().date(), Some("19600229"), "{zoned}");
        }
        for bad in [
            "",
            "196",
            "1960022",
            "19601301",
            "19600132",
            "S350229",
            "1960/02",
            "1960-02-29",
            "1960-0229",
            "19600229-x",
        ] {
            assert!(BirthTime::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_range_takes_both_ends_as_exact_as_they_are() {
        let birth = |text| BirthTime::parse(text).unwrap();
        let range = BirthRange::Between(Some(birth("1960")), Some(birth("196106")));
        for (born, within) in [("19591231", false), ("19600101", true), ("19610630", true), ("196107", false)]
        {
            assert_eq!(range.admits(&birth(born)), within, "{born}");
        }
        assert!(BirthRange::Within(birth("196001")).admits(&birth("19600131")));
        assert!(!BirthRange::Within(birth("196001")).admits(&birth("19600201")));
    }
}
