//! What facilities make of a person: scripts, forms of addresses, and errors, each independent of the others.

use super::japanese::{Home, Person, home};
use super::names::{Names, Written, katakana, romaji};
use super::set::{ErrorKind, Random};
use crate::demographics::{Address, BirthTime, Demographics, Name, Representation, Sex, Telecom};

/// How often, per record (of those where it can happen).
const RATES: [(ErrorKind, f64); 8] = [
    (ErrorKind::KanjiVariant, 0.05),
    (ErrorKind::OtherSpelling, 0.02),
    (ErrorKind::KanaTyping, 0.02),
    (ErrorKind::Birthday, 0.01),
    (ErrorKind::Postcode, 0.02),
    // Of women's further records.
    (ErrorKind::Marriage, 0.06),
    // Of further records.
    (ErrorKind::Removal, 0.15),
    // Each of telephone, address, postcode; a tenth of it for the birthday and the sex.
    (ErrorKind::Missing, 0.05),
];
/// Forms of kanji that facilities write for each other.
const VARIANTS: [(char, &[char]); 22] = [
    ('斎', &['齋', '斉', '齊']),
    ('斉', &['斎', '齋']),
    ('高', &['髙']),
    ('崎', &['﨑', '嵜']),
    ('辺', &['邊', '邉']),
    ('沢', &['澤']),
    ('浜', &['濱']),
    ('広', &['廣']),
    ('国', &['國']),
    ('島', &['嶋', '嶌']),
    ('桜', &['櫻']),
    ('滝', &['瀧']),
    ('関', &['關']),
    ('恵', &['惠']),
    ('真', &['眞']),
    ('栄', &['榮']),
    ('竜', &['龍']),
    ('徳', &['德']),
    ('吉', &['𠮷']),
    ('柳', &['栁']),
    ('寿', &['壽']),
    ('富', &['冨']),
];

/// What a facility sends.
#[derive(Debug, Clone, Copy, Default)]
pub enum Style {
    /// 60 % of facilities.
    #[default]
    KanjiAndKana,
    /// 25 %.
    Kanji,
    /// 12 %; half of them half-width.
    Kana,
    /// The same, half-width.
    HalfWidthKana,
    /// 3 %: as passports have it, without long vowels,
    Passport,
    /// or as it is typed.
    Typed,
}

impl Style {
    /// By the rates above.
    pub fn choose(random: &mut Random) -> Self {
        match random.below(200) {
            0..120 => Self::KanjiAndKana,
            120..170 => Self::Kanji,
            170..182 => Self::Kana,
            182..194 => Self::HalfWidthKana,
            194..197 => Self::Passport,
            _ => Self::Typed,
        }
    }
    /// Bit 1 for kanji, bit 2 for kana and romaji.
    pub fn scripts(self) -> u8 {
        match self {
            Self::KanjiAndKana => 3,
            Self::Kanji => 1,
            Self::Kana | Self::HalfWidthKana | Self::Passport | Self::Typed => 2,
        }
    }
}

/// The rates, for people.
pub fn rates() -> String {
    let rates: Vec<_> = RATES.iter().map(|(kind, rate)| format!("{kind:?} {rate}")).collect();
    format!(
        "records in kanji and kana 60 %, kanji 25 %, kana 12 %, romaji 3 %; errors per record: {}",
        rates.join(", ")
    )
}

fn happens(kind: ErrorKind, random: &mut Random) -> bool {
    RATES.iter().any(|(of, rate)| *of == kind && random.chance(*rate))
}

