//! The Individual Number (個人番号, "My Number"), which no medical network may use or keep: what looks like one is refused
//! as an identifier, wherever it comes from.

/// How many digits it has, the check digit included.
const DIGITS: usize = 12;

/// Whether a text is 12 digits with the check digit of an Individual Number, in any width, with blanks or hyphens between
/// (Order of the Ministry of Internal Affairs and Communications 85 of 2014, article 5). One in eleven other numbers of
/// twelve digits passes as well: a facility that has such must shorten or prefix them.
pub fn is_my_number(text: &str) -> bool {
    let mut digits = [0; DIGITS];
    let mut count = 0;
    for c in text.chars().filter(|c| !is_separator(*c)) {
        match (digit(c), digits.get_mut(count)) {
            (Some(value), Some(place)) => *place = value,
            _ => return false,
        }
        count += 1;
    }
    let [number @ .., check] = digits;
    count == DIGITS && check_digit(&number) == check
}

fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '\u{3000}' | '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FF0D}')
}

fn digit(c: char) -> Option<u32> {
    match c {
        '\u{FF10}'..='\u{FF19}' => Some(c as u32 - 0xFF10),
        _ => c.to_digit(10),
    }
}

/// The weights run 2 to 7 and again 2 to 6, from the right.
fn check_digit(number: &[u32]) -> u32 {
    let sum: u32 = number.iter().rev().zip((2..=7).cycle()).map(|(digit, weight)| digit * weight).sum();
    match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_my_number_is_known_by_its_check_digit() {
        for number in
            ["123456789018", "1234-5678-9018", "１２３４５６７８９０１８", "1234 5678 9018", "000000000000"]
        {
            assert!(is_my_number(number), "{number}");
        }
        for other in ["123456789012", "12345678901", "1234567890180", "A23456789018", "", "123456789018X"] {
            assert!(!is_my_number(other), "{other}");
        }
    }
}
