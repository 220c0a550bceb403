//! The demo's regions, facilities and patients: made up, the same in every run, and named as people in Japan are, in kanji,
//! kana and romaji. Facility codes begin with prefectures 91 to 93, which do not exist.

use crate::demographics::{self, Address, BirthTime, Demographics, Representation, Sex};

/// A region: a community with one hospital.
#[derive(Debug, Clone, Copy)]
pub struct Region {
    /// For people.
    pub name: &'static str,
    /// Its hospital.
    pub hospital: &'static str,
    /// The hospital's ten-digit code: prefecture, fee table, institution.
    pub facility: &'static str,
    /// A doctor there: family and given name.
    pub doctor: (&'static str, &'static str),
    /// What all of the region's OIDs begin with.
    pub root: &'static str,
}

impl Region {
    /// homeCommunityId, a bare OID.
    pub fn home(&self) -> String {
        format!("{}.1", self.root)
    }
    /// repositoryUniqueId.
    pub fn repository(&self) -> String {
        format!("{}.2", self.root)
    }
    /// The assigning authority of the hospital's patient numbers, as JP Core makes it from the facility code.
    pub fn authority(&self) -> String {
        format!("1.2.392.100495.20.3.51.1{}", self.facility)
    }
    /// What HL7 v2 messages call that authority.
    pub fn namespace(&self) -> String {
        format!("H{}", self.facility)
    }
    /// The facility's own OID in an XON.
    pub fn institution(&self) -> String {
        format!(
            "{}^^^^^&1.2.392.100495.20.3.23&ISO^^^^{}",
            self.hospital,
            self.facility.get(3..).unwrap_or_default()
        )
    }
    /// A patient's CX.
    pub fn patient(&self, id: &str) -> String {
        format!("{id}^^^&{}&ISO", self.authority())
    }
}

/// The three regions.
pub const REGIONS: [Region; 3] = [
    Region {
        name: "みなと地域医療ネット",
        hospital: "みなと中央病院",
        facility: "9110100018",
        doctor: ("関", "守"),
        root: "2.25.318902478213461.1",
    },
    Region {
        name: "やまなみ医療連携ネット",
        hospital: "やまなみ総合病院",
        facility: "9210200025",
        doctor: ("峠", "渉"),
        root: "2.25.318902478213461.2",
    },
    Region {
        name: "しおさい健康ネット",
        hospital: "しおさい市民病院",
        facility: "9310300032",
        doctor: ("浜", "渚"),
        root: "2.25.318902478213461.3",
    },
];

/// A family and a given name.
pub type Name = (&'static str, &'static str);

/// A patient, and what happened to them.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// In kanji.
    pub kanji: Name,
    /// In katakana.
    pub kana: Name,
    /// In romaji.
    pub romaji: Name,
    /// Day of birth, YYYYMMDD.
    pub birth: &'static str,
    /// `M` or `F`.
    pub sex: &'static str,
    /// Postal code and address.
    pub address: (&'static str, &'static str),
    /// Their identifier in each region that knows them.
    pub ids: [Option<&'static str>; 3],
    /// In each region: diagnosis, its ICD-10 code, what was done.
    pub cases: [Case; 3],
}

impl Person {
    /// As a hospital's system describes them.
    pub fn demographics(&self) -> Demographics {
        use Representation::{Alphabetic, Ideographic, Phonetic};
        let name = |(family, given): Name, representation| demographics::Name {
            family: family.to_owned(),
            given: given.to_owned(),
            representation: Some(representation),
            ..demographics::Name::default()
        };
        Demographics {
            names: vec![
                name(self.kanji, Ideographic),
                name(self.kana, Phonetic),
                name(self.romaji, Alphabetic),
            ],
            birth: BirthTime::parse(self.birth),
            sex: Some(if self.sex == "F" { Sex::Female } else { Sex::Male }),
            addresses: vec![Address {
                postcode: self.address.0.to_owned(),
                text: self.address.1.to_owned(),
                country: "JPN".to_owned(),
                ..Address::default()
            }],
            ..Demographics::default()
        }
    }
}

/// What happened in one region.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Name of the diagnosis.
    pub diagnosis: &'static str,
    /// ICD-10.
    pub icd10: &'static str,
    /// In a sentence or two.
    pub course: &'static str,
    /// What is taken.
    pub medication: &'static str,
    /// Admission and discharge, YYYYMMDD.
    pub stay: (&'static str, &'static str),
}

const fn case(
    diagnosis: &'static str,
    icd10: &'static str,
    course: &'static str,
    medication: &'static str,
    stay: (&'static str, &'static str),
) -> Case {
    Case { diagnosis, icd10, course, medication, stay }
}

