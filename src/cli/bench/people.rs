//! The patients of the bench: made from a number, always the same ones. Names are about as frequent as they are in Japan: one
//! of a hundred people has the first surname, and two who meet have the same one with a chance of one in some 450.

use crate::demographics::{Address, BirthTime, Demographics, Name, Representation, Sex, Telecom};

/// Surnames of a sixth of all people, in kanji and kana; the first ones are the most frequent.
const FAMILIES: [(&str, &str); 24] = [
    ("佐藤", "サトウ"),
    ("鈴木", "スズキ"),
    ("高橋", "タカハシ"),
    ("田中", "タナカ"),
    ("渡辺", "ワタナベ"),
    ("伊藤", "イトウ"),
    ("山本", "ヤマモト"),
    ("中村", "ナカムラ"),
    ("小林", "コバヤシ"),
    ("加藤", "カトウ"),
    ("吉田", "ヨシダ"),
    ("山田", "ヤマダ"),
    ("佐々木", "ササキ"),
    ("山口", "ヤマグチ"),
    ("松本", "マツモト"),
    ("井上", "イノウエ"),
    ("木村", "キムラ"),
    ("斎藤", "サイトウ"),
    ("清水", "シミズ"),
    ("阿部", "アベ"),
    ("森", "モリ"),
    ("池田", "イケダ"),
    ("橋本", "ハシモト"),
    ("石川", "イシカワ"),
];
/// First halves of the other surnames.
const FAMILY_FIRST: [(&str, &str); 40] = [
    ("藤", "フジ"),
    ("石", "イシ"),
    ("大", "オオ"),
    ("小", "コ"),
    ("中", "ナカ"),
    ("上", "ウエ"),
    ("下", "シモ"),
    ("山", "ヤマ"),
    ("川", "カワ"),
    ("田", "タ"),
    ("松", "マツ"),
    ("竹", "タケ"),
    ("杉", "スギ"),
    ("森", "モリ"),
    ("林", "ハヤシ"),
    ("岡", "オカ"),
    ("村", "ムラ"),
    ("西", "ニシ"),
    ("東", "ヒガシ"),
    ("北", "キタ"),
    ("南", "ミナミ"),
    ("高", "タカ"),
    ("長", "ナガ"),
    ("水", "ミズ"),
    ("金", "カネ"),
    ("清", "キヨ"),
    ("古", "フル"),
    ("新", "ニイ"),
    ("黒", "クロ"),
    ("白", "シラ"),
    ("青", "アオ"),
    ("赤", "アカ"),
    ("宮", "ミヤ"),
    ("寺", "テラ"),
    ("福", "フク"),
    ("安", "ヤス"),
    ("吉", "ヨシ"),
    ("原", "ハラ"),
    ("野", "ノ"),
    ("島", "シマ"),
];
/// Their second halves.
const FAMILY_SECOND: [(&str, &str); 40] = [
    ("田", "ダ"),
    ("川", "カワ"),
    ("山", "ヤマ"),
    ("本", "モト"),
    ("村", "ムラ"),
    ("井", "イ"),
    ("野", "ノ"),
    ("原", "ハラ"),
    ("口", "グチ"),
    ("崎", "サキ"),
    ("島", "シマ"),
    ("木", "キ"),
    ("沢", "サワ"),
    ("下", "シタ"),
    ("上", "ガミ"),
    ("尾", "オ"),
    ("谷", "タニ"),
    ("岡", "オカ"),
    ("橋", "ハシ"),
    ("森", "モリ"),
    ("林", "バヤシ"),
    ("内", "ウチ"),
    ("瀬", "セ"),
    ("塚", "ヅカ"),
    ("倉", "クラ"),
    ("浦", "ウラ"),
    ("池", "イケ"),
    ("坂", "サカ"),
    ("石", "イシ"),
    ("松", "マツ"),
    ("部", "ベ"),
    ("藤", "ドウ"),
    ("江", "エ"),
    ("脇", "ワキ"),
    ("津", "ツ"),
    ("波", "ナミ"),
    ("根", "ネ"),
    ("越", "コシ"),
    ("条", "ジョウ"),
    ("形", "ガタ"),
];
/// First halves of given names.
const FIRST: [(&str, &str); 48] = [
    ("美", "ミ"),
    ("裕", "ユウ"),
    ("健", "ケン"),
    ("和", "カズ"),
    ("恵", "エ"),
    ("直", "ナオ"),
    ("智", "トモ"),
    ("明", "アキ"),
    ("正", "マサ"),
    ("由", "ユ"),
    ("久", "ヒサ"),
    ("幸", "ユキ"),
    ("義", "ヨシ"),
    ("千", "チ"),
    ("陽", "ヨウ"),
    ("真", "マ"),
    ("隆", "タカ"),
    ("浩", "ヒロ"),
    ("英", "ヒデ"),
    ("俊", "トシ"),
    ("秀", "シュウ"),
    ("洋", "ヨウ"),
    ("誠", "セイ"),
    ("勝", "カツ"),
    ("光", "ミツ"),
    ("春", "ハル"),
    ("夏", "ナツ"),
    ("秋", "アキ"),
    ("清", "キヨ"),
    ("静", "シズ"),
    ("節", "セツ"),
    ("京", "キョウ"),
    ("文", "フミ"),
    ("玲", "レイ"),
    ("綾", "アヤ"),
    ("早", "サ"),
    ("奈", "ナ"),
    ("佳", "カ"),
    ("友", "トモ"),
    ("大", "ダイ"),
    ("翔", "ショウ"),
    ("悠", "ユウ"),
    ("結", "ユ"),
    ("優", "ユウ"),
    ("沙", "サ"),
    ("麻", "マ"),
    ("貴", "タカ"),
    ("康", "ヤス"),
];
/// Their second halves.
const SECOND: [(&str, &str); 40] = [
    ("子", "コ"),
    ("一", "イチ"),
    ("美", "ミ"),
    ("太", "タ"),
    ("代", "ヨ"),
    ("彦", "ヒコ"),
    ("香", "カ"),
    ("也", "ヤ"),
    ("江", "エ"),
    ("介", "スケ"),
    ("里", "リ"),
    ("樹", "キ"),
    ("奈", "ナ"),
    ("男", "オ"),
    ("之", "ユキ"),
    ("穂", "ホ"),
    ("夫", "オ"),
    ("雄", "オ"),
    ("枝", "エ"),
    ("恵", "エ"),
    ("二", "ジ"),
    ("三", "ゾウ"),
    ("郎", "ロウ"),
    ("人", "ト"),
    ("斗", "ト"),
    ("花", "カ"),
    ("菜", "ナ"),
    ("衣", "イ"),
    ("希", "キ"),
    ("乃", "ノ"),
    ("紀", "ノリ"),
    ("治", "ジ"),
    ("司", "シ"),
    ("平", "ヘイ"),
    ("吾", "ゴ"),
    ("音", "ネ"),
    ("織", "オリ"),
    ("世", "セ"),
    ("加", "カ"),
    ("哉", "ヤ"),
];

