//! Replacements, addenda, transforms, signatures, snapshots, and folders: what each does to what is there.

use sekisho::metadata::codes::association::{
    APND, IS_SNAPSHOT_OF, RPLC, SIGNS, UPDATE_AVAILABILITY_STATUS, XFRM, XFRM_RPLC,
};
use sekisho::metadata::codes::{self, scheme, slot};
use sekisho::metadata::views::association;
use sekisho::time;
use sekisho::transactions::errors::{Status, code};
use sekisho::transactions::iti42::ITI42;
use sekisho::transactions::iti57::ITI57;
use sekisho::transactions::iti61::ITI61;

use super::{documented, everything, good, hosted, links, objects_of, status};
use crate::support::draft::{Draft, PATIENT, id};
use crate::support::hosted::{Standalone, codes_of};
use crate::support::submissions::oid;

/// The next second has begun.
async fn a_second_later() {
    let now = time::now_dtm();
    while time::now_dtm() == now {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn last_update(hosted: &Standalone, folder: &str) -> String {
    hosted.object(folder).await.slot_value(slot::LAST_UPDATE_TIME).unwrap().to_owned()
}

/// 3.42.4.1.3.5: what a replacement does, by either type of it.
#[tokio::test]
async fn a_replacement_deprecates_original_and_children_and_joins_the_folders() {
    for relation in [RPLC, XFRM_RPLC] {
        let hosted = hosted().await;
        hosted
            .accept(
                &Draft::new("children")
                    .entries(&["addendum", "transform", "signature", "deep"])
                    .relate(APND, "addendum", "+", "stored")
                    .relate(XFRM, "transform", "~", "stored")
                    .relate(SIGNS, "signature", "!", "stored")
                    .relate(APND, "deep", "+", "transform"),
            )
            .await;
        let before = last_update(&hosted, "chart").await;
        a_second_later().await;
        hosted.accept(&good().relate(relation, "entry", "/", "stored")).await;
        for (name, expected) in [
            ("stored", "Deprecated"),
            ("addendum", "Deprecated"),
            ("transform", "Deprecated"),
            ("deep", "Deprecated"),
            ("signature", "Approved"),
            ("entry", "Approved"),
            ("chart", "Approved"),
        ] {
            assert_eq!(status(&hosted.object(name).await), expected, "{name} after {relation}");
        }
        let of_folder = links(&hosted, "('{chart}')").await;
        let member =
            |source: &str, target: &str| (source.to_owned(), "HasMember".to_owned(), target.to_owned());
        let expected = [member("chart", "entry"), member("chart", "stored"), member("first", "chart")];
        assert_eq!(of_folder, expected);
        // The replacement's set says that it was its submission that put it there.
        let of_set = links(&hosted, "('{set}')").await;
        let linking = of_set.iter().filter(|(_, _, target)| target.starts_with("urn:uuid:")).count();
        assert_eq!((of_set.len(), linking), (2, 1), "{of_set:?}");
        assert!(last_update(&hosted, "chart").await > before);
        hosted.stop().await;
    }
}

/// The original's folder is named by the replacement's submission too: it goes there once.
#[tokio::test]
async fn a_replacement_that_puts_itself_into_the_folder_is_there_once() {
    let hosted = hosted().await;
    hosted.accept(&good().relate(RPLC, "entry", "/", "stored").put("chart", "entry")).await;
    let of_folder = links(&hosted, "('{chart}')").await;
    assert_eq!(of_folder.iter().filter(|(_, _, target)| target == "entry").count(), 1, "{of_folder:?}");
    hosted.stop().await;
}

/// A membership that Metadata Update has ended is none: the replacement does not come back into that folder.
#[tokio::test]
async fn a_replacement_joins_no_folder_that_its_original_has_left() {
    let hosted = hosted().await;
    let mut leave = association(UPDATE_AVAILABILITY_STATUS, &id("leaving"), &id("chart>stored"));
    leave.set_slot(slot::ORIGINAL_STATUS, vec![codes::APPROVED.to_owned()]);
    leave.set_slot(slot::NEW_STATUS, vec![codes::DEPRECATED.to_owned()]);
    let leaving = Draft::new("leaving").object(leave).submission();
    assert_eq!(hosted.register(&ITI57, &leaving).await.errors, []);
    hosted.accept(&good().relate(RPLC, "entry", "/", "stored")).await;
    let of_folder = links(&hosted, "('{chart}')").await;
    assert_eq!(of_folder, [("first".to_owned(), "HasMember".to_owned(), "chart".to_owned())]);
    hosted.stop().await;
}

/// 3.42.4.1.3.5: addenda, transforms and signatures of what is submitted and of what is there leave it as it is.
#[tokio::test]
async fn other_relationships_change_nothing() {
    let hosted = hosted().await;
    let draft = Draft::new("set")
        .entries(&["entry", "addendum", "transform", "signature"])
        .relate(APND, "addendum", "+", "entry")
        .relate(XFRM, "transform", "~", "entry")
        .relate(SIGNS, "signature", "!", "entry")
        .relate(APND, "addendum", "+", "stored")
        .relate(XFRM, "transform", "~", "stored")
        .relate(SIGNS, "signature", "!", "stored");
    hosted.accept(&draft).await;
    for name in ["entry", "addendum", "transform", "signature", "stored"] {
        assert_eq!(status(&hosted.object(name).await), "Approved", "{name}");
    }
    // Documentation of an association comes back (TF-3 4.2.2.2).
    let replaces = documented(association(RPLC, &id("again"), &id("stored")));
    let known = replaces.id.clone();
    hosted.accept(&Draft::new("more").entries(&["again"]).object(replaces)).await;
    let stored = objects_of(&hosted, PATIENT).await;
    let documented = stored.iter().find(|object| object.id == known).unwrap();
    let documentation = documented.classified(scheme::ASSOCIATION_DOCUMENTATION).next().unwrap();
    assert_eq!(documentation.node_representation.as_deref(), Some("correction"));
    hosted.stop().await;
}

/// 3.42.4.1.3.5: a snapshot of an on-demand entry.
#[tokio::test]
async fn a_snapshot_is_of_an_on_demand_entry() {
    let hosted = hosted().await;
    let on_demand = Draft::new("offer").on_demand("summary").submission();
    assert_eq!(hosted.register(&ITI61, &on_demand).await.errors, []);
    hosted.accept(&good().relate(IS_SNAPSHOT_OF, "entry", "@", "summary")).await;
    let of_entry = links(&hosted, "('{entry}')").await;
    assert!(of_entry.contains(&("entry".to_owned(), "IsSnapshotOf".to_owned(), "summary".to_owned())));
    hosted.stop().await;
}

/// 3.42.4.1.3.6: every folder into which an entry comes is of now, whatever was sent; a refused submission moves none.
#[tokio::test]
async fn folders_are_of_the_time_of_their_last_entry() {
    let hosted = hosted().await;
    let before = last_update(&hosted, "chart").await;
    a_second_later().await;
    let refused = good().put("chart", "entry").put("chart", "old");
    assert_eq!(hosted.register(&ITI42, &refused.submission()).await.status, Status::Failure);
    assert_eq!(last_update(&hosted, "chart").await, before);
    let now = time::now_dtm();
    let draft = Draft::new("set")
        .entries(&["entry"])
        .folder("fresh", &["F"])
        .change("fresh", |folder| folder.set_slot(slot::LAST_UPDATE_TIME, vec!["20000101000000".to_owned()]))
        .put("fresh", "entry")
        .put("fresh", "stored")
        .put("chart", "new");
    hosted.accept(&draft).await;
    for folder in ["fresh", "chart"] {
        assert!(last_update(&hosted, folder).await >= now, "{folder}");
    }
    hosted.stop().await;
}

/// Of two who replace one document at once, exactly one wins, and the other is told that it came too late.
#[tokio::test]
async fn attack_55_of_concurrent_replacements_exactly_one_wins() {
    let hosted = Standalone::start(&[]).await;
    for round in 0..5 {
        let original = format!("original{round}");
        hosted.accept(&Draft::new(&format!("set{round}")).entries(&[&original])).await;
        let rivals: Vec<_> = (0..8)
            .map(|rival| {
                let entry = format!("rival{round}.{rival}");
                let set = format!("set{round}.{rival}");
                let draft = Draft::new(&set).entries(&[&entry]).relate(RPLC, &entry, "/", &original);
                draft.unique_id(&set, &oid()).submission()
            })
            .collect();
        let answers =
            futures_util::future::join_all(rivals.iter().map(|one| hosted.register(&ITI42, one))).await;
        let lost: Vec<_> = answers.iter().filter(|answer| answer.status == Status::Failure).collect();
        assert_eq!(lost.len(), 7, "round {round}");
        assert!(lost.iter().all(|answer| codes_of(answer) == [code::REGISTRY_DEPRECATED_DOCUMENT]));
        let approved = hosted.entries_of(PATIENT).await;
        assert_eq!(approved.len(), round + 1);
    }
    hosted.stop().await;
}

/// Associations in a circle end: when a document of the circle is replaced, and when it is asked for.
#[tokio::test]
async fn attack_55_circles_end() {
    let hosted = Standalone::start(&[]).await;
    let circle = ["one", "two", "three"];
    let draft = Draft::new("circle")
        .entries(&circle)
        .relate(APND, "one", "+", "two")
        .relate(XFRM, "two", "~", "three")
        .relate(APND, "three", "+", "one");
    hosted.accept(&draft).await;
    hosted.accept(&good().relate(RPLC, "entry", "/", "two")).await;
    for name in circle {
        assert_eq!(status(&hosted.object(name).await), "Deprecated", "{name}");
    }
    assert_eq!(everything(&hosted, PATIENT).await.status, Status::Success);
    hosted.stop().await;
}
