//! Whole records: prepared, blocked, compared, learnt from.

use proptest::prelude::*;

use super::*;
use crate::demographics::{Address, BirthTime, Demographics, Name, Sex, Telecom};

fn person(names: &[(&str, &str)], birth: &str, sex: Sex) -> Demographics {
    let name = |(family, given): &(&str, &str)| Name {
        family: (*family).to_owned(),
        given: (*given).to_owned(),
        ..Name::default()
    };
    let text = "長野県松本市中央一丁目2番3号".to_owned();
    Demographics {
        names: names.iter().map(name).collect(),
        birth: BirthTime::parse(birth),
        sex: Some(sex),
        addresses: vec![Address { text, postcode: "390-0811".to_owned(), ..Address::default() }],
        telecoms: vec![Telecom { value: "0263-12-3456".to_owned(), ..Telecom::default() }],
        ..Demographics::default()
    }
}

fn verdict(one: &Demographics, two: &Demographics) -> Verdict {
    let comparison = Model::built_in().compare(&Prepared::of(one), &Prepared::of(two));
    Thresholds::default().verdict(&comparison)
}

#[test]
fn one_person_in_three_scripts() {
    let both = person(&[("髙橋", "祐子"), ("タカハシ", "ユウコ")], "19600229", Sex::Female);
    let kanji = person(&[("高橋", "祐子")], "19600229", Sex::Female);
    let half_width = person(&[("ﾀｶﾊｼ", "ﾕｳｺ")], "19600229", Sex::Female);
    let passport = person(&[("TAKAHASHI", "YUKO")], "19600229", Sex::Female);
    for other in [&kanji, &half_width, &passport] {
        assert_eq!(verdict(&both, other), Verdict::Same);
    }
    // Nobody knows yet how these kanji are read; who has learnt it from a record with both, does.
    assert_eq!(verdict(&kanji, &half_width), Verdict::Review);
    let mut model = Model::built_in();
    model.learn_readings([&Prepared::of(&both)]);
    let comparison = model.compare(&Prepared::of(&kanji), &Prepared::of(&half_width));
    assert_eq!(Thresholds::default().verdict(&comparison), Verdict::Same);
}

#[test]
fn neither_twins_nor_relatives_are_linked() {
    let one = person(&[("山田", "太郎"), ("ヤマダ", "タロウ")], "20010203", Sex::Male);
    for (names, birth, sex) in [
        (&[("山田", "次郎"), ("ヤマダ", "ジロウ")][..], "20010203", Sex::Male),
        // One kana apart, and nothing else.
        (&[("ヤマダ", "タロ")], "20010203", Sex::Male),
        (&[("山田", "花子"), ("ヤマダ", "ハナコ")], "20010203", Sex::Female),
        (&[("山田", "太郎"), ("ヤマダ", "タロウ")], "19700405", Sex::Male),
        (&[("山田", "太郎")], "20010203", Sex::Female),
        (&[("山田", "")], "20010203", Sex::Male),
    ] {
        assert_ne!(verdict(&one, &person(names, birth, sex)), Verdict::Same, "{names:?} {birth}");
    }
}

#[test]
fn typing_errors_and_marriage_do_no_harm() {
    let one = person(&[("山田", "花子"), ("ヤマダ", "ハナコ")], "19850123", Sex::Female);
    for (names, birth) in [
        (&[("山田", "花子"), ("ヤマタ", "ハナコ")][..], "19850123"),
        (&[("山田", "花子"), ("ヤマダ", "ハナコ")], "19850132"),
        (&[("山田", "花子"), ("ヤマダ", "ハナコ")], "19850124"),
        (&[("鈴木", "花子"), ("スズキ", "ハナコ")], "19850123"),
        (&[("花子", "山田")], "19850123"),
    ] {
        assert_eq!(verdict(&one, &person(names, birth, Sex::Female)), Verdict::Same, "{names:?} {birth}");
    }
}

