//! A region of Japan: persons with names by their real frequencies, households, twins, and the records that facilities have
//! of them.

use std::path::Path;

use super::errors::{self, Style};
use super::names::{Names, Written};
use super::set::{Random, Reach, Set, Truth};

/// Persons who live with relatives in the set, at one address and telephone number.
const WITH_RELATIVES: f64 = 0.15;
/// Persons who are twins.
const TWINS: f64 = 0.01;
/// Twins of one sex.
const SAME_SEX: f64 = 0.65;
/// Twins whose given names share a kanji or a kana at the same end.
const LIKE_NAMES: f64 = 0.5;
/// Facilities of the region.
const FACILITIES: usize = 300;
/// Towns in each of the region's municipalities.
const TOWNS: usize = 40;

/// A person.
#[derive(Clone)]
pub struct Person {
    /// Family name.
    pub family: Written,
    /// Given name.
    pub given: Written,
    /// A woman.
    pub woman: bool,
    /// Year, month, day.
    pub birth: (u16, u8, u8),
    /// Where they live.
    pub home: Home,
    /// Their number.
    pub telephone: String,
}

/// An address.
#[derive(Clone)]
pub struct Home {
    /// Which municipality.
    pub city: &'static str,
    /// Its prefecture.
    pub prefecture: &'static str,
    /// The town.
    pub town: String,
    /// 丁目, 番, 号.
    pub block: [u8; 3],
    /// Building and room; empty for a house.
    pub building: String,
    /// Seven digits.
    pub postcode: String,
}

const CITIES: [(&str, &str, usize); 24] = [
    ("長野県", "長野市", 37),
    ("長野県", "松本市", 24),
    ("長野県", "上田市", 15),
    ("長野県", "岡谷市", 5),
    ("長野県", "飯田市", 10),
    ("長野県", "諏訪市", 5),
    ("長野県", "須坂市", 5),
    ("長野県", "小諸市", 4),
    ("長野県", "伊那市", 7),
    ("長野県", "駒ヶ根市", 3),
    ("長野県", "中野市", 4),
    ("長野県", "大町市", 3),
    ("長野県", "飯山市", 2),
    ("長野県", "茅野市", 6),
    ("長野県", "塩尻市", 7),
    ("長野県", "佐久市", 10),
    ("長野県", "千曲市", 6),
    ("長野県", "東御市", 3),
    ("長野県", "安曇野市", 9),
    ("長野県", "北佐久郡軽井沢町", 2),
    ("長野県", "諏訪郡富士見町", 1),
    ("山梨県", "甲府市", 10),
    ("群馬県", "高崎市", 8),
    ("新潟県", "上越市", 8),
];
const TOWN_NAMES: [&str; 40] = [
    "本町",
    "中央",
    "栄町",
    "旭町",
    "緑ヶ丘",
    "桜ヶ丘",
    "大手",
    "城東",
    "城西",
    "元町",
    "新町",
    "東町",
    "西町",
    "南町",
    "北町",
    "上野",
    "下野",
    "若葉",
    "平和",
    "寿",
    "松ヶ崎",
    "高田",
    "三輪",
    "吉田",
    "柳原",
    "浅川",
    "石渡",
    "稲田",
    "川合新田",
    "広丘",
    "島内",
    "沢村",
    "渚",
    "白板",
    "蟻ヶ崎",
    "里山辺",
    "芳川",
    "神林",
    "和田",
    "笹賀",
];

/// Makes a set.
pub fn generate(names: Option<&Path>, persons: usize, seed: u64) -> Result<Set, String> {
    let source = names.map_or("a table that is built in", |_| "the data set given");
    let names = Names::read(names)?;
    let random = &mut Random::new(seed);
    let facilities: Vec<Style> = (0..FACILITIES).map(|_| Style::choose(random)).collect();
    let mut rows = Vec::new();
    let mut count = 0;
    let mut household = 0;
    while count < persons {
        household += 1;
        for (person, twins) in family(&names, random) {
            count += 1;
            let person_number = count as u32;
            let truth = |errors, scripts| Truth {
                person: person_number,
                household,
                twins: if twins { household } else { 0 },
                file: 0,
                errors,
                scripts,
            };
            for number in 0..random.within(1, 4) {
                let style = random.one(&facilities).copied().unwrap_or_default();
                let (record, errors) = errors::record(&person, number, style, &names, random);
                rows.push((truth(errors, style.scripts()), record));
            }
        }
    }
    let about = format!(
        "Seed {seed}; names from {source}; 1 to 4 records each; relatives at one address for {WITH_RELATIVES} of persons; twins {TWINS}, {SAME_SEX} of them of one sex, {LIKE_NAMES} with like names; {}",
        errors::rates()
    );
    let reach = Reach { precision: 0.9995, recall: 0.975, f: 0.0, found: 0.998, review: 5.0 };
    Ok(Set { by_weights: false, ..Set::new("japanese", about, rows, reach, random) })
}

