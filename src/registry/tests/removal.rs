//! ITI-62: what may go, what may not, and that nothing of it is left.

use super::*;
use crate::metadata::codes::association::{APND, RPLC};

impl Hosted {
    pub(super) async fn remove(&self, ids: &[&str]) -> Vec<RegistryError> {
        self.registry.remove(ids.iter().map(|id| (*id).to_owned()).collect()).await.unwrap()
    }
    /// Removes what must not go; the codes of its errors, each once.
    async fn keeps(&self, ids: &[&str]) -> Vec<String> {
        let before = self.dump();
        let errors = self.remove(ids).await;
        assert_eq!(self.dump(), before, "a refused removal changed something");
        let mut codes: Vec<_> = errors.into_iter().map(|error| error.code.into_owned()).collect();
        codes.sort();
        codes.dedup();
        codes
    }
    async fn goes(&self, ids: &[&str]) {
        assert_eq!(self.remove(ids).await, []);
        for id in ids {
            assert_eq!(self.find(GET_ASSOCIATIONS, &[("$uuid", &quoted(&[id]))]).await, Vec::<String>::new());
            assert_eq!(
                self.find(GET_DOCUMENTS, &[("$XDSDocumentEntryEntryUUID", &quoted(&[id]))]).await,
                Vec::<String>::new()
            );
        }
    }
}

/// A submission whose objects all have entryUUIDs, so that a test can name them.
pub(super) struct Named {
    pub(super) draft: Draft,
    set: String,
    /// Entries, folders and associations in their order.
    others: Vec<String>,
}

pub(super) fn named(draft: Draft) -> Named {
    let ids: Vec<_> = draft
        .objects
        .iter()
        .map(|object| match object.id.starts_with("urn:uuid:") {
            true => object.id.clone(),
            false => uuid(),
        })
        .collect();
    let names: Vec<_> = draft.objects.iter().map(|object| object.id.clone()).collect();
    let rename = |id: &mut String| {
        if let Some(place) = names.iter().position(|name| name == id) {
            id.clone_from(&ids[place]);
        }
    };
    let mut draft = draft;
    for object in &mut draft.objects {
        rename(&mut object.id);
        if let Some(association) = &mut object.association {
            rename(&mut association.source);
            rename(&mut association.target);
        }
        for classification in &mut object.classifications {
            classification.classified_object = Some(object.id.clone());
        }
        for identifier in &mut object.external_identifiers {
            identifier.registry_object = Some(object.id.clone());
        }
    }
    let mut ids = ids.into_iter();
    Named { draft, set: ids.next().unwrap(), others: ids.collect() }
}

#[tokio::test]
async fn a_submission_goes_with_everything_that_only_it_holds() {
    let hosted = Hosted::new();
    let empty = hosted.dump();
    let Named { draft, set, others } = named(Draft::new().entry(entry("e")).folder("f").put("f", "e"));
    hosted.accept(&draft).await;
    let all: Vec<_> = others.iter().chain([&set]).map(String::as_str).collect();
    assert_eq!(all.len(), 7);
    hosted.goes(&all).await;
    // The tenant and its patient are all that is left.
    assert_eq!(hosted.dump().len(), empty.len() + 2);
    // Nothing remembers it: it can be submitted again.
    hosted.accept(&draft).await;
    assert_eq!(hosted.dump().iter().filter(|row| row.starts_with("registry_object")).count(), 7);
}

#[tokio::test]
async fn what_is_unknown_or_referred_to_or_left_alone_is_not_removed() {
    let hosted = Hosted::new();
    let Named { draft, set, others } = named(Draft::new().entry(entry("e")).folder("f"));
    let [entry, in_set, folder, folder_in_set] = [0, 1, 2, 3].map(|place| others[place].as_str());
    hosted.accept(&draft).await;
    for (ids, expected) in [
        (vec![uuid().leak() as &str], vec![code::UNRESOLVED_REFERENCE]),
        (vec!["no-uuid"], vec![code::UNRESOLVED_REFERENCE]),
        (vec![entry], vec![code::REFERENCES_EXIST]),
        (vec![folder], vec![code::REFERENCES_EXIST]),
        (vec![&set], vec![code::REFERENCES_EXIST]),
        // The entry would stand alone; the set still has the folder.
        (vec![in_set], vec![code::UNREFERENCED_OBJECT]),
        (vec![entry, in_set, folder, folder_in_set], vec![code::UNREFERENCED_OBJECT]),
        (
            vec![entry, folder_in_set, "no-uuid"],
            vec![code::REFERENCES_EXIST, code::UNRESOLVED_REFERENCE, code::UNREFERENCED_OBJECT],
        ),
    ] {
        assert_eq!(hosted.keeps(&ids).await, expected, "{ids:?}");
    }
    // A part may go where the rest is still whole.
    hosted.goes(&[entry, in_set]).await;
    assert_eq!(hosted.find(GET_FOLDERS, &[("$XDSFolderEntryUUID", &quoted(&[folder]))]).await, [folder]);
}

