//! Addresses as they are compared: prefecture, municipality, town, block numbers, building, whichever way a sender cuts them.

use std::sync::LazyLock;

use super::text::{Script, fold, squeeze};
use crate::demographics::Address;

/// An address in parts, each squeezed; empty where nothing is known.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Prefecture (without 都, 府, 県), state.
    pub state: String,
    /// 市, 区, 町, 村, with the ward of a large city; city or suburb.
    pub city: String,
    /// The town (without 大字), or the street.
    pub street: String,
    /// 丁目, 番, 号 as digits with hyphens; house number.
    pub number: String,
    /// Building, or whatever else.
    pub other: String,
    /// Digits and letters.
    pub postcode: String,
}

const PREFECTURES: [&str; 47] = [
    "北海道",
    "青森県",
    "岩手県",
    "宮城県",
    "秋田県",
    "山形県",
    "福島県",
    "茨城県",
    "栃木県",
    "群馬県",
    "埼玉県",
    "千葉県",
    "東京都",
    "神奈川県",
    "新潟県",
    "富山県",
    "石川県",
    "福井県",
    "山梨県",
    "長野県",
    "岐阜県",
    "静岡県",
    "愛知県",
    "三重県",
    "滋賀県",
    "京都府",
    "大阪府",
    "兵庫県",
    "奈良県",
    "和歌山県",
    "鳥取県",
    "島根県",
    "岡山県",
    "広島県",
    "山口県",
    "徳島県",
    "香川県",
    "愛媛県",
    "高知県",
    "福岡県",
    "佐賀県",
    "長崎県",
    "熊本県",
    "大分県",
    "宮崎県",
    "鹿児島県",
    "沖縄県",
];
/// Municipalities whose names hold a character that ends one elsewhere (as [`fold`] leaves them).
const DECEIVING: [&str; 22] = [
    "四日市市",
    "廿日市市",
    "野野市市",
    "市川市",
    "市原市",
    "町田市",
    "大町市",
    "十日町市",
    "村山市",
    "東村山市",
    "武蔵村山市",
    "村上市",
    "田村市",
    "大村市",
    "羽村市",
    "郡山市",
    "大和郡山市",
    "郡上市",
    "蒲郡市",
    "小郡市",
    "八日市場市",
    "市川三郷町",
];

static FOLDED_PREFECTURES: LazyLock<Vec<String>> =
    LazyLock::new(|| PREFECTURES.iter().map(|name| fold(name)).collect());
static FOLDED_DECEIVING: LazyLock<Vec<String>> =
    LazyLock::new(|| DECEIVING.iter().map(|name| fold(name)).collect());

impl Parts {
    /// Cuts an address. One with kanji is read as one text, since senders cut it anywhere.
    pub fn of(address: &Address) -> Self {
        let postcode = squeeze(&fold(&address.postcode)).1;
        let Address { state, city, street, house_number, other, text, .. } = address;
        let mut whole = [state, city, street, house_number, other].map(|part| fold(part)).concat();
        if street.is_empty() || city.is_empty() && state.is_empty() {
            // XAD-8 as Japanese senders use it repeats what stands before, or stands alone.
            let text = fold(text);
            whole = if text.contains(&whole) { text } else { whole + &text };
        }
        if squeeze(&whole).0 == Script::Kanji {
            return Self { postcode, ..Self::japanese(&whole) };
        }
        let plain = |part: &str| squeeze(&fold(part)).1;
        let (street, of_street) = number_apart(street);
        Self {
            state: plain(state),
            city: plain(city),
            street: plain(&street),
            number: if house_number.is_empty() { plain(&of_street) } else { plain(house_number) },
            other: plain(if other.is_empty() { text } else { other }),
            postcode,
        }
    }

    fn japanese(folded: &str) -> Self {
        let text: String = folded.chars().filter(|character| !character.is_whitespace()).collect();
        let text = text.strip_prefix('〒').unwrap_or(&text);
        let text = text.trim_start_matches(|character: char| character.is_ascii_digit() || character == '-');
        let prefecture = FOLDED_PREFECTURES.iter().find(|name| text.starts_with(name.as_str()));
        let prefecture = prefecture.map_or("", String::as_str);
        let rest = text.get(prefecture.len()..).unwrap_or_default();
        let (city, rest) = rest.split_at_checked(municipality(rest)).unwrap_or(("", rest));
        let rest = arabic(rest);
        let numbers = rest.find(|character: char| character.is_ascii_digit()).unwrap_or(rest.len());
        let (town, rest) = rest.split_at_checked(numbers).unwrap_or((&rest, ""));
        let (number, building) = block_numbers(rest);
        let town = town.strip_prefix("大字").unwrap_or(town).replace("字", "");
        let without_kind = prefecture.strip_suffix(['都', '府', '県']).unwrap_or(prefecture);
        Self {
            state: without_kind.to_owned(),
            city: squeeze(city).1,
            street: squeeze(&town).1,
            number,
            other: squeeze(building).1,
            postcode: String::new(),
        }
    }
}