/// Who lives together, and whether they are twins.
fn family(names: &Names, random: &mut Random) -> Vec<(Person, bool)> {
    let first = person(names, random);
    // Of 100 persons, 1 is a twin and 15 live in households of three on average: so many of 100 households are such.
    let persons_per_household = 1.0 / (1.0 - TWINS / 2.0 - WITH_RELATIVES * 2.0 / 3.0);
    if random.chance(TWINS / 2.0 * persons_per_household) {
        let second = twin(&first, names, random);
        return vec![(first, true), (second, true)];
    }
    if !random.chance(WITH_RELATIVES / 3.0 * persons_per_household) {
        return vec![(first, false)];
    }
    let mut members = vec![(first.clone(), false)];
    for _ in 0..random.within(1, 3) {
        let mut relative = Person {
            family: first.family.clone(),
            home: first.home.clone(),
            telephone: first.telephone.clone(),
            ..person(names, random)
        };
        // Brothers and sisters, husband and wife, parents and children.
        let apart = random.one(&[2, 3, 5, 6, 24, 27, 30, 33]).copied().unwrap_or(0);
        let year = if first.birth.0 > 1970 { first.birth.0 - apart } else { first.birth.0 + apart };
        relative.birth.0 = year;
        members.push((relative, false));
    }
    members
}

fn person(names: &Names, random: &mut Random) -> Person {
    let woman = random.chance(0.52);
    // The old are at hospitals more often.
    let year = 2020 - random.within(0, 95).max(random.within(0, 95)) as u16;
    let birth = (year, random.within(1, 12) as u8, random.within(1, 28) as u8);
    let mobile = if random.chance(0.6) { ["090", "080", "070"][random.below(3)] } else { "026" };
    let telephone = match mobile {
        "026" => format!("026-{:03}-{:04}", random.within(200, 299), random.below(10_000)),
        mobile => format!("{mobile}-{:04}-{:04}", random.below(10_000), random.below(10_000)),
    };
    let family = names.surname(random);
    Person { family, given: names.given(woman, random), woman, birth, home: home(random), telephone }
}

/// Somewhere in the region; large cities have more people, and more towns.
pub fn home(random: &mut Random) -> Home {
    let all: usize = CITIES.iter().map(|(_, _, weight)| weight).sum();
    let mut at = random.below(all);
    let (number, (prefecture, city, _)) = CITIES
        .iter()
        .enumerate()
        .find(|(_, (_, _, weight))| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        })
        .unwrap_or((0, &CITIES[0]));
    // Names of towns come again in each city; the first are the largest.
    let town = random.below(TOWNS).min(random.below(TOWNS));
    let name = TOWN_NAMES.get((town + number * 7) % TOWN_NAMES.len()).copied().unwrap_or_default();
    let building = match random.chance(0.3) {
        true => format!(
            "{}{}{:02}",
            ["コーポ", "ハイツ", "メゾン", "グリーンハイム"][random.below(4)],
            random.within(1, 4),
            random.within(1, 8)
        ),
        false => String::new(),
    };
    Home {
        city,
        prefecture,
        town: name.to_owned(),
        block: [random.within(1, 6), random.within(1, 30), random.within(1, 25)].map(|part| part as u8),
        building,
        postcode: format!("38{number:02}{:03}", town * 7 % 1000),
    }
}

fn twin(first: &Person, names: &Names, random: &mut Random) -> Person {
    let woman = if random.chance(SAME_SEX) { first.woman } else { !first.woman };
    let like = random.chance(LIKE_NAMES);
    let mut given = names.given(woman, random);
    for _ in 0..10_000 {
        let differs = given.kana != first.given.kana && given.kanji != first.given.kanji;
        let ends = |text: &str| (text.chars().next(), text.chars().next_back());
        let shares = |one: &str, two: &str| {
            let ((a, b), (c, d)) = (ends(one), ends(two));
            a == c || b == d
        };
        let alike = shares(&given.kana, &first.given.kana) || shares(&given.kanji, &first.given.kanji);
        if differs && (!like || alike) {
            break;
        }
        given = names.given(woman, random);
    }
    Person { given, woman, ..first.clone() }
}
