use super::*;
use crate::demographics::{Authority, BirthRange, Change, Identifier, Validity};
use crate::identity::index::{Along, Dated, EventKind, Origin, ShownLink};
use crate::limits;

#[tokio::test]
async fn one_person_of_two_sources_is_linked_and_a_repeated_message_changes_nothing() {
    let scratch = Scratch::new();
    let hanako = person("山田", "花子", "19600229");
    assert_eq!(scratch.announce(&[id(1, "a")], &hanako).await, Announced::Added);
    assert_eq!(scratch.announce(&[id(2, "b")], &hanako).await, Announced::Added);
    assert_eq!(scratch.announce(&[id(2, "b")], &hanako).await, Announced::Unchanged);
    assert_eq!(scratch.announce(&[id(3, "c")], &person("鈴木", "一郎", "19731022")).await, Announced::Added);
    assert_eq!(scratch.others(&id(1, "a")).await, ["b^^^&1.2.2&ISO"]);
    assert!(scratch.others(&id(3, "c")).await.is_empty());
    let events = scratch.events().await;
    assert_eq!(events.iter().map(|event| event.number).collect::<Vec<_>>(), [1, 2, 3]);
    let linked =
        EventKind::Linked { identifiers: vec![id(1, "a"), id(2, "b")], changed: vec!["1.2.2".into()] };
    assert_eq!(events[1].kind, linked);
    assert_eq!(*scratch.index.watch_events().borrow(), 3);
}

#[tokio::test]
async fn a_record_that_changes_leaves_whom_only_the_matcher_linked() {
    let scratch = Scratch::new();
    let hanako = person("山田", "花子", "19600229");
    scratch.announce(&[id(1, "a"), id(2, "a2")], &hanako).await;
    scratch.announce(&[id(3, "c")], &hanako).await;
    assert_eq!(scratch.others(&id(3, "c")).await, ["a^^^&1.2.1&ISO", "a2^^^&1.2.2&ISO"]);
    // The former name would still link; the birthday does not.
    let change = DemographicsChange { birth: Change::of(BirthTime::parse("19991231")), ..Default::default() };
    scratch.index.announce(vec![id(3, "c")], change, None).await.unwrap();
    assert!(scratch.others(&id(3, "c")).await.is_empty());
    assert_eq!(scratch.others(&id(1, "a")).await, ["a2^^^&1.2.2&ISO"]);
}

#[tokio::test]
async fn a_former_name_links_and_answers_no_query() {
    let scratch = Scratch::new();
    scratch.announce(&[id(1, "a")], &person("佐藤", "花子", "19600229")).await;
    scratch.announce(&[id(1, "a")], &person("山田", "花子", "19600229")).await;
    scratch.announce(&[id(2, "b")], &person("佐藤", "花子", "19600229")).await;
    assert_eq!(scratch.others(&id(1, "a")).await, ["b^^^&1.2.2&ISO"]);
    scratch.announce(&[id(2, "b")], &person("山田", "花子", "19600229")).await;
    let asked = DemographicsQuery { names: vec![named("佐藤", "花子")], ..Default::default() };
    assert!(scratch.find(asked).await.is_empty());
}

#[tokio::test]
async fn a_family_shares_an_insured_number_and_is_not_one_person() {
    let scratch = Scratch::new();
    let number = insured("01130012:12-34:567");
    scratch.announce(&[id(1, "mother"), number.clone()], &person("山田", "花子", "19600229")).await;
    scratch.announce(&[id(2, "son"), number.clone()], &person("山田", "太郎", "19900101")).await;
    assert_eq!(scratch.others(&id(1, "mother")).await, [number.to_cx()]);
    // The same number in another spelling, and a maiden name.
    let number = insured("０１１３００１２:12:34：567");
    scratch.announce(&[id(3, "mother"), number], &person("山田", "花子", "19600229")).await;
    assert!(scratch.others(&id(1, "mother")).await.contains(&"mother^^^&1.2.3&ISO".to_owned()));
    assert!(matches!(
        scratch.index.announce(vec![insured("1:2:3:4")], DemographicsChange::default(), None).await,
        Err(IndexError::NoPatient)
    ));
}