/// A facility's record of a person: the person's first, or a further one.
pub fn record(
    person: &Person,
    number: usize,
    style: Style,
    names: &Names,
    random: &mut Random,
) -> (Demographics, Vec<ErrorKind>) {
    let mut errors = Vec::new();
    let mut person = person.clone();
    let mut note = |kind: ErrorKind, done: bool| {
        if done {
            errors.push(kind);
        }
    };
    if number > 0 && person.woman && happens(ErrorKind::Marriage, random) {
        person.family = names.surname(random);
        note(ErrorKind::Marriage, true);
    }
    if number > 0 && happens(ErrorKind::Removal, random) {
        person.home = home(random);
        if random.chance(0.5) {
            person.telephone = format!("090-{:04}-{:04}", random.below(10_000), random.below(10_000));
        }
        note(ErrorKind::Removal, true);
    }
    let kanji = style.scripts() & 1 != 0;
    let sound = style.scripts() & 2 != 0;
    if kanji && happens(ErrorKind::OtherSpelling, random) {
        let other = names.other_spelling(&person.given, random);
        note(ErrorKind::OtherSpelling, other.is_some());
        person.given.kanji = other.unwrap_or(person.given.kanji);
    }
    if kanji && happens(ErrorKind::KanjiVariant, random) {
        let changed = [variant(&mut person.family, random), variant(&mut person.given, random)];
        note(ErrorKind::KanjiVariant, changed.contains(&true));
    }
    if sound && happens(ErrorKind::KanaTyping, random) {
        let name = if random.chance(0.5) { &mut person.family } else { &mut person.given };
        name.kana = mistyped(&name.kana, random);
        note(ErrorKind::KanaTyping, true);
    }
    let mut birth = person.birth;
    if happens(ErrorKind::Birthday, random) {
        birth = other_birthday(birth, random);
        note(ErrorKind::Birthday, true);
    }
    if happens(ErrorKind::Postcode, random) {
        person.home.postcode = other_digit(&person.home.postcode, random);
        note(ErrorKind::Postcode, true);
    }
    let mut record = written(&person, birth, style, random);
    for place in 0..5 {
        let rarely = place > 2 && !random.chance(0.1);
        if happens(ErrorKind::Missing, random) && !rarely {
            note(ErrorKind::Missing, true);
            leave_out(&mut record, place);
        }
    }
    (record, errors)
}

fn leave_out(record: &mut Demographics, place: usize) {
    match place {
        0 => record.telecoms.clear(),
        1 => record.addresses.clear(),
        2 => record.addresses.iter_mut().for_each(|address| address.postcode.clear()),
        3 => record.birth = None,
        _ => record.sex = None,
    }
}

fn written(person: &Person, birth: (u16, u8, u8), style: Style, random: &mut Random) -> Demographics {
    let (year, month, day) = birth;
    let name = |representation, write: &dyn Fn(&Written) -> String| Name {
        representation: Some(representation),
        family: write(&person.family),
        given: write(&person.given),
        ..Name::default()
    };
    let kanji = || name(Representation::Ideographic, &|part: &Written| part.kanji.clone());
    let kana = || name(Representation::Phonetic, &|part: &Written| katakana(&part.kana));
    let names = match style {
        Style::KanjiAndKana => vec![kanji(), kana()],
        Style::Kanji => vec![kanji()],
        Style::Kana => vec![kana()],
        Style::HalfWidthKana => {
            vec![name(Representation::Phonetic, &|part: &Written| half_width(&katakana(&part.kana)))]
        }
        Style::Passport => vec![name(Representation::Alphabetic, &|part: &Written| {
            romaji(&part.kana).replace("ou", "o").replace("oo", "o").replace("uu", "u").to_uppercase()
        })],
        Style::Typed => vec![name(Representation::Alphabetic, &|part: &Written| romaji(&part.kana))],
    };
    Demographics {
        names,
        birth: BirthTime::parse(&format!("{year:04}{month:02}{day:02}")),
        sex: Some(if person.woman { Sex::Female } else { Sex::Male }),
        addresses: vec![address(&person.home, random)],
        telecoms: vec![Telecom {
            value: if random.chance(0.5) {
                person.telephone.clone()
            } else {
                person.telephone.replace('-', "")
            },
            ..Telecom::default()
        }],
        ..Demographics::default()
    }
}

/// The address as one of four kinds of facilities writes it.
fn address(home: &Home, random: &mut Random) -> Address {
    let Home { city, prefecture, town, block: [chome, ban, go], building, postcode } = home;
    let kanji_chome =
        ["〇", "一", "二", "三", "四", "五", "六"].get(usize::from(*chome)).copied().unwrap_or("一");
    let plain = Address { postcode: postcode.clone(), ..Address::default() };
    match random.below(4) {
        0 => Address {
            text: format!("{prefecture}{city}{town}{kanji_chome}丁目{ban}番{go}号{building}"),
            ..plain
        },
        1 => Address {
            state: (*prefecture).to_owned(),
            city: (*city).to_owned(),
            street: format!("{}{chome}-{ban}-{go}", town.replace('ヶ', "ケ")),
            other: building.clone(),
            ..plain
        },
        2 => Address {
            city: format!("{prefecture}{city}"),
            street: format!("{town}{chome}丁目{ban}番地{go}　{building}"),
            postcode: format!(
                "{}-{}",
                postcode.get(..3).unwrap_or_default(),
                postcode.get(3..).unwrap_or_default()
            ),
            ..Address::default()
        },
        _ => Address { text: format!("{city}{town}{chome}－{ban}－{go}"), ..plain },
    }
}

