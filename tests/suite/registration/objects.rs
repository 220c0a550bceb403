//! What the registry makes of the objects that it takes: their ids, versions and statuses, extra metadata, objects that are
//! there already.

use sekisho::metadata::codes::association::APND;
use sekisho::metadata::codes::{self, slot};
use sekisho::metadata::rim::Object;
use sekisho::metadata::views::association;
use sekisho::metadata::{Kind, Slot};
use sekisho::transactions::errors::code;
use sekisho::transactions::iti42::ITI42;

use super::{everything, good, hosted, links, objects_of};
use crate::support::draft::{Draft, PATIENT, id};
use crate::support::hosted::{Standalone, codes_of};
use crate::support::submissions::{Document, submission};

/// 3.42.4.1.3.7, 3.42.4.1.3.3.5, TF-3 4.2.3.1.5: symbolic ids become UUIDs everywhere, given ones stay, and the registry
/// says lid, version and status itself.
#[tokio::test]
async fn ids_versions_and_statuses_are_the_registrys() {
    let hosted = Standalone::start(&[]).await;
    let mut symbolic = submission(PATIENT, &[Document::new(0), Document::new(1)]);
    for entry in symbolic.objects.iter_mut().filter(|object| object.kind == Kind::DocumentEntry) {
        entry.set_slot(slot::HASH, vec!["da39a3ee5e6b4b0d3255bfef95601890afd80709".to_owned()]);
        entry.set_slot(slot::SIZE, vec!["0".to_owned()]);
        entry.set_slot(slot::REPOSITORY_UNIQUE_ID, vec!["1.2.3.4".to_owned()]);
        entry.status = Some(codes::DEPRECATED.to_owned());
        (entry.version, entry.home) = (Some("7".to_owned()), Some("urn:oid:1.9".to_owned()));
    }
    symbolic.objects.push(association(APND, "Document1", "Document0"));
    // Blanks around a URI do not belong to it; upper case is folded.
    let given = "URN:UUID:6D296E90-E5DC-43D0-B455-7C1F3EB35D83";
    for object in &mut symbolic.objects {
        let rename = |id: &mut String| {
            if id == "Document0" {
                *id = format!(" {given}\n");
            }
        };
        rename(&mut object.id);
        if let Some(link) = &mut object.association {
            [&mut link.source, &mut link.target].into_iter().for_each(rename);
        }
        object.classifications.iter_mut().filter_map(|c| c.classified_object.as_mut()).for_each(rename);
        object.external_identifiers.iter_mut().filter_map(|e| e.registry_object.as_mut()).for_each(rename);
    }
    assert_eq!(hosted.register(&ITI42, &symbolic).await.errors, []);
    let stored = objects_of(&hosted, PATIENT).await;
    assert_eq!(stored.len(), symbolic.objects.len());
    for object in &stored {
        assert!(sekisho::ids::EntryUuid::parse(&object.id).is_ok(), "{}", object.id);
        assert_eq!((object.lid.as_ref(), object.version.as_deref()), (Some(&object.id), Some("1")));
        assert_eq!((object.status.as_deref(), &object.home), (Some(codes::APPROVED), &None));
        let mut referring = object.classifications.iter().map(|one| one.classified_object.as_ref());
        assert!(referring.all(|id| id == Some(&object.id)));
        let mut referring = object.external_identifiers.iter().map(|one| one.registry_object.as_ref());
        assert!(referring.all(|id| id == Some(&object.id)));
        if let Some(link) = &object.association {
            for end in [&link.source, &link.target] {
                assert!(stored.iter().any(|object| object.id == *end), "{end} leads nowhere");
            }
        }
    }
    assert!(stored.iter().any(|object| object.id == given.to_ascii_lowercase()));
    let answer = everything(&hosted, PATIENT).await;
    for object in &answer.objects {
        let whole = String::from_utf8([&object.xml.0[..], &object.xml.1[..]].concat()).unwrap();
        for nested in whole.split("<rim:Classification ").skip(1) {
            assert!(nested.split('>').next().unwrap().contains("ObjectType:RegistryObject:Classification\""));
        }
    }
    hosted.stop().await;
}

/// 3.42.4.1.3.2, TF-3 4.2.3.1.6: extra metadata of every kind of object comes back.
#[tokio::test]
async fn extra_metadata_is_kept() {
    let hosted = Standalone::start(&[]).await;
    let extra = |object: &mut Object| {
        let values = vec!["一".to_owned(), "a < b & \"c\"".to_owned()];
        object.slots.push(Slot { name: "urn:example:extra".to_owned(), slot_type: None, values });
    };
    let names = ["set", "entry", "folder", "set>entry", "folder>entry"];
    let draft = good().folder("folder", &["F"]).put("folder", "entry");
    let draft = names.iter().fold(draft, |draft, name| draft.change(name, extra));
    hosted.accept(&draft).await;
    let stored = objects_of(&hosted, PATIENT).await;
    for name in names {
        let object = stored.iter().find(|object| object.id == id(name)).unwrap();
        assert_eq!(object.slot("urn:example:extra"), ["一", "a < b & \"c\""], "{name}");
    }
    hosted.stop().await;
}

/// TF-3 4.2.2.1.3: entries that are there join a set by reference, a deprecated one and another patient's too.
#[tokio::test]
async fn entries_join_a_set_by_reference() {
    let hosted = hosted().await;
    hosted.accept(&Draft::new("set").refer("stored").refer("old").refer("foreign")).await;
    let of_set = links(&hosted, "('{set}')").await;
    let targets: Vec<_> = of_set.iter().map(|(_, _, target)| target.as_str()).collect();
    assert_eq!(targets, ["foreign", "old", "stored"]);
    hosted.stop().await;
}

/// 3.42.4.1.3.3.1: the same document may be registered again; the same message again is answered again; another message
/// with its set's uniqueId is refused.
#[tokio::test]
async fn resubmissions() {
    let hosted = hosted().await;
    let draft = good().unique_id("entry", "1.2.3.41").unique_id("set", "1.2.3.51");
    // An upper-case hash is the same.
    let upper = "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709";
    let draft = draft.change("entry", |entry| entry.set_slot("hash", vec![upper.to_owned()]));
    hosted.accept(&draft).await;
    let before = everything(&hosted, PATIENT).await;
    hosted.accept(&draft).await;
    assert_eq!(everything(&hosted, PATIENT).await, before);
    let found = objects_of(&hosted, PATIENT).await;
    let same = found.iter().filter(|o| o.identifier(codes::identifier::DE_UNIQUE_ID) == Some("1.2.3.41"));
    assert_eq!(same.count(), 2);
    let other = draft.change("entry", |entry| entry.set_slot("languageCode", vec!["en".to_owned()]));
    let refused = hosted.register(&ITI42, &other.submission()).await;
    assert!(codes_of(&refused).contains(&code::DUPLICATE_UNIQUE_ID_IN_REGISTRY), "{refused:?}");
    hosted.stop().await;
}