#[tokio::test]
async fn questions_are_answered_from_current_values_in_any_spelling() {
    let scratch = Scratch::new();
    let mut hanako = person("山田", "花子", "19600229");
    hanako.names.push(named("ヤマダ", "ハナコ"));
    scratch.announce(&[id(1, "a")], &hanako).await;
    scratch.announce(&[id(2, "b")], &person("山田", "太郎", "19900101")).await;
    let scratch = scratch.restart();
    let by_name = |family: &str, given: &str| DemographicsQuery {
        names: vec![named(family, given)],
        ..Default::default()
    };
    let a = vec![vec!["a^^^&1.2.1&ISO".to_owned()]];
    for (family, given) in [("やまだ", "はなこ"), ("ﾔﾏﾀﾞ", ""), ("", "花子"), ("山*", "花子"), ("ヤ*", "")]
    {
        assert_eq!(scratch.find(by_name(family, given)).await, a, "{family} {given}");
    }
    assert_eq!(scratch.find(by_name("山田", "")).await.len(), 2);
    assert!(scratch.find(by_name("花子", "")).await.is_empty());
    let both = DemographicsQuery {
        birth: BirthTime::parse("1990").map(BirthRange::Within),
        ..by_name("山田", "")
    };
    assert_eq!(scratch.find(both).await, [["b^^^&1.2.2&ISO"]]);
    let by_telephone = DemographicsQuery {
        telecoms: vec![Telecom {
            value: "０３（１２３４）５６７８".into(), ..Telecom::default()
        }],
        sex: Some(Sex::Male),
        ..Default::default()
    };
    assert!(scratch.find(by_telephone).await.is_empty());
}

#[tokio::test]
async fn a_range_of_births_finds_by_itself_and_what_is_too_wide_is_refused() {
    let scratch = Scratch::new();
    for (name, birth) in [("day", "19600229"), ("month", "196002"), ("year", "1960"), ("later", "19610301")] {
        let person = person(name, name, birth);
        scratch.announce(&[id(1, name)], &person).await;
    }
    let asked = |birth: BirthRange, minimum_degree| DemographicsQuery {
        birth: Some(birth),
        minimum_degree,
        ..Default::default()
    };
    let between = |low, high| BirthRange::Between(BirthTime::parse(low), BirthTime::parse(high));
    let within = |birth| BirthRange::Within(BirthTime::parse(birth).unwrap());
    for (range, found) in [
        (between("19600201", "19600331"), &["day", "month", "year"][..]),
        (between("196101", "1962"), &["later"]),
        (between("1960", "1964"), &["day", "month", "year", "later"]),
        (between("1962", "1961"), &[]),
        (within("19600229"), &["day", "month", "year"]),
        (within("1961"), &["later"]),
    ] {
        for degree in [None, Some(80)] {
            let persons = scratch.find(asked(range.clone(), degree)).await;
            let persons: Vec<_> = persons.iter().map(|ids| ids[0].split('^').next().unwrap()).collect();
            assert_eq!(persons, found);
        }
    }
    let too_wide = [
        asked(between("1960", "1965"), None),
        asked(between("1960", ""), None),
        asked(between("1960", ""), Some(80)),
        DemographicsQuery { sex: Some(Sex::Female), ..Default::default() },
    ];
    for query in too_wide {
        assert!(matches!(scratch.index.find(query, 100).await, Err(IndexError::TooWide)));
    }
}