const HEART_FAILURE: Case = case(
    "慢性心不全の急性増悪",
    "I50.9",
    "労作時の息切れと下腿浮腫のため入院。利尿薬の静注で軽快し、独歩で退院した。",
    "フロセミド錠20mg 1日1回、エナラプリル錠5mg 1日1回、カルベジロール錠2.5mg 1日2回",
    ("20250203", "20250217"),
);
const HIP_FRACTURE: Case = case(
    "右大腿骨頸部骨折",
    "S72.0",
    "自宅で転倒し受傷。人工骨頭置換術を施行、回復期リハビリテーションへ転院した。",
    "アセトアミノフェン錠500mg 1日3回、エルデカルシトール0.75μg 1日1回",
    ("20241112", "20241203"),
);
const CATARACT: Case = case(
    "両眼白内障",
    "H25.9",
    "両眼の超音波乳化吸引術と眼内レンズ挿入術を施行。術後経過は良好である。",
    "モキシフロキサシン点眼液0.5% 1日3回",
    ("20230608", "20230611"),
);
const PNEUMONIA: Case = case(
    "市中肺炎",
    "J18.9",
    "発熱と咳嗽のため入院。抗菌薬の点滴で解熱し、画像所見も改善した。",
    "アモキシシリン・クラブラン酸配合錠 1日3回 5日分",
    ("20250110", "20250118"),
);
const DIABETES: Case = case(
    "2型糖尿病",
    "E11.9",
    "教育入院。食事療法と内服の調整により血糖は安定した。",
    "メトホルミン錠250mg 1日2回、シタグリプチン錠50mg 1日1回",
    ("20240905", "20240919"),
);
const INFARCTION: Case = case(
    "脳梗塞",
    "I63.9",
    "左上下肢の脱力で救急搬送。保存的に加療し、麻痺は軽度となった。",
    "クロピドグレル錠75mg 1日1回、アトルバスタチン錠10mg 1日1回",
    ("20240321", "20240416"),
);

/// Everybody. The first is known in all three regions: the demo's story is hers.
pub const PEOPLE: [Person; 8] = [
    Person {
        kanji: ("佐藤", "花子"),
        kana: ("サトウ", "ハナコ"),
        romaji: ("SATO", "HANAKO"),
        birth: "19510314",
        sex: "F",
        address: ("910-0001", "みなと市本町1丁目2番3号"),
        ids: [Some("10003821"), Some("S-55120"), Some("0048812")],
        cases: [HEART_FAILURE, HIP_FRACTURE, CATARACT],
    },
    Person {
        kanji: ("髙橋", "健"),
        kana: ("タカハシ", "ケン"),
        romaji: ("TAKAHASHI", "KEN"),
        birth: "19670822",
        sex: "M",
        address: ("910-0014", "みなと市港町4番15号"),
        ids: [Some("10004417"), Some("S-55207"), None],
        cases: [DIABETES, PNEUMONIA, DIABETES],
    },
    Person {
        kanji: ("渡邉", "さくら"),
        kana: ("ワタナベ", "サクラ"),
        romaji: ("WATANABE", "SAKURA"),
        birth: "19890405",
        sex: "F",
        address: ("920-0102", "やまなみ市峠1番地"),
        ids: [None, Some("S-60033"), Some("0050101")],
        cases: [PNEUMONIA, PNEUMONIA, CATARACT],
    },
    Person {
        kanji: ("齋藤", "一"),
        kana: ("サイトウ", "ハジメ"),
        romaji: ("SAITO", "HAJIME"),
        birth: "19420130",
        sex: "M",
        address: ("930-0805", "しおさい市浜通り8番1号"),
        ids: [Some("10005102"), None, Some("0051377")],
        cases: [INFARCTION, INFARCTION, HEART_FAILURE],
    },
    Person {
        kanji: ("伊藤", "恵子"),
        kana: ("イトウ", "ケイコ"),
        romaji: ("ITO", "KEIKO"),
        birth: "19751119",
        sex: "F",
        address: ("910-0022", "みなと市東町9番"),
        ids: [Some("10006006"), None, None],
        cases: [PNEUMONIA, PNEUMONIA, PNEUMONIA],
    },
    Person {
        kanji: ("𠮷田", "大輔"),
        kana: ("ヨシダ", "ダイスケ"),
        romaji: ("YOSHIDA", "DAISUKE"),
        birth: "19930702",
        sex: "M",
        address: ("920-0331", "やまなみ市北山2丁目7番"),
        ids: [None, Some("S-61200"), None],
        cases: [HIP_FRACTURE, HIP_FRACTURE, HIP_FRACTURE],
    },
    Person {
        kanji: ("中村", "ひろし"),
        kana: ("ナカムラ", "ヒロシ"),
        romaji: ("NAKAMURA", "HIROSHI"),
        birth: "19581225",
        sex: "M",
        address: ("930-0010", "しおさい市潮見1番20号"),
        ids: [None, None, Some("0052940")],
        cases: [INFARCTION, INFARCTION, INFARCTION],
    },
    Person {
        kanji: ("小林", "美咲"),
        kana: ("コバヤシ", "ミサキ"),
        romaji: ("KOBAYASHI", "MISAKI"),
        birth: "20010927",
        sex: "F",
        address: ("920-0500", "やまなみ市南台3番4号"),
        ids: [Some("10007719"), Some("S-61888"), Some("0053008")],
        cases: [PNEUMONIA, HIP_FRACTURE, DIABETES],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Oid, PatientId};

    #[test]
    fn identifiers_are_legal_and_unique() {
        for region in &REGIONS {
            for oid in [region.home(), region.repository(), region.authority()] {
                assert!(Oid::parse(&oid).is_ok(), "{oid}");
            }
        }
        for (number, region) in REGIONS.iter().enumerate() {
            let mut ids: Vec<_> = PEOPLE.iter().filter_map(|person| person.ids[number]).collect();
            assert!(ids.iter().all(|id| PatientId::parse(&region.patient(id)).is_ok()));
            let count = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), count);
        }
        assert!(PEOPLE[0].ids.iter().all(Option::is_some));
    }
}
