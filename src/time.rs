//! Times as XDS writes them: DTM, `YYYY[MM[DD[hh[mm[ss]]]]]`, always UTC (ITI TF-3: Table 4.2.3.1.7-2).

/// The present time as a DTM with seconds, UTC.
pub fn now_dtm() -> String {
    jiff::Timestamp::now().strftime("%Y%m%d%H%M%S").to_string()
}

/// Where the region's days turn, in minutes east of UTC: Japan has one zone, and no summer time. From when until when an
/// identifier is somebody's is told in days, and they are days there.
pub const CIVIL_ZONE: i32 = 9 * 60;

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// The region's present day, counted from 1970-01-01.
pub fn today() -> i64 {
    day_at(jiff::Timestamp::now().as_second())
}

/// The region's day at a second since 1970 UTC, counted like [`today`].
pub fn day_at(second: i64) -> i64 {
    (second + 60 * i64::from(CIVIL_ZONE)).div_euclid(DAY)
}

/// The present day, UTC, counted from 1970-01-01.
pub fn utc_day() -> i64 {
    jiff::Timestamp::now().as_second().div_euclid(DAY)
}

/// The first and the last day of a date or time, counted like [`today`]: of a month or year that says no more, all its days.
/// None for what names no day, such as `99999999`. A time with a zone is of the region's day; a 31st that its month does not
/// have is of that month.
pub fn days_of(text: &str) -> Option<(i64, i64)> {
    let text = text.trim();
    let at = text.find(['+', '-', '.']).unwrap_or(text.len());
    let local = text.get(..at)?;
    let zone = text.find(['+', '-']).and_then(|at| zone_minutes(text.get(at..)?));
    let precision = [8, 6, 4].into_iter().find(|digits| local.len() >= *digits)?;
    let date = local.get(..precision).filter(|date| is_dtm(date, 4) && *date >= "0001")?;
    let read = |date: &str| jiff::civil::Date::strptime("%Y%m%d", floor(date).get(..8)?).ok();
    let (first, last) = match read(date) {
        Some(year) if precision == 4 => (year, year.last_of_year()),
        Some(month) if precision == 6 => (month, month.last_of_month()),
        Some(day) => (day, day),
        None => read(date.get(..6)?).map(|month| (month, month.last_of_month()))?,
    };
    let there = zone.filter(|_| local.len() >= 10).and_then(|zone| {
        let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", floor(local)).ok()?;
        let east = jiff::SignedDuration::from_mins(i64::from(CIVIL_ZONE - zone));
        Some(time.checked_add(east).ok()?.date())
    });
    let (first, last) = there.map_or((first, last), |day| (day, day));
    Some((counted(first)?, counted(last)?))
}

fn counted(date: jiff::civil::Date) -> Option<i64> {
    let since = jiff::civil::Date::constant(1970, 1, 1).until((jiff::Unit::Day, date)).ok()?;
    Some(i64::from(since.get_days()))
}

/// A day that is counted so, as `YYYY-MM-DD`.
pub fn date_of(day: i64) -> String {
    let days = jiff::Span::new().try_days(day);
    let date = days.and_then(|days| jiff::civil::Date::constant(1970, 1, 1).checked_add(days));
    date.map_or_else(|_| day.to_string(), |date| date.to_string())
}

/// Whether `text` is a DTM of at least `digits` digits (4, 6, 8, 10, 12 or 14), each part in its range.
pub fn is_dtm(text: &str, digits: usize) -> bool {
    let length = text.len();
    if !matches!(length, 4 | 6 | 8 | 10 | 12 | 14)
        || length < digits
        || !text.bytes().all(|b| b.is_ascii_digit())
    {
        return false;
    }
    let part = |at: usize| text.get(at..at + 2).and_then(|t| t.parse::<u8>().ok());
    let within = |at: usize, low: u8, high: u8| part(at).is_none_or(|v| (low..=high).contains(&v));
    within(4, 1, 12) && within(6, 1, 31) && within(8, 0, 23) && within(10, 0, 59) && within(12, 0, 59)
}

