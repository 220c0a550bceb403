//! Japanese names to choose from: surnames by their real frequencies, given names with several spellings of each reading.

use std::path::Path;

use super::set::Random;

/// Files of the PyPI package `japanese-personal-name-dataset`: surnames with counts and readings, given names with spellings.
const SURNAMES: &str = "last_name_org.csv";
const GIVEN: [&str; 2] = ["first_name_man_org.csv", "first_name_woman_org.csv"];
/// Without them.
const BUILT_IN: [&str; 3] =
    [include_str!("surnames.csv"), include_str!("given_men.csv"), include_str!("given_women.csv")];

/// A name in kanji, and in hiragana.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Kanji.
    pub kanji: String,
    /// Hiragana.
    pub kana: String,
}

/// Names to choose from.
pub struct Names {
    surnames: Vec<(u64, Written)>,
    given: [Vec<Written>; 2],
}

impl Names {
    /// From a folder, or those that are built in.
    pub fn read(folder: Option<&Path>) -> Result<Self, String> {
        let file = |name: &str| -> Result<Option<String>, String> {
            let path = folder.map(|folder| folder.join(name));
            let text = path.map(|path| {
                std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
            });
            text.transpose()
        };
        let [surnames, men, women] = [file(SURNAMES)?, file(GIVEN[0])?, file(GIVEN[1])?];
        let [built_in_surnames, built_in_men, built_in_women] = BUILT_IN;
        let names = Self {
            surnames: read_surnames(surnames.as_deref().unwrap_or(built_in_surnames)),
            given: [
                read_given(men.as_deref().unwrap_or(built_in_men)),
                read_given(women.as_deref().unwrap_or(built_in_women)),
            ],
        };
        let empty = names.surnames.is_empty() || names.given.iter().any(Vec::is_empty);
        if empty { Err("there are no names in these files".to_owned()) } else { Ok(names) }
    }
    /// A surname, common ones as often as they are.
    pub fn surname(&self, random: &mut Random) -> Written {
        let all = self.surnames.last().map_or(0, |(sum, _)| *sum);
        let at = random.below(all as usize) as u64;
        let place = self.surnames.partition_point(|(sum, _)| *sum <= at);
        self.surnames
            .get(place)
            .map(|(_, name)| name.clone())
            .unwrap_or_else(|| Written { kanji: String::new(), kana: String::new() })
    }
    /// A given name: readings with many spellings are the common ones.
    pub fn given(&self, woman: bool, random: &mut Random) -> Written {
        let [men, women] = &self.given;
        let name = random.one(if woman { women } else { men });
        name.cloned().unwrap_or_else(|| Written { kanji: String::new(), kana: String::new() })
    }
    /// Other kanji of the same reading, if there are.
    pub fn other_spelling(&self, name: &Written, random: &mut Random) -> Option<String> {
        let all = self.given.iter().flatten();
        let others: Vec<_> =
            all.filter(|other| other.kana == name.kana && other.kanji != name.kanji).collect();
        random.one(&others).map(|other| other.kanji.clone())
    }
}

/// kanji, count, hiragana, …; with the sum of counts so far.
fn read_surnames(text: &str) -> Vec<(u64, Written)> {
    let mut sum = 0;
    let rows = text.lines().filter_map(|line| {
        let mut fields = line.split(',').map(str::trim);
        let (kanji, count, kana) = (fields.next()?, fields.next()?.parse::<u64>().ok()?, fields.next()?);
        sum += count;
        Some((sum, Written { kanji: kanji.to_owned(), kana: kana.to_owned() }))
    });
    rows.collect()
}

/// hiragana, romaji, kanji, kanji, …
fn read_given(text: &str) -> Vec<Written> {
    let rows = text.lines().flat_map(|line| {
        let mut fields = line.split(',').map(str::trim);
        let kana = fields.next().unwrap_or_default();
        fields.skip(1).map(move |kanji| Written { kanji: kanji.to_owned(), kana: kana.to_owned() })
    });
    rows.filter(|name| !name.kanji.is_empty() && !name.kana.is_empty()).collect()
}

/// Hiragana as katakana.
pub fn katakana(kana: &str) -> String {
    let shift = |kana: char| match kana {
        'ぁ'..='ゖ' => char::from_u32(u32::from(kana) + 0x60).unwrap_or(kana),
        other => other,
    };
    kana.chars().map(shift).collect()
}

/// Hiragana in Hepburn's romaji, long vowels as they are spelt.
pub fn romaji(kana: &str) -> String {
    const ROWS: [(&str, [&str; 5]); 16] = [
        ("あいうえお", ["a", "i", "u", "e", "o"]),
        ("かきくけこ", ["ka", "ki", "ku", "ke", "ko"]),
        ("さしすせそ", ["sa", "shi", "su", "se", "so"]),
        ("たちつてと", ["ta", "chi", "tsu", "te", "to"]),
        ("なにぬねの", ["na", "ni", "nu", "ne", "no"]),
        ("はひふへほ", ["ha", "hi", "fu", "he", "ho"]),
        ("まみむめも", ["ma", "mi", "mu", "me", "mo"]),
        ("らりるれろ", ["ra", "ri", "ru", "re", "ro"]),
        ("がぎぐげご", ["ga", "gi", "gu", "ge", "go"]),
        ("ざじずぜぞ", ["za", "ji", "zu", "ze", "zo"]),
        ("だぢづでど", ["da", "ji", "zu", "de", "do"]),
        ("ばびぶべぼ", ["ba", "bi", "bu", "be", "bo"]),
        ("ぱぴぷぺぽ", ["pa", "pi", "pu", "pe", "po"]),
        ("やゐゆゑよ", ["ya", "i", "yu", "e", "yo"]),
        ("わ〓ん〓を", ["wa", "", "n", "", "o"]),
        ("ゃ〓ゅ〓ょ", ["ya", "", "yu", "", "yo"]),
    ];
    let mut written = String::new();
    let mut doubled = false;
    for character in kana.chars() {
        let found =
            ROWS.iter().find_map(|(row, sounds)| sounds.get(row.chars().position(|kana| kana == character)?));
        let Some(sound) = found else {
            doubled |= character == 'っ';
            continue;
        };
        let small = matches!(character, 'ゃ' | 'ゅ' | 'ょ');
        if small && written.ends_with('i') {
            written.pop();
            let simple = written.ends_with("sh") || written.ends_with("ch") || written.ends_with('j');
            written.push_str(if simple { sound.get(1..).unwrap_or_default() } else { sound });
        } else {
            if doubled {
                written.push_str(sound.get(..1).unwrap_or_default());
            }
            written.push_str(sound);
        }
        doubled = false;
    }
    written
}