#[tokio::test]
async fn an_entry_stays_in_a_submission_set() {
    let hosted = Hosted::new();
    let Named { draft, others, set } = named(Draft::new().entry(entry("e")).folder("f"));
    hosted.accept(&draft).await;
    let (entry, in_set, folder, folder_in_set) = (&others[0], &others[1], &others[2], &others[3]);
    hosted.accept(&Draft::new().put(folder, entry)).await;
    // The folder holds both of them, and no set would hold them any more.
    assert_eq!(hosted.keeps(&[&set, in_set, folder_in_set]).await, [code::METADATA_MODEL]);
    // Another set that refers to the entry is enough.
    let reference = views::has_member("set", entry, Membership::Reference);
    hosted.accept(&Draft::new().object(reference)).await;
    hosted.goes(&[in_set]).await;
}

#[tokio::test]
async fn what_a_removed_entry_replaced_stays_deprecated() {
    let hosted = Hosted::new();
    let original = uuid();
    hosted.accept(&Draft::new().entry(entry(&original))).await;
    let Named { draft, set, others } = named(Draft::new().entry(entry("r")).relate(RPLC, "r", &original));
    hosted.accept(&draft).await;
    let relation = others[2].clone();
    let all: Vec<_> = others.iter().chain([&set]).map(String::as_str).collect();
    hosted.goes(&all).await;
    assert_eq!(hosted.status(&original), "Deprecated");
    assert_eq!(
        hosted
            .find(
                GET_RELATED,
                &[
                    ("$XDSDocumentEntryEntryUUID", &quoted(&[&original])),
                    ("$AssociationTypes", &quoted(&[RPLC]))
                ]
            )
            .await,
        Vec::<String>::new()
    );
    assert_eq!(hosted.keeps(&[&relation]).await, [code::UNRESOLVED_REFERENCE]);
}

/// A submission of which a part is gone is no longer answered as if all of it were there.
#[tokio::test]
async fn what_was_removed_in_part_is_not_replayed() {
    let hosted = Hosted::new();
    let Named { draft, others, .. } = named(Draft::new().entry(entry("e")).entry(entry("f")));
    hosted.accept(&draft).await;
    assert!(matches!(hosted.register(&draft).await, Registered::Replayed(_)));
    hosted.goes(&[&others[0], &others[1]]).await;
    let errors = hosted.refuse(&draft).await;
    assert!(errors.iter().any(|error| error.code == code::DUPLICATE_UNIQUE_ID_IN_REGISTRY), "{errors:?}");
}

#[tokio::test]
async fn another_tenants_objects_are_unknown() {
    let hosted = Hosted::new();
    let Named { draft, set, others } = named(Draft::new().entry(entry("e")));
    hosted.accept(&draft).await;
    let neighbour =
        Registry::new(hosted.store.clone(), Tenant("urn:oid:9".into()), RegistrySettings::default());
    let all: Vec<_> = others.iter().chain([&set]).cloned().collect();
    let before = hosted.dump();
    let errors = neighbour.remove(all).await.unwrap();
    assert_eq!(errors.len(), 3);
    assert!(errors.iter().all(|error| error.code == code::UNRESOLVED_REFERENCE));
    assert_eq!(hosted.dump(), before);
}

#[tokio::test]
async fn addenda_hold_what_they_are_added_to() {
    let hosted = Hosted::new();
    let Named { draft, set, others } = named(Draft::new().entry(entry("e")));
    hosted.accept(&draft).await;
    hosted.accept(&Draft::new().entry(entry("a")).relate(APND, "a", &others[0])).await;
    let all: Vec<_> = others.iter().chain([&set]).map(String::as_str).collect();
    assert_eq!(hosted.keeps(&all).await, [code::REFERENCES_EXIST]);
}

/// Age counts in days that were noted: what a clock that is wrong by a day says of them ends nothing early, and what it
/// noted ahead of time is old enough a day later.
#[tokio::test]
async fn attack_64_a_clock_that_jumps_by_a_day_ends_nothing_before_its_time() {
    let hosted = Hosted::new();
    let aged = async |days| {
        let age = Age { days, class: None, standing: Standing::Any };
        hosted.registry.aged(age, 0).await.unwrap().entries.len()
    };
    let shift = async |days: i64| {
        let shift = move |connection: &Connection| {
            // By way of where none is: the days are a key.
            for days in [10_000 + days, -10_000] {
                connection.execute("UPDATE registry_day SET day = day + ?1", [days])?;
            }
            Ok(())
        };
        hosted.store.write(shift).await.unwrap();
    };
    hosted.accept(&Draft::new().entry(entry("Document01"))).await;
    assert_eq!((aged(0).await, aged(1).await), (1, 0));
    // The clock was a day ahead, and is set right.
    shift(1).await;
    assert_eq!(aged(0).await, 0, "it is not taken in yet");
    hosted.accept(&Draft::new().entry(entry("Document02"))).await;
    assert_eq!(aged(0).await, 0, "what came before it is younger");
    shift(-1).await;
    assert_eq!((aged(0).await, aged(1).await), (2, 0), "a day later");
    // The clock falls back by a day: nobody is older than before, and who comes now is not older than who came before.
    shift(-1).await;
    assert_eq!((aged(1).await, aged(2).await), (2, 0));
    shift(2).await;
    hosted.accept(&Draft::new().entry(entry("Document03"))).await;
    assert_eq!(aged(1).await, 0);
    shift(-2).await;
    assert_eq!((aged(1).await, aged(2).await), (3, 0));
}