fn variant(name: &mut Written, random: &mut Random) -> bool {
    let mut changed = false;
    let other = |character: char| {
        let forms = VARIANTS.iter().find(|(form, _)| *form == character)?.1;
        random.one(forms).copied()
    };
    let mut other = other;
    let kanji = name.kanji.chars().map(|character| {
        let form = other(character);
        changed |= form.is_some();
        form.unwrap_or(character)
    });
    name.kanji = kanji.collect();
    changed
}

/// One kana replaced, left out, doubled, or two exchanged; or its voice.
fn mistyped(kana: &str, random: &mut Random) -> String {
    const ALL: &str =
        "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわん";
    const VOICED: [(char, char); 20] = [
        ('か', 'が'),
        ('き', 'ぎ'),
        ('く', 'ぐ'),
        ('け', 'げ'),
        ('こ', 'ご'),
        ('さ', 'ざ'),
        ('し', 'じ'),
        ('す', 'ず'),
        ('せ', 'ぜ'),
        ('そ', 'ぞ'),
        ('た', 'だ'),
        ('ち', 'ぢ'),
        ('つ', 'づ'),
        ('て', 'で'),
        ('と', 'ど'),
        ('は', 'ば'),
        ('ひ', 'び'),
        ('ふ', 'ぶ'),
        ('へ', 'べ'),
        ('ほ', 'ぼ'),
    ];
    let mut letters: Vec<char> = kana.chars().collect();
    let place = random.below(letters.len());
    match random.below(5) {
        0 => {
            let any: Vec<char> = ALL.chars().collect();
            if let (Some(letter), Some(new)) = (letters.get_mut(place), random.one(&any)) {
                *letter = *new;
            }
        }
        1 if letters.len() > 2 => {
            letters.remove(place);
        }
        2 if letters.len() > 1 => {
            let place = place.min(letters.len() - 2);
            letters.swap(place, place + 1);
        }
        3 => {
            if let Some(letter) = letters.get(place).copied() {
                letters.insert(place, letter);
            }
        }
        _ => {
            for letter in &mut letters {
                let other = VOICED.iter().find_map(|(plain, voiced)| match *letter {
                    one if one == *plain => Some(*voiced),
                    one if one == *voiced => Some(*plain),
                    _ => None,
                });
                if let Some(other) = other {
                    *letter = other;
                    break;
                }
            }
        }
    }
    letters.into_iter().collect()
}

/// A digit of the year, month or day, or day and month exchanged, or another era.
fn other_birthday((year, month, day): (u16, u8, u8), random: &mut Random) -> (u16, u8, u8) {
    match random.below(5) {
        0 => (year / 10 * 10 + (year + 1 + random.below(9) as u16) % 10, month, day),
        1 => (year, 1 + (month + random.below(8) as u8) % 9, day),
        2 => (year, month, day / 10 * 10 + (day + 1 + random.below(7) as u8) % 8 + 1),
        3 if day <= 12 && day != month => (year, day, month),
        3 => (year, month, (day + 10 - 1) % 28 + 1),
        _ if year > 1988 => (year - 63, month, day),
        _ => ((year / 100 * 100 + year % 10 * 10 + year / 10 % 10).clamp(1900, 2020), month, day),
    }
}

fn other_digit(digits: &str, random: &mut Random) -> String {
    let place = random.below(digits.len());
    let shift = random.within(1, 9) as u8;
    let other = |(at, digit): (usize, u8)| {
        char::from(if at == place { b'0' + (digit - b'0' + shift) % 10 } else { digit })
    };
    digits.bytes().enumerate().map(other).collect()
}

/// Katakana as old terminals send it.
fn half_width(kana: &str) -> String {
    const FULL: &str = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲンァィゥェォャュョッー";
    const HALF: &str = "ｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓﾔﾕﾖﾗﾘﾙﾚﾛﾜｦﾝｧｨｩｪｫｬｭｮｯｰ";
    const MARKED: &str = "ガギグゲゴザジズゼゾダヂヅデドバビブベボ";
    let single = |kana: char| HALF.chars().nth(FULL.chars().position(|full| full == kana)?);
    let before = |kana: char, steps: u32| char::from_u32(u32::from(kana) - steps).and_then(single);
    let write = |kana: char| match kana {
        'パ' | 'ピ' | 'プ' | 'ペ' | 'ポ' => vec![before(kana, 2).unwrap_or(kana), 'ﾟ'],
        _ if MARKED.contains(kana) => vec![before(kana, 1).unwrap_or(kana), 'ﾞ'],
        _ => vec![single(kana).unwrap_or(kana)],
    };
    kana.chars().flat_map(write).collect()
}
