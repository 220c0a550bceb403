use super::*;
use crate::identity::index::{Cause, Refused, Ruling};

async fn three() -> Scratch {
    let scratch = Scratch::new();
    let hanako = person("山田", "花子", "19600229");
    scratch.announce(&[id(1, "a")], &hanako).await;
    scratch.announce(&[id(2, "b")], &hanako).await;
    scratch.announce(&[id(3, "c")], &person("鈴木", "一郎", "19731022")).await;
    scratch
}

async fn rule(scratch: &Scratch, ruling: Ruling) -> Result<u64, Refused> {
    scratch.index.rule(ruling, "関所 守").await.unwrap()
}

#[tokio::test]
async fn what_an_operator_parts_the_matcher_does_not_join_again() {
    let scratch = three().await;
    let unlink = rule(&scratch, Ruling::Unlink(id(2, "b"))).await.unwrap();
    assert!(scratch.others(&id(1, "a")).await.is_empty());
    let mut hanako = person("山田", "花子", "19600229");
    hanako.names.push(named("ヤマダ", "ハナコ"));
    scratch.announce(&[id(2, "b")], &hanako).await;
    assert!(scratch.others(&id(1, "a")).await.is_empty());
    assert_eq!(rule(&scratch, Ruling::Link(id(1, "a"), id(2, "b"))).await, Err(Refused::HeldApart));
    // Undone, the matcher's link is there again.
    let undo = rule(&scratch, Ruling::Undo(unlink)).await.unwrap();
    assert_eq!(scratch.others(&id(1, "a")).await, ["b^^^&1.2.2&ISO"]);
    assert_eq!(rule(&scratch, Ruling::Undo(unlink)).await, Err(Refused::NoDecision));
    rule(&scratch, Ruling::Undo(undo)).await.unwrap();
    assert!(scratch.others(&id(1, "a")).await.is_empty());
    rule(&scratch, Ruling::Merge(id(1, "a"), id(2, "b"))).await.unwrap();
    assert_eq!(scratch.others(&id(1, "a")).await, ["b^^^&1.2.2&ISO"]);
}

#[tokio::test]
async fn an_undone_merge_parts_whom_matching_joined_since() {
    let scratch = three().await;
    rule(&scratch, Ruling::Unlink(id(2, "b"))).await.unwrap();
    let merge = rule(&scratch, Ruling::Merge(id(1, "a"), id(2, "b"))).await.unwrap();
    // While no bar holds them apart, a message lets the matcher link them.
    let mut hanako = person("山田", "花子", "19600229");
    hanako.names.push(named("ヤマダ", "ハナコ"));
    scratch.announce(&[id(2, "b")], &hanako).await;
    assert_eq!(scratch.index.show(&id(1, "a")).await.unwrap().links.len(), 2);
    rule(&scratch, Ruling::Undo(merge)).await.unwrap();
    assert!(scratch.others(&id(1, "a")).await.is_empty());
    assert!(scratch.others(&id(2, "b")).await.is_empty());
}

#[tokio::test]
async fn an_operators_link_stands_until_it_is_undone() {
    let scratch = three().await;
    let link = rule(&scratch, Ruling::Link(id(3, "c"), id(2, "b"))).await.unwrap();
    assert_eq!(rule(&scratch, Ruling::Link(id(3, "c"), id(2, "b"))).await, Err(Refused::Already));
    assert_eq!(scratch.others(&id(1, "a")).await.len(), 2);
    scratch.announce(&[id(3, "c")], &person("鈴木", "次郎", "19731022")).await;
    assert_eq!(scratch.others(&id(1, "a")).await.len(), 2);
    let shown = scratch.index.show(&id(3, "c")).await.unwrap();
    assert_eq!((shown.records.len(), shown.links.len(), shown.decisions.len()), (3, 2, 1));
    rule(&scratch, Ruling::Undo(link)).await.unwrap();
    assert!(scratch.others(&id(3, "c")).await.is_empty());
    assert_eq!(scratch.others(&id(1, "a")).await, ["b^^^&1.2.2&ISO"]);
}

#[tokio::test]
async fn an_undo_follows_what_a_source_merged_since() {
    let scratch = three().await;
    let link = rule(&scratch, Ruling::Link(id(3, "c"), id(2, "b"))).await.unwrap();
    scratch.announce(&[id(3, "d")], &person("鈴木", "三郎", "19731022")).await;
    scratch.merge(&id(3, "d"), &id(3, "c")).await.unwrap();
    assert_eq!(scratch.others(&id(3, "d")).await.len(), 2);
    rule(&scratch, Ruling::Undo(link)).await.unwrap();
    assert!(scratch.others(&id(3, "d")).await.is_empty());
    assert!(matches!(scratch.index.corresponding(&id(3, "c")).await, Err(IndexError::Subsumed(_))));
}