#[tokio::test]
async fn two_that_arrive_at_once_are_linked() {
    let scratch = Scratch::new();
    let hanako = person("山田", "花子", "19600229");
    let feeds = (0..20).map(|number| {
        let index = scratch.index.clone();
        let change = DemographicsChange::set(&hanako);
        async move { index.announce(vec![id(1 + number % 3, &number.to_string())], change, None).await }
    });
    for announced in futures_util::future::join_all(feeds).await {
        assert_eq!(announced.unwrap(), Announced::Added);
    }
    assert_eq!(scratch.others(&id(1, "0")).await.len(), 19);
}

#[tokio::test]
async fn an_insured_number_links_those_who_had_it_on_one_day_and_is_told_while_it_holds() {
    let scratch = Scratch::new();
    let today = crate::time::today();
    let days = |from, until| Validity { from, until };
    let number = insured("06:138:12:1");
    // The number alone tells who they are: nothing else of them is known but the day of birth.
    let announce = async |domain: u32, validity| {
        let born = Demographics { birth: BirthTime::parse("19600229"), ..person("山田", "花子", "") };
        let named = Demographics {
            names: vec![named(["山田", "ヤマダ", "佐藤"][domain as usize - 1], "花子")],
            ..born
        };
        let told = [id(domain, "1").into(), Dated { patient: number.clone(), validity }];
        scratch.index.announce(told, DemographicsChange::set(&named), None).await.unwrap()
    };
    let origins = async |patient: &PatientId| {
        let shown = scratch.index.show(patient).await.unwrap();
        let its = |link: &&ShownLink| [&link.patients.0, &link.patients.1].contains(&patient);
        let by_key = shown.links.iter().filter(its).filter(|link| link.origin == Origin::Key).count();
        (by_key, shown.records.iter().filter(|record| !record.insured.is_empty()).count())
    };
    announce(1, days(Some(today - 900), Some(today))).await;
    assert!(scratch.others(&id(1, "1")).await.contains(&number.to_cx()), "it holds until tonight");
    announce(2, days(Some(today + 1), None)).await;
    assert_eq!(origins(&id(1, "1")).await.0, 0, "the one ends before the other begins");
    // The source corrects it: they overlap after all.
    announce(2, days(Some(today - 1), None)).await;
    assert_eq!(origins(&id(1, "1")).await, (1, 2));
    // It is over in one place: that is told by the other only, and what it linked stays linked.
    assert_eq!(announce(1, days(None, Some(today - 1))).await, Announced::Changed);
    assert_eq!(announce(1, days(None, Some(today - 1))).await, Announced::Unchanged);
    assert_eq!(origins(&id(1, "1")).await, (1, 2));
    assert_eq!(announce(2, days(None, Some(today - 1))).await, Announced::Changed);
    assert!(!scratch.others(&id(1, "1")).await.contains(&number.to_cx()));
    assert!(scratch.find(by_number(&number)).await.is_empty());
    // Whoever has it from today on is somebody else.
    announce(3, Validity::default()).await;
    assert_eq!(origins(&id(3, "1")).await.0, 0);
    assert_eq!(scratch.find(by_number(&number)).await.len(), 1);
    // What was over before it was ever told is not kept.
    let late = [id(1, "2").into(), Dated { patient: insured("99:1"), validity: days(None, Some(today - 1)) }];
    scratch.index.announce(late, DemographicsChange::default(), None).await.unwrap();
    assert!(scratch.index.show(&id(1, "2")).await.unwrap().records[0].insured.is_empty());
}