/// The earliest moment of a DTM, as 14 digits: what a lower bound compares with.
pub fn floor(dtm: &str) -> String {
    const LOW: &str = "00000101000000";
    format!("{dtm}{}", LOW.get(dtm.len()..).unwrap_or_default())
}

/// A time of HL7, with or without zone and fraction, as a DTM in UTC of the same precision; one without zone is of `zone`,
/// in minutes east. Dates stay as they are: they say no hour that could be in another day.
pub fn utc_dtm(text: &str, zone: i32) -> Option<String> {
    let at = text.find(['+', '-']).unwrap_or(text.len());
    let (local, said) = text.split_at_checked(at)?;
    let local = local.split('.').next()?;
    if !is_dtm(local, 4) {
        return None;
    }
    if local.len() < 10 {
        return Some(local.to_owned());
    }
    let zone = if said.is_empty() { zone } else { zone_minutes(said)? };
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", floor(local)).ok()?;
    let utc = time.checked_sub(jiff::SignedDuration::from_mins(zone.into())).ok()?;
    utc.strftime("%Y%m%d%H%M%S").to_string().get(..local.len()).map(str::to_owned)
}

/// `+0900` as minutes east of UTC.
pub fn zone_minutes(zone: &str) -> Option<i32> {
    let (sign, digits) = zone.split_at_checked(1)?;
    let digits = digits.replace(':', "");
    if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i32 = digits.parse().ok()?;
    let minutes = number / 100 * 60 + number % 100;
    match sign {
        "+" => Some(minutes),
        "-" => Some(-minutes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_documents_become_utc() {
        for (text, expected) in [
            ("20260115093000+0900", Some("20260115003000")),
            ("20260101083000.123+0900", Some("20251231233000")),
            ("202601150930", Some("202601150030")),
            ("2026011509-0530", Some("2026011514")),
            ("20260115", Some("20260115")),
            ("20260115+0900", Some("20260115")),
            ("20260115093000Z", None),
            ("20260115093000+9", None),
            ("yesterday", None),
        ] {
            assert_eq!(utc_dtm(text, 540).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn days_are_counted_from_1970_and_turn_at_the_regions_midnight() {
        for (text, expected) in [
            ("19700101", Some((0, 0))),
            ("19691231", Some((-1, -1))),
            ("20240301120000+0900", Some((19_783, 19_783))),
            ("202403010000", Some((19_783, 19_783))),
            ("20240229150000+0000", Some((19_783, 19_783))),
            ("20240229145959.9-0000", Some((19_782, 19_782))),
            ("20240301+0900", Some((19_783, 19_783))),
            ("202403", Some((19_783, 19_813))),
            ("2024", Some((19_723, 20_088))),
            ("20240230", Some((19_754, 19_782))),
            ("99991231", Some((2_932_896, 2_932_896))),
            ("99999999", None),
            ("00000000", None),
            ("0000", None),
            ("20240", Some((19_723, 20_088))),
            ("", None),
        ] {
            assert_eq!(days_of(text), expected, "{text}");
        }
        let midnight = 19_783 * DAY - 9 * 60 * 60;
        assert_eq!((day_at(midnight - 1), day_at(midnight)), (19_782, 19_783));
        assert_eq!(date_of(19_783), "2024-03-01");
    }

    #[test]
    fn dtm_has_two_digit_steps_and_ranges() {
        for good in ["2026", "202612", "20261231", "2026123123", "202612312359", "20261231235959"] {
            assert!(is_dtm(good, 4), "{good}");
        }
        for bad in [
            "",
            "202",
            "20261",
            "202613",
            "20261232",
            "2026123124",
            "20261231235960",
            "20261231+0900",
            "2026123123595",
        ] {
            assert!(!is_dtm(bad, 4), "{bad}");
        }
        assert!(!is_dtm("20261231", 14));
        assert_eq!(floor("2026"), "20260101000000");
        assert_eq!(floor("20261231235959"), "20261231235959");
    }
}