/// Where the municipality ends: behind 市 or 区, or 町 or 村 (behind a 郡), and behind the ward of a city.
fn municipality(text: &str) -> usize {
    if let Some(name) = FOLDED_DECEIVING.iter().find(|name| text.starts_with(name.as_str())) {
        return name.len();
    }
    let end = |text: &str, of: &[char]| {
        let found = text.char_indices().skip(1).find(|(_, character)| of.contains(character));
        found.map(|(at, character)| at + character.len_utf8())
    };
    // Towns have 町 and 村 of their own, so these end a municipality only behind its 郡.
    let district = end(text, &['郡']).filter(|at| *at <= 5 * 3);
    if let Some(at) = district {
        return at + text.get(at..).and_then(|rest| end(rest, &['町', '村'])).unwrap_or(0);
    }
    let Some(at) = end(text, &['市', '区']).filter(|at| *at <= 7 * 3) else {
        return 0;
    };
    let rest = text.get(at..).unwrap_or_default();
    let ward =
        end(rest, &['区']).filter(|ward| *ward <= 5 * 3 && text.get(..at).is_some_and(|t| t.ends_with('市')));
    at + ward.unwrap_or(0)
}

/// Kanji numerals before 丁目, 番地, 番 and 号 become digits (but 一番町 is a town).
fn arabic(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let numerals = rest.find(|character| numeral(character).is_none()).unwrap_or(rest.len());
        let (run, behind) = rest.split_at_checked(numerals).unwrap_or(("", rest));
        let counts = behind.starts_with("丁目")
            || behind.starts_with('号')
            || behind.starts_with('番') && !behind.starts_with("番町");
        if numerals > 0 && counts {
            written.push_str(&number(run).to_string());
            rest = behind;
        } else {
            written.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    written
}

fn numeral(character: char) -> Option<u32> {
    let digits = "〇一二三四五六七八九".chars().position(|digit| digit == character);
    digits.map(|digit| digit as u32).or((character == '十').then_some(10))
}

/// 二十三 is 23, 二三 as well.
fn number(run: &str) -> u32 {
    run.chars().filter_map(numeral).fold(0u32, |sum, digit| match digit {
        10 if sum == 0 => 10,
        10 => sum.saturating_mul(10),
        _ if sum >= 10 && sum % 10 == 0 => sum.saturating_add(digit),
        _ => sum.saturating_mul(10).saturating_add(digit),
    })
}

/// The leading numbers, joined by hyphens, and what stands behind them.
fn block_numbers(text: &str) -> (String, &str) {
    let mut numbers = String::new();
    let mut rest = text;
    loop {
        let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        let Some((run, behind)) = rest.split_at_checked(digits).filter(|(run, _)| !run.is_empty()) else {
            return (numbers, rest);
        };
        if !numbers.is_empty() {
            numbers.push('-');
        }
        numbers.push_str(run);
        let joint = ["丁目", "番地ノ", "番地の", "番地", "番", "号", "-", "ー", "ノ"];
        rest = joint.iter().find_map(|joint| behind.strip_prefix(joint)).unwrap_or(behind);
        rest = rest.strip_prefix('-').unwrap_or(rest);
    }
}

/// "12 smith street" has its number in front, "Hauptstraße 12" behind.
fn number_apart(street: &str) -> (String, String) {
    let is_number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let words: Vec<_> = street.split_whitespace().collect();
    match words.as_slice() {
        [number, street @ ..] if is_number(number) && !street.is_empty() => {
            (street.join(" "), (*number).to_owned())
        }
        [street @ .., number] if is_number(number) && !street.is_empty() => {
            (street.join(" "), (*number).to_owned())
        }
        _ => (street.to_owned(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> [String; 5] {
        let parts = Parts::of(&Address { text: text.to_owned(), ..Address::default() });
        [parts.state, parts.city, parts.street, parts.number, parts.other]
    }

    #[test]
    fn japanese_addresses_come_to_the_same_parts() {
        for (text, expected) in [
            ("東京都千代田区丸の内一丁目２番３号", ["東京", "千代田区", "丸ノ内", "1-2-3", ""]),
            (
                "〒100-0005 東京都千代田区丸ノ内1-2-3 関所ビル4F",
                ["東京", "千代田区", "丸ノ内", "1-2-3", "関所ビル4f"],
            ),
            ("東京都千代田区一番町二三番地", ["東京", "千代田区", "一番町", "23", ""]),
            ("神奈川県横浜市港北区日吉四丁目1-1", ["神奈川", "横浜市港北区", "日吉", "4-1-1", ""]),
            ("三重県四日市市諏訪町1番5号", ["三重", "四日市市", "諏訪町", "1-5", ""]),
            ("福島県郡山市朝日一丁目23番7号", ["福島", "郡山市", "朝日", "1-23-7", ""]),
            ("長野県北佐久郡軽井沢町大字長倉2381番地の1", ["長野", "北佐久郡軽井沢町", "長倉", "2381-1", ""]),
            ("長野県北佐久郡軽井澤町長倉2381-1", ["長野", "北佐久郡軽井沢町", "長倉", "2381-1", ""]),
            ("名古屋市中区三の丸二丁目6番1号", ["", "名古屋市中区", "三ノ丸", "2-6-1", ""]),
        ] {
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    #[test]
    fn senders_cut_anywhere() {
        let address = |state: &str, city: &str, street: &str, number: &str| {
            let [state, city, street, house_number] = [state, city, street, number].map(str::to_owned);
            Parts::of(&Address { state, city, street, house_number, ..Address::default() })
        };
        let whole = address("", "", "東京都港区芝公園4-2-8", "");
        assert_eq!(address("東京都", "港区", "芝公園四丁目２−８", ""), whole);
        assert_eq!(address("東京都", "港区芝公園", "", "4丁目2番8号"), whole);
        let western = address("nsw", "St James", "12 Tullaroop Street", "");
        assert_eq!(western, address("NSW", "st. james", "tullaroop street", "12"));
        assert_eq!(western.street, "tullaroopstreet");
    }
}