#[test]
fn former_names_serve() {
    let before = person(&[("佐藤", "葉子")], "19700101", Sex::Female);
    let now = person(&[("鈴木", "葉子")], "19700101", Sex::Female);
    let model = Model::built_in();
    let level = |now: &Prepared| model.explain(now, &Prepared::of(&before))[0].level;
    assert_eq!(level(&Prepared::of(&now)), "different");
    assert_eq!(level(&Prepared::with_history(&now, std::slice::from_ref(&before))), "a former name");
}

#[test]
fn a_model_is_read_back_as_it_was() {
    let both = Prepared::of(&person(&[("山田", "花子"), ("ヤマダ", "ハナコ")], "19850123", Sex::Female));
    let mut model = Model::built_in().among(1_000);
    model.learn_readings([&both]);
    let read = Model::from_json(&model.to_json().unwrap()).unwrap();
    assert_eq!(read.compare(&both, &both), model.compare(&both, &both));
    assert!(Model::from_json("{}").is_err());
}

proptest! {
    #[test]
    fn comparing_is_symmetric_and_any_text_is_taken(one in "\\PC{0,20}", two in "\\PC{0,20}", birth in "[0-9]{8}") {
        let a = Prepared::of(&person(&[(&one, &two)], &birth, Sex::Male));
        let b = Prepared::of(&person(&[(&two, &one), (&one, "太郎")], "19600102", Sex::Male));
        let model = Model::built_in();
        let comparison = model.compare(&a, &b);
        prop_assert_eq!(comparison, model.compare(&b, &a));
        prop_assert!((0.0..=1.0).contains(&comparison.probability));
        prop_assert_eq!(Prepared::from_bytes(a.as_bytes()), Some(a.clone()));
        let mut keys = Vec::new();
        a.blocking_keys(&mut keys);
        prop_assert!(keys.len() <= crate::limits::MAX_BLOCKING_KEYS);
    }

    #[test]
    fn damage_is_noticed_or_harmless(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Some(prepared) = Prepared::from_bytes(&bytes) {
            Model::built_in().compare(&prepared, &prepared);
        }
    }
}

#[test]
fn packed_records_compare_as_they_do_one_by_one_and_whichever_comes_first() {
    let names: [&[(&str, &str)]; 8] = [
        &[("髙橋", "祐子"), ("タカハシ", "ユウコ")],
        &[("高橋", "裕子"), ("タカハシ", "ヒロコ")],
        &[("高橋", "祐子")],
        &[("高橋", "裕子")],
        &[("タカハシ", "ユウコ")],
        &[("TAKAHASHI", "YUKO"), ("高橋", "悠子")],
        &[("鈴木", "祐子"), ("高橋", "祐子")],
        &[("スズキ", "ユウコ"), ("鈴木", "佑子"), ("高橋", "裕子")],
    ];
    let records: Vec<Prepared> = names
        .iter()
        .enumerate()
        .map(|(number, names)| {
            let mut who = person(names, ["19600229", "19600228"][number % 2], Sex::Female);
            if number % 3 == 0 {
                let text = "長野県松本市大手三丁目8番13号".to_owned();
                who.addresses.insert(0, Address { text, ..Address::default() });
            }
            Prepared::of(&who)
        })
        .collect();
    let mut model = Model::built_in();
    model.learn_readings(&records);
    let all = 0..records.len() as u32;
    let pairs: Vec<_> = all.clone().flat_map(|one| all.clone().map(move |two| (one, two))).collect();
    let mut compared = Vec::new();
    let beyond = [(0, 99), (99, 0)];
    model.compare_all(&model.pack(&records), &[&beyond[..], &pairs].concat(), |pair, comparison| {
        compared.push((pair, comparison));
    });
    let one_by_one = pairs.iter().map(|&(one, two)| {
        let (one, two) = (&records[one as usize], &records[two as usize]);
        assert_eq!(model.compare(one, two), model.compare(two, one));
        model.compare(one, two)
    });
    assert_eq!(compared, pairs.iter().copied().zip(one_by_one).collect::<Vec<_>>());
}
