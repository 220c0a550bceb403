//! What a name sounds like: kana and every romanisation (Hepburn, Kunrei, Nihon, passport) come to one key.
//!
//! Kana are first written as Kunrei romaji, then all Latin text goes through the same rewriting, so that a typing error
//! costs about as much in either script. A key has small letters; `O` and `U` are long vowels, which passports leave out: a
//! key of Latin text is compared without their length ([`Script::Latin`](super::text::Script)).

/// Kana and Kunrei.
const KANA: [(&str, &str); 12] = [
    ("アイウエオ", ""),
    ("カキクケコ", "k"),
    ("サシスセソ", "s"),
    ("タチツテト", "t"),
    ("ナニヌネノ", "n"),
    ("ハヒフヘホ", "h"),
    ("マミムメモ", "m"),
    ("ラリルレロ", "r"),
    ("ガギグゲゴ", "g"),
    ("ザジズゼゾ", "z"),
    ("バビブベボ", "b"),
    ("パピプペポ", "p"),
];
/// Those that do not stand in a full row.
const SINGLE: [(char, &str); 15] = [
    ('ヤ', "ya"),
    ('ユ', "yu"),
    ('ヨ', "yo"),
    ('ワ', "wa"),
    ('ヰ', "i"),
    ('ヱ', "e"),
    ('ヲ', "o"),
    ('ン', "n"),
    ('ダ', "da"),
    ('ヂ', "zi"),
    ('ヅ', "zu"),
    ('デ', "de"),
    ('ド', "do"),
    ('ヴ', "bu"),
    ('ッ', ""),
];
/// Small kana: the vowel that they put in place of the one before.
const SMALL: [(char, &str); 9] = [
    ('ャ', "ya"),
    ('ュ', "yu"),
    ('ョ', "yo"),
    ('ァ', "a"),
    ('ィ', "i"),
    ('ゥ', "u"),
    ('ェ', "e"),
    ('ォ', "o"),
    ('ヮ', "wa"),
];
/// Rewriting of Latin text: the longest that fits comes first. What is not named stays.
const REWRITE: [(&str, &str); 35] = [
    ("tch", "c"),
    ("shi", "xi"),
    ("chi", "ci"),
    ("tsu", "tu"),
    ("dzu", "zu"),
    ("oo", "O"),
    ("ou", "O"),
    ("oー", "O"),
    ("uu", "U"),
    ("uー", "U"),
    ("eー", "ei"),
    ("ee", "ei"),
    ("aー", "aa"),
    ("iー", "ii"),
    ("sh", "x"),
    ("sy", "x"),
    ("si", "xi"),
    ("ch", "c"),
    ("ty", "c"),
    ("ti", "ci"),
    ("jy", "j"),
    ("zy", "j"),
    ("dy", "j"),
    ("zi", "ji"),
    ("di", "ji"),
    ("du", "zu"),
    ("fu", "hu"),
    ("wo", "o"),
    ("mb", "nb"),
    ("mp", "np"),
    ("mm", "nm"),
    ("ph", "f"),
    ("v", "b"),
    ("l", "r"),
    ("ー", ""),
];

/// The key of a folded text of kana or Latin letters.
pub fn key(text: &str) -> String {
    rewritten(&single_consonants(&romaji(text)))
}

fn romaji(text: &str) -> String {
    let mut romaji = String::with_capacity(text.len());
    for character in text.chars() {
        if let Some((_, small)) = SMALL.iter().find(|(kana, _)| *kana == character) {
            join_small(&mut romaji, small);
        } else if let Some((_, sound)) = SINGLE.iter().find(|(kana, _)| *kana == character) {
            romaji.push_str(sound);
        } else if let Some((consonant, vowel)) = in_a_row(character) {
            romaji.push_str(consonant);
            romaji.push(vowel);
        } else if character.is_ascii_alphanumeric() || character == 'ー' {
            romaji.push(character);
        }
    }
    romaji
}

fn in_a_row(character: char) -> Option<(&'static str, char)> {
    KANA.iter().find_map(|(row, consonant)| {
        let place = row.chars().position(|kana| kana == character)?;
        Some((*consonant, "aiueo".chars().nth(place)?))
    })
}

/// キャ is k(i)ya, ファ is f(u)a, ティ is t(e)i: the vowel before goes.
fn join_small(romaji: &mut String, small: &str) {
    let y = small.starts_with('y');
    match romaji.pop() {
        Some('i') if y => {}
        Some('u') if !y && romaji.ends_with('h') => {
            romaji.pop();
            romaji.push('f');
        }
        Some('u' | 'e' | 'o') if !y && romaji.ends_with(|c: char| !"aiueo".contains(c)) => {}
        Some(other) => romaji.push(other),
        None => {}
    }
    romaji.push_str(small);
}

