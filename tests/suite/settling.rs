//! `sekisho check --store`: what does not fit together is told, little of it settled at once, much of it only on a word.

use sekisho::metadata::{Kind, codes::identifier};
use sekisho::transactions::iti61::ITI61;

use crate::support::certs::TempDir;
use crate::support::hosted::{REPOSITORY, Standalone};
use crate::support::postgres;
use crate::support::program::run;
use crate::support::submissions::{Document, named, oid, on_demand, submission};

const PATIENT: &str = "1^^^&1.2.3&ISO";

/// Runs `check --store` on a folder; gives exit code and what it told.
fn check(folder: &TempDir, more: &[&str]) -> (i32, String) {
    let config = folder.path().join("sekisho.toml");
    let database = postgres::setting_for(folder.path());
    let mut arguments = [&["check", "--config", config.to_str().unwrap(), "--store"], more].concat();
    arguments.extend(database.iter().flat_map(|setting| ["--set", setting]));
    let (exit, told, log) = run(&arguments, "");
    (exit, told + &log)
}

/// Submits documents, then removes the bytes of some and the metadata of others. There is an on-demand entry too, which has
/// no document and needs none.
async fn damaged(entries: usize, documents: usize) -> std::sync::Arc<TempDir> {
    let standalone = Standalone::start(&[]).await;
    assert_eq!(standalone.register(&ITI61, &on_demand(PATIENT, &oid())).await.errors, []);
    let mut unique_ids = Vec::new();
    for _ in 0..entries + 2 {
        let document = Document::new(100);
        let said = submission(PATIENT, std::slice::from_ref(&document));
        let answer = standalone.submit(&said, vec![("Document0".to_owned(), document.bytes())]).await;
        assert_eq!(answer.errors, []);
        unique_ids.push(document.unique_id);
    }
    let gone: Vec<_> = unique_ids[..entries].iter().map(|document| (REPOSITORY, &**document)).collect();
    assert_eq!(standalone.remove_documents(&gone).await.errors, []);
    for _ in 0..documents {
        let document = Document::new(100);
        let said = named(submission(PATIENT, std::slice::from_ref(&document)));
        let ids = said.objects.iter().map(|object| object.id.clone()).collect();
        let entry = said.objects.iter().find(|object| object.kind == Kind::DocumentEntry).unwrap();
        assert!(entry.identifier(identifier::DE_UNIQUE_ID).is_some());
        let sent = vec![(entry.id.clone(), document.bytes())];
        assert_eq!(standalone.submit(&said, sent).await.errors, []);
        assert_eq!(standalone.remove(ids).await.errors, []);
    }
    standalone.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn little_is_settled_at_once() {
    let folder = damaged(2, 1).await;
    let (exit, told) = check(&folder, &[]);
    assert!(exit == 1 && told.contains("2: approved entries without document"), "{told}");
    assert!(told.contains("1: documents without metadata"), "{told}");
    let (exit, told) = check(&folder, &["--settle"]);
    assert!(exit == 0 && told.contains("Settled: entries deprecated, documents removed."), "{told}");
    let (exit, told) = check(&folder, &["--settle"]);
    assert!(exit == 0 && told.contains("Everything is in order."), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn much_is_settled_only_by_those_who_know_how_much() {
    let folder = damaged(12, 2).await;
    for (more, expected) in [
        (
            &["--settle"][..],
            "Nothing was changed: these are 14 changes. If they are right, say --settle --confirm 14",
        ),
        (&["--settle", "--confirm", "12"][..], "Nothing was changed: there are 14 changes to make, not 12."),
    ] {
        let (exit, told) = check(&folder, more);
        assert!(exit == 1 && told.contains(expected), "{told}");
    }
    let (_, told) = check(&folder, &[]);
    assert!(told.contains("12: approved entries without document"), "nothing was changed: {told}");
    let (exit, told) = check(&folder, &["--settle", "--confirm", "14"]);
    assert!(exit == 0 && told.contains("Settled"), "{told}");
    assert_eq!(check(&folder, &[]).0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_settled_while_documents_are_away() {
    let folder = damaged(1, 1).await;
    std::fs::remove_dir_all(folder.path().join("data/segments")).unwrap();
    let (exit, told) = check(&folder, &["--settle"]);
    assert!(exit == 1 && told.contains("Nothing was changed: documents may be away"), "{told}");
    let (_, told) = check(&folder, &[]);
    assert!(told.contains("1: approved entries without document"), "{told}");
}