#[tokio::test]
async fn a_renewed_number_goes_on() {
    let scratch = Scratch::new();
    let (today, number) = (crate::time::today(), insured("06:138:12:1"));
    let announce = async |domain: u32, number: &PatientId, from, until| {
        let validity = Validity { from, until };
        let told = [id(domain, "1").into(), Dated { patient: number.clone(), validity }];
        let name = ["山田", "ヤマダ", "鈴木"][domain as usize - 1];
        let change = DemographicsChange::set(&person(name, "花子", "19600229"));
        scratch.index.announce(told, change, None).await.unwrap()
    };
    let by_key = async || {
        let shown = scratch.index.show(&id(1, "1")).await.unwrap();
        shown.links.iter().filter(|link| link.origin == Origin::Key).count()
    };
    announce(1, &number, Some(today - 900), Some(today)).await;
    announce(2, &number, Some(today - 900), Some(today)).await;
    assert_eq!(by_key().await, 1);
    for domain in [1, 2] {
        assert_eq!(announce(domain, &number, Some(today + 1), None).await, Announced::Changed);
        assert_eq!(announce(domain, &number, Some(today + 1), None).await, Announced::Unchanged);
        assert_eq!(by_key().await, 1);
        assert_eq!(scratch.find(by_number(&number)).await.len(), 1, "it holds today");
    }
    // Days lie between: that is another time.
    let other = insured("99:1");
    announce(3, &other, Some(today - 9), Some(today)).await;
    assert_eq!(scratch.find(by_number(&other)).await.len(), 1);
    announce(3, &other, Some(today + 2), None).await;
    assert!(scratch.find(by_number(&other)).await.is_empty());
}

#[tokio::test]
async fn a_number_that_is_told_as_over_and_as_current_holds() {
    let scratch = Scratch::new();
    let (today, number) = (crate::time::today(), insured("06:138:12:1"));
    let over = Validity { from: None, until: Some(today - 1) };
    let current = Validity { from: Some(today), until: None };
    for days in [[current, over], [over, current]] {
        let numbers = days.map(|validity| Dated { patient: number.clone(), validity });
        let told = numbers.into_iter().chain([id(1, "1").into()]);
        let change = DemographicsChange::set(&person("山田", "花子", "19600229"));
        scratch.index.announce(told, change, None).await.unwrap();
        assert_eq!(scratch.others(&id(1, "1")).await, [number.to_cx()]);
    }
}

#[tokio::test]
async fn a_merge_keeps_all_days_of_a_number() {
    let scratch = Scratch::new();
    let (today, number) = (crate::time::today(), insured("06:138:12:1"));
    let announce = async |record: &str, from, until| {
        let told =
            [id(1, record).into(), Dated { patient: number.clone(), validity: Validity { from, until } }];
        let change = DemographicsChange::set(&person("山田", "花子", "19600229"));
        scratch.index.announce(told, change, None).await.unwrap()
    };
    announce("a", Some(today - 9), Some(today)).await;
    announce("b", Some(today - 5), None).await;
    announce("c", None, Some(today + 5)).await;
    for subsumed in ["b", "c"] {
        scratch.merge(&id(1, "a"), &id(1, subsumed)).await.unwrap();
        assert_eq!(announce("a", Some(today - 9), None).await, Announced::Unchanged, "{subsumed}");
    }
}

#[tokio::test]
async fn news_of_a_number_is_told() {
    let scratch = Scratch::new();
    let (today, number) = (crate::time::today(), insured("06:138:12:1"));
    let announce = async |from, until| {
        let validity = Validity { from, until };
        let told = [id(1, "1").into(), Dated { patient: number.clone(), validity }];
        let change = DemographicsChange::set(&person("山田", "花子", "19600229"));
        let before = scratch.events().await.len();
        scratch.index.announce(told, change, None).await.unwrap();
        scratch.events().await.split_off(before).into_iter().map(|event| event.kind).collect::<Vec<_>>()
    };
    scratch.announce(&[id(1, "1")], &person("山田", "花子", "19600229")).await;
    let told = |identifiers: &[&PatientId], changed: &[&str]| {
        let identifiers = identifiers.iter().map(|id| (*id).clone()).collect();
        [EventKind::Linked { identifiers, changed: changed.iter().map(|oid| (*oid).to_owned()).collect() }]
    };
    let patient = id(1, "1");
    // It comes, its days change, it goes, and comes again: consumers of its domain are told when it comes or goes, and caches
    // hear of all of it.
    assert_eq!(announce(None, None).await, told(&[&patient, &number], &[INSURED]));
    assert_eq!(announce(None, None).await, []);
    assert_eq!(announce(None, Some(today)).await, told(&[&patient, &number], &[]));
    assert_eq!(announce(None, Some(today - 1)).await, told(&[&patient], &[INSURED]));
    assert_eq!(announce(Some(today), None).await, told(&[&patient, &number], &[INSURED]));
}