/// The patient of a number: always the same one.
pub(super) fn person(number: u64) -> Demographics {
    let draw = |salt: u64, most: usize| (scatter(number ^ (salt << 56)) % most as u64) as usize;
    // The lesser of two draws: the first names are several times as frequent as the last.
    let frequent = |salt: u64, most: usize| draw(salt, most).min(draw(salt + 1, most));
    let joined = |first: (&str, &str), second: (&str, &str)| {
        (format!("{}{}", first.0, second.0), format!("{}{}", first.1, second.1))
    };
    let (family, family_kana) = if draw(15, 6) == 0 {
        joined(FAMILIES[frequent(1, FAMILIES.len())], ("", ""))
    } else {
        joined(
            FAMILY_FIRST[frequent(16, FAMILY_FIRST.len())],
            FAMILY_SECOND[frequent(18, FAMILY_SECOND.len())],
        )
    };
    let (given, given_kana) = joined(FIRST[frequent(20, FIRST.len())], SECOND[frequent(22, SECOND.len())]);
    let name = |family: String, given: String, representation| Name {
        family,
        given,
        representation: Some(representation),
        ..Name::default()
    };
    let (year, month, day) = (1930 + draw(5, 90), 1 + draw(6, 12), 1 + draw(7, 28));
    let (postcode, town) = (draw(8, 4_000), draw(9, 40));
    Demographics {
        names: vec![
            name(family, given, Representation::Ideographic),
            name(family_kana, given_kana, Representation::Phonetic),
        ],
        birth: BirthTime::parse(&format!("{year:04}{month:02}{day:02}")),
        sex: Some(if draw(10, 2) == 0 { Sex::Female } else { Sex::Male }),
        addresses: vec![Address {
            postcode: format!("{:03}-{:04}", 100 + postcode / 10, 100 * (postcode % 10) + town),
            state: "宮城県".into(),
            city: format!("第{}市", postcode / 100),
            street: format!(
                "{}町{}-{}",
                FAMILIES[town % FAMILIES.len()].0,
                1 + draw(11, 20),
                1 + draw(12, 30)
            ),
            ..Address::default()
        }],
        telecoms: vec![Telecom {
            value: format!("022-{:03}-{:04}", draw(13, 900), draw(14, 10_000)),
            ..Telecom::default()
        }],
        ..Demographics::default()
    }
}

/// One error of several kinds.
pub(super) fn err(person: &mut Demographics, number: u64) {
    match number % 5 {
        0 => person.addresses.clear(),
        1 => person.birth = person.birth.as_ref().and_then(|birth| exchanged(birth.as_str())),
        2 => person.names.truncate(1),
        3 => person.names.iter_mut().take(1).for_each(|name| name.family = "渡邉".into()),
        _ => person.names.iter_mut().for_each(|name| name.given.push('コ')),
    }
}

/// A birth with its last two digits exchanged, or one of them wrong.
fn exchanged(birth: &str) -> Option<BirthTime> {
    let (rest, last) = birth.split_at_checked(6)?;
    let day: u32 = last.parse().ok()?;
    BirthTime::parse(&format!("{rest}{:02}", if day < 20 { day + 10 } else { day - 10 }))
}

/// Numbers that look random (splitmix64).
pub(super) fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