#[tokio::test]
async fn wrong_rulings_change_nothing() {
    let scratch = three().await;
    let before = scratch.events().await;
    let wrong = [
        (Ruling::Link(id(1, "a"), id(1, "a")), Refused::Same),
        (Ruling::Link(id(1, "a"), id(1, "z")), Refused::Unknown(id(1, "z"))),
        (Ruling::Unlink(id(3, "c")), Refused::Already),
        (Ruling::Undo(7), Refused::NoDecision),
    ];
    for (ruling, refused) in wrong {
        assert_eq!(rule(&scratch, ruling).await, Err(refused));
    }
    assert_eq!(scratch.events().await, before);
}

#[tokio::test]
async fn an_undo_puts_back_no_link_that_would_not_be_found_any_more() {
    let scratch = three().await;
    let unlink = rule(&scratch, Ruling::Unlink(id(2, "b"))).await.unwrap();
    // Whom the identifier stands for was a mistake of its source.
    scratch.announce(&[id(1, "a")], &person("鈴木", "一郎", "19731022")).await;
    rule(&scratch, Ruling::Undo(unlink)).await.unwrap();
    assert!(!scratch.others(&id(2, "b")).await.contains(&id(1, "a").to_cx()));
    assert_eq!(scratch.others(&id(1, "a")).await, ["c^^^&1.2.3&ISO"]);
}

#[tokio::test]
async fn what_later_decisions_changed_again_is_taken_back_from_behind() {
    let scratch = three().await;
    let link = rule(&scratch, Ruling::Link(id(3, "c"), id(2, "b"))).await.unwrap();
    let unlink = rule(&scratch, Ruling::Unlink(id(3, "c"))).await.unwrap();
    let merge = rule(&scratch, Ruling::Merge(id(3, "c"), id(2, "b"))).await.unwrap();
    for earlier in [link, unlink] {
        assert_eq!(rule(&scratch, Ruling::Undo(earlier)).await, Err(Refused::Later(merge)));
    }
    assert_eq!(scratch.others(&id(3, "c")).await.len(), 2);
    let undo = rule(&scratch, Ruling::Undo(merge)).await.unwrap();
    assert!(scratch.others(&id(3, "c")).await.is_empty());
    // Brought back, it stands in the way again.
    let again = rule(&scratch, Ruling::Undo(undo)).await.unwrap();
    assert_eq!(rule(&scratch, Ruling::Undo(unlink)).await, Err(Refused::Later(merge)));
    let shown = scratch.index.show(&id(3, "c")).await.unwrap().decisions;
    let undone: Vec<_> =
        shown.iter().filter_map(|decision| Some((decision.number, decision.undone?))).collect();
    assert_eq!(undone, [(undo, again)]);
    let undoes: Vec<_> =
        shown.iter().filter_map(|decision| Some((decision.number, decision.undoes?))).collect();
    assert_eq!(undoes, [(undo, merge), (again, undo)]);
    // By its own number, as the refusal says.
    rule(&scratch, Ruling::Undo(merge)).await.unwrap();
    assert_eq!(rule(&scratch, Ruling::Undo(merge)).await, Err(Refused::NoDecision));
    rule(&scratch, Ruling::Undo(unlink)).await.unwrap();
    assert_eq!(scratch.others(&id(3, "c")).await.len(), 2);
    rule(&scratch, Ruling::Undo(link)).await.unwrap();
    assert!(scratch.others(&id(3, "c")).await.is_empty());
    assert_eq!(scratch.others(&id(1, "a")).await, ["b^^^&1.2.2&ISO"]);
}

async fn asked(scratch: &Scratch) -> Vec<Cause> {
    scratch.index.reviews(0, 10).await.unwrap().into_iter().map(|review| review.cause).collect()
}