fn by_number(number: &PatientId) -> DemographicsQuery {
    let authority = Authority::of_oid(number.authority().as_str());
    let identifier = Identifier { id: number.id().to_owned(), authority, ..Identifier::default() };
    DemographicsQuery { identifiers: vec![identifier], ..Default::default() }
}

#[tokio::test]
async fn what_nothing_reads_any_more_is_not_left_behind() {
    let scratch = Scratch::new();
    let slots = scratch.store.directory().join("identity-keys/1.slots");
    std::fs::write(&slots, "names and births").unwrap();
    let _scratch = scratch.restart();
    assert!(!slots.exists());
}

#[tokio::test]
async fn events_of_long_ago_are_forgotten_some_at_once() {
    let scratch = Scratch::new();
    for record in ["1", "2"] {
        scratch.announce(&[id(1, record)], &person("山田", record, "19600229")).await;
    }
    // So many as were told long since.
    let last = limits::MAX_KEPT_EVENTS / limits::EVENTS_FORGOTTEN_AT_ONCE * limits::EVENTS_FORGOTTEN_AT_ONCE
        + limits::EVENTS_FORGOTTEN_AT_ONCE;
    let moved = scratch.index.write(move |_, tables| {
        let update = "UPDATE identity_event SET event = ?1 WHERE event = ?2";
        Ok(tables.connection.execute(update, [tables.global(last - 2), tables.global(2)])?)
    });
    assert_eq!(moved.await.unwrap(), 1);
    let scratch = scratch.restart();
    let kept = async || scratch.events().await.into_iter().map(|event| event.number).collect::<Vec<_>>();
    scratch.announce(&[id(1, "3")], &person("山田", "3", "19600229")).await;
    assert_eq!(kept().await, [1, last - 2, last - 1]);
    scratch.announce(&[id(1, "4")], &person("山田", "4", "19600229")).await;
    assert_eq!(kept().await, [last - 2, last - 1, last]);
    // From memory, as from the database.
    let behind = async |after| scratch.index.events(after, 1_000).await.unwrap().len();
    assert_eq!([behind(last - 3).await, behind(last - 2).await, behind(last).await], [3, 2, 0]);
}

#[tokio::test]
async fn whoever_waits_for_events_hears_of_them_when_nobody_waits_for_the_acknowledgement() {
    let scratch = Scratch::new();
    let mut told = scratch.index.watch_events();
    let ((begun, has_begun), (go_on, may_go_on)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    let along: Along = Box::new(move |_| {
        let _ = begun.send(());
        let _: Result<(), _> = may_go_on.recv();
        Ok(Ok(()))
    });
    let (index, change) =
        (scratch.index.clone(), DemographicsChange::set(&person("山田", "花子", "19600229")));
    let announcing =
        tokio::spawn(async move { index.announce_along([id(1, "1")], change, None, Some(along)).await });
    tokio::task::spawn_blocking(move || has_begun.recv()).await.unwrap().unwrap();
    announcing.abort();
    assert!(announcing.await.unwrap_err().is_cancelled());
    go_on.send(()).unwrap();
    let patience = std::time::Duration::from_secs(60);
    assert_eq!(*tokio::time::timeout(patience, told.wait_for(|told| *told > 0)).await.unwrap().unwrap(), 1);
    assert_eq!(scratch.events().await.len(), 1);
}
