//! Dates of birth as texts carry them: western, or by era (S35.2.29, 昭和35年2月29日, 平成元年5月1日).

use super::text::fold;
use crate::demographics::BirthTime;

/// Eras by their names and the year before their first.
const ERAS: [(&str, &str, u16); 5] =
    [("令和", "r", 2018), ("平成", "h", 1988), ("昭和", "s", 1925), ("大正", "t", 1911), ("明治", "m", 1867)];

/// Years between the same number in two eras: what a birth is wrong by, if the era is.
pub fn era_slip(years: u16) -> bool {
    ERAS.iter().any(|(_, _, one)| ERAS.iter().any(|(_, _, two)| one.abs_diff(*two) == years && years > 0))
}

/// Reads a date of birth; None if it is none. `1960-02-29`, `19600229`, `1960年2月29日`, `S35.2.29`, `S350229`, `昭和35年2月29日`.
pub fn read(text: &str) -> Option<BirthTime> {
    let text: String = fold(text).chars().filter(|character| !character.is_whitespace()).collect();
    let text = text.replace("元年", "1年");
    let era = ERAS.iter().find_map(|(name, letter, before)| {
        let rest = text.strip_prefix(&fold(name)).or_else(|| text.strip_prefix(letter))?;
        Some((rest, *before))
    });
    let (rest, before) = era.unwrap_or((&text, 0));
    let numbers: Vec<_> = rest.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty()).collect();
    let (year, month, day) = match numbers.as_slice() {
        [all] if before > 0 && all.len() == 6 => (all.get(..2)?, all.get(2..4), all.get(4..)),
        [_] if before == 0 => return BirthTime::parse(rest),
        [year] => (*year, None, None),
        [year, month] => (*year, Some(*month), None),
        [year, month, day] => (*year, Some(*month), Some(*day)),
        _ => return None,
    };
    let two = |part: Option<&str>| {
        part.map_or(Some(String::new()), |part| Some(format!("{:02}", part.parse::<u8>().ok()?)))
    };
    let year = year.parse::<u16>().ok()?.checked_add(before)?;
    BirthTime::parse(&format!("{year:04}{}{}", two(month)?, two(day)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn western_and_era_dates() {
        for (text, expected) in [
            ("19600229", "19600229"),
            ("1960-02-29", "19600229"),
            ("1960/2/29", "19600229"),
            ("1960年2月29日", "19600229"),
            ("S35.2.29", "19600229"),
            ("S350229", "19600229"),
            ("昭和３５年２月２９日", "19600229"),
            ("昭和35年", "1960"),
            ("平成元年5月1日", "19890501"),
            ("R1/5/1", "20190501"),
            ("大正15年12月", "192612"),
            ("明治45.7.1", "19120701"),
        ] {
            assert_eq!(read(text).unwrap().as_str(), expected, "{text}");
        }
        for bad in ["", "昭和", "S35.13.1", "来年", "1.2.3.4"] {
            assert!(read(bad).is_none(), "{bad}");
        }
        assert!(era_slip(63) && era_slip(30) && !era_slip(0) && !era_slip(10));
    }
}
