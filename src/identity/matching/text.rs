//! Text as it is compared: one width, one case, one kana, one form of each kanji.

use std::collections::HashMap;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

/// How a text is written; texts of one script can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// Holds ideographs (or any script that is neither kana nor Latin): compared character by character.
    Kanji = 1,
    /// Kana only: compared by sound.
    Kana = 2,
    /// Latin letters and digits: compared by sound, without the length of vowels.
    Latin = 3,
}

/// Where ideographs begin: nothing before has a variant.
const FIRST_IDEOGRAPH: char = '\u{3400}';

/// Variant forms and the form that stands for them.
static VARIANTS: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
    let groups = include_str!("../../../profiles/kanji-variants.txt").lines();
    let groups = groups.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
    groups
        .flat_map(|(first, others)| {
            let first = first.chars().next();
            others.chars().filter_map(move |other| Some((other, first?)))
        })
        .collect()
});

/// One width (NFKC), lower case, katakana, folded kanji, no accents; spaces and marks stay.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for character in text.nfkc().flat_map(char::to_lowercase).flat_map(without_accent) {
        match character {
            '々' => folded.extend(folded.chars().next_back()),
            '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {}
            'ヶ' | 'ヵ' => folded.push('ケ'),
            'ぁ'..='ゖ' | 'ゝ' | 'ゞ' => folded.push(katakana(character)),
            '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' | '─' | '━' => folded.push('-'),
            FIRST_IDEOGRAPH.. => folded.push(VARIANTS.get(&character).copied().unwrap_or(character)),
            other => folded.push(other),
        }
    }
    folded
}

/// Latin letters lose their accents, but a long mark over a vowel becomes a `-` behind it. Others stay as they are.
fn without_accent(character: char) -> impl Iterator<Item = char> {
    let marks = std::iter::once(character).nfd().filter_map(move |part| match part {
        '\u{304}' | '\u{302}' => Some('ー'),
        '\u{300}'..='\u{36f}' => None,
        other => Some(other),
    });
    let latin = matches!(character, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}');
    let plain = (!latin).then_some(character);
    plain.into_iter().chain(marks.filter(move |_| latin))
}

fn katakana(hiragana: char) -> char {
    match hiragana {
        'ゕ' | 'ゖ' => 'ケ',
        other => char::from_u32(u32::from(other) + 0x60).unwrap_or(other),
    }
}

/// Folded, without anything that is not a letter or digit; and its script. In text with kanji, the particles that
/// spellings differ in are one: ケ, ガ and ノ, 之.
pub fn squeeze(folded: &str) -> (Script, String) {
    let mut text: String =
        folded.chars().filter(|character| character.is_alphanumeric() || *character == 'ー').collect();
    let script = script(&text);
    if script == Script::Kanji {
        text = text.chars().map(particle).collect();
    }
    (script, text)
}

fn particle(character: char) -> char {
    match character {
        'ガ' => 'ケ',
        '之' | '乃' => 'ノ',
        other => other,
    }
}

/// The script of a folded text.
pub fn script(text: &str) -> Script {
    let mut script = Script::Latin;
    for character in text.chars() {
        match character {
            'ァ'..='ヿ' => script = Script::Kana,
            _ if character.is_ascii() || !character.is_alphanumeric() => {}
            _ => return Script::Kanji,
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_case_kana_and_variants_are_one() {
        for (text, folded) in [
            ("ｻﾄｳ ﾀﾞｲｽｹ", "サトウ ダイスケ"),
            ("さとう　だいすけ", "サトウ ダイスケ"),
            ("ＳＡＴＯ", "sato"),
            ("齋藤", "斉藤"),
            ("斎藤", "斉藤"),
            ("髙﨑", "高崎"),
            ("渡邉", "渡辺"),
            ("渡邊", "渡辺"),
            ("佐々木", "佐佐木"),
            ("𠮷田", "吉田"),
            ("葛\u{e0100}飾", "葛飾"),
            ("José Ōno", "jose oーno"),
            ("パパ", "パパ"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn particles_of_names_and_places() {
        for (one, other) in
            [("一ノ瀬", "一之瀬"), ("霞ヶ関", "霞が関"), ("霞ケ関", "霞ヶ関"), ("鎌ケ谷", "鎌ガ谷")]
        {
            assert_eq!(squeeze(&fold(one)), squeeze(&fold(other)), "{one}");
        }
    }

    #[test]
    fn variants_name_each_character_once() {
        let text = include_str!("../../../profiles/kanji-variants.txt");
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let mut all: Vec<_> = lines.iter().flat_map(|line| line.chars().filter(|c| *c != ' ')).collect();
        let before = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), before);
        assert!(all.iter().all(|variant| *variant >= FIRST_IDEOGRAPH));
    }
}