#[tokio::test]
async fn whom_an_undone_bar_had_kept_apart_is_looked_at_again() {
    let hanako = person("山田", "花子", "19600229");
    // One turns out to be her, one looks like her twin: people decide about that, once nobody has decided any more.
    for (now, linked, reviews) in [("花子", 1, &[][..]), ("良子", 0, &[Cause::Unsure])] {
        let scratch = Scratch::new();
        scratch.announce(&[id(1, "a")], &hanako).await;
        scratch.announce(&[id(3, "c")], &person("鈴木", "一郎", "19731022")).await;
        let part = rule(&scratch, Ruling::Part(id(1, "a"), id(3, "c"))).await.unwrap();
        scratch.announce(&[id(3, "c")], &person("山田", now, "19600229")).await;
        let mut last = part;
        for bar in [true, false, true, false] {
            let others = scratch.others(&id(1, "a")).await.len();
            match bar {
                true => assert_eq!((others, asked(&scratch).await), (0, Vec::new()), "{now}"),
                false => assert_eq!((others, &asked(&scratch).await[..]), (linked, reviews), "{now}"),
            }
            last = rule(&scratch, Ruling::Undo(last)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn others_who_stood_back_behind_a_bar_are_linked_when_it_is_undone() {
    let scratch = three().await;
    let part = rule(&scratch, Ruling::Part(id(1, "a"), id(3, "c"))).await.unwrap();
    let hanako = person("山田", "花子", "19600229");
    scratch.announce(&[id(2, "d")], &hanako).await;
    assert_eq!(scratch.others(&id(1, "a")).await.len(), 2);
    // She can be one person with them only if she is one with whom she is held apart from.
    scratch.announce(&[id(3, "c")], &hanako).await;
    assert!(!scratch.others(&id(1, "a")).await.contains(&id(3, "c").to_cx()));
    assert!(!asked(&scratch).await.is_empty());
    rule(&scratch, Ruling::Undo(part)).await.unwrap();
    assert_eq!(scratch.others(&id(1, "a")).await.len(), 3);
    assert!(asked(&scratch).await.is_empty());
}

#[tokio::test]
async fn what_a_source_declared_in_spite_of_a_bar_holds_when_it_is_undone() {
    let scratch = three().await;
    let part = rule(&scratch, Ruling::Part(id(1, "a"), id(3, "c"))).await.unwrap();
    let ids = vec![id(1, "a"), id(3, "c")];
    scratch.index.announce(ids, DemographicsChange::default(), None).await.unwrap();
    assert_eq!(asked(&scratch).await, [Cause::Declared]);
    assert!(scratch.others(&id(3, "c")).await.is_empty());
    let undo = rule(&scratch, Ruling::Undo(part)).await.unwrap();
    assert_eq!(scratch.others(&id(3, "c")).await.len(), 2);
    assert!(asked(&scratch).await.is_empty());
    let again = rule(&scratch, Ruling::Undo(undo)).await.unwrap();
    assert!(scratch.others(&id(3, "c")).await.is_empty());
    assert_eq!(asked(&scratch).await, [Cause::Declared]);
    rule(&scratch, Ruling::Undo(again)).await.unwrap();
    assert_eq!(scratch.others(&id(3, "c")).await.len(), 2);
}

/// Numbers of the open reviews.
async fn numbers(scratch: &Scratch) -> Vec<u64> {
    scratch.index.reviews(0, 10).await.unwrap().into_iter().map(|review| review.number).collect()
}

/// Somebody has written a number down and decides by it a day later.
#[tokio::test]
async fn a_review_keeps_its_number_and_no_other_gets_it() {
    let scratch = Scratch::new();
    let twin = |given: &str| person("山田", given, "19600229");
    scratch.announce(&[id(1, "a")], &twin("花子")).await;
    scratch.announce(&[id(2, "b")], &twin("良子")).await;
    assert_eq!(numbers(&scratch).await, [1]);
    let decided = rule(&scratch, Ruling::Part(id(1, "a"), id(2, "b"))).await.unwrap();
    assert!(numbers(&scratch).await.is_empty());
    scratch.announce(&[id(1, "c")], &person("鈴木", "一郎", "19731022")).await;
    scratch.announce(&[id(2, "d")], &person("鈴木", "次郎", "19731022")).await;
    assert_eq!(numbers(&scratch).await, [2]);
    assert_eq!(scratch.index.reviewed(1).await.unwrap(), None);
    let scratch = scratch.restart();
    let undo = rule(&scratch, Ruling::Undo(decided)).await.unwrap();
    assert_eq!(numbers(&scratch).await, [1, 2]);
    assert_eq!(scratch.index.reviewed(1).await.unwrap(), Some((id(2, "b"), id(1, "a"))));
    rule(&scratch, Ruling::Undo(undo)).await.unwrap();
    assert_eq!(numbers(&scratch).await, [2]);
    rule(&scratch, Ruling::Undo(decided)).await.unwrap();
    assert_eq!(numbers(&scratch).await, [1, 2]);
    // What a message withdrew is another question when it is asked again.
    scratch.announce(&[id(2, "b")], &person("佐藤", "健", "19890101")).await;
    scratch.announce(&[id(2, "b")], &twin("良子")).await;
    assert!(!numbers(&scratch).await.contains(&1));
}
