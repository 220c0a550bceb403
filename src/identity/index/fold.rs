//! Texts in one spelling, for questions: width, case and kana forms make no difference, nor do blanks and dots.

use unicode_normalization::UnicodeNormalization;

/// A text in one spelling.
pub(super) fn text(text: &str) -> String {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return text.to_ascii_lowercase();
    }
    let characters = text.nfkc().flat_map(char::to_lowercase);
    characters.filter(|character| !is_passed_over(*character)).map(katakana).collect()
}

/// Digits only: postcodes and telephone numbers.
pub(super) fn digits(text: &str) -> String {
    text.nfkc().filter(char::is_ascii_digit).collect()
}

fn is_passed_over(character: char) -> bool {
    character.is_whitespace() || matches!(character, '.' | '・' | '\'' | '’')
}

fn katakana(character: char) -> char {
    match character {
        'ぁ'..='ゖ' => char::from_u32(character as u32 + 0x60).unwrap_or(character),
        _ => character,
    }
}

/// A hash that is the same in every run: keys are stored (FNV-1a, then mixed so that all bits depend on all).
pub(super) fn hash(parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9fb2_1c65_1e98_df25);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_are_one() {
        for same in ["ヤマダ", "やまだ", "ﾔﾏﾀﾞ", "ヤマ ダ"] {
            assert_eq!(text(same), "ヤマダ");
        }
        assert_eq!(text("ＯＨＴＡＮＩ"), "ohtani");
        assert_eq!(digits("〒９８０-0011"), "9800011");
        assert_ne!(hash(&["a", "b"]), hash(&["ab", ""]));
    }
}