fn rewritten(romaji: &str) -> String {
    let mut key = String::with_capacity(romaji.len());
    let mut rest = romaji;
    while let Some(first) = rest.chars().next() {
        let taken = if let Some(after) = long_h(rest) {
            key.push('O');
            rest.len() - after.len()
        } else if let Some((from, to)) = REWRITE.iter().find(|(from, _)| rest.starts_with(from)) {
            key.push_str(to);
            from.len()
        } else {
            key.push(first);
            first.len_utf8()
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    key
}

/// Passports may write おお and おう as OH: before a consonant, or at the end.
fn long_h(rest: &str) -> Option<&str> {
    let after = rest.strip_prefix("oh")?;
    let vowel = after.starts_with(['a', 'i', 'u', 'e', 'o', 'y']);
    (!vowel).then_some(after)
}

/// Doubled consonants are one: ッ is written in too many ways. Not m: before m it is ン.
fn single_consonants(romaji: &str) -> String {
    let mut single = String::with_capacity(romaji.len());
    for letter in romaji.chars() {
        let may_repeat = "aiueomー".contains(letter) || letter.is_ascii_digit();
        if may_repeat || !single.ends_with(letter) {
            single.push(letter);
        }
    }
    single
}

/// Whether a key consists of Japanese syllables.
pub fn japanese(key: &str) -> bool {
    let mut letters = key.bytes().peekable();
    while let Some(letter) = letters.next() {
        let vowel = |letter: &u8| b"aiueoOU".contains(letter);
        let good = match letter {
            _ if vowel(&letter) => true,
            b'n' => {
                letters.next_if_eq(&b'y');
                letters.next_if(vowel);
                true
            }
            b'k' | b's' | b't' | b'h' | b'm' | b'r' | b'g' | b'z' | b'b' | b'p' | b'd' | b'x' | b'c'
            | b'j' | b'f' | b'w' | b'y' => {
                letters.next_if_eq(&b'y');
                letters.next_if(vowel).is_some()
            }
            _ => false,
        };
        if !good {
            return false;
        }
    }
    !key.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::text::fold;
    use super::*;

    #[test]
    fn every_romanisation_and_kana_come_to_one_key() {
        for forms in [
            &["シンジュク", "ｼﾝｼﾞｭｸ", "Shinjuku", "Sinzyuku", "しんじゅく"][..],
            &["ジュンイチ", "Jun'ichi", "Junichi", "Zyun'iti", "Jun-ichi"],
            &["ハットリ", "Hattori", "はっとり"],
            &["ホンマ", "Homma", "Honma"],
            &["サンペイ", "Sampei", "Sanpei"],
            &["イッチョウ", "Itchou", "Icchou", "ittyou"],
            &["ツヅキ", "Tsuzuki", "Tuduki", "ツズキ"],
            &["チヅル", "Chizuru", "Tiduru", "チズル"],
            &["フジイ", "Fujii", "Huzii"],
            &["ショウヘイ", "Shouhei", "Shōhei", "Syôhei", "ショーヘイ"],
            &["オオタ", "オータ", "Ohta", "Ōta", "Oota"],
            &["サトウ", "Satoh", "Satou", "SATÔ"],
            &["ユウコ", "Yuuko", "Yūko", "ユーコ"],
            &["ティナ", "Tina"],
            &["ファビオ", "Fabio"],
            &["ヴィトル", "Vitoru", "ビトル"],
        ] {
            let keys: Vec<_> = forms.iter().map(|form| key(&fold(form))).collect();
            assert!(keys.iter().all(|key| *key == keys[0]), "{forms:?}: {keys:?}");
            assert!(japanese(&keys[0]), "{}", keys[0]);
        }
    }

    #[test]
    fn passports_leave_length_out() {
        for (kana, passport) in [("オオノ", "Ono"), ("ユウキ", "Yuki"), ("コウイチロウ", "Koichiro")]
        {
            assert_ne!(key(&fold(kana)), key(&fold(passport)));
            assert_eq!(key(&fold(kana)).to_ascii_lowercase(), key(&fold(passport)));
        }
    }

    #[test]
    fn other_names_are_no_japanese_syllables() {
        for name in ["Smith", "Rokobaro l", "Charles", "Xavier Grant", "Jack"] {
            assert!(!japanese(&key(&fold(name))), "{name}");
        }
    }
}
