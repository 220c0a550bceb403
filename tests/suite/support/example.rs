//! A complete submission: every attribute of the model, names in kanji, kana and romaji, extra metadata, a folder,
//! and a replaced document. It breaks no rule in ITI-41 nor in ITI-42.

use sekisho::metadata::codes::{self, association, scheme};
use sekisho::metadata::rim::{Classification, Object, Submission};
use sekisho::metadata::views::{Membership, association, has_member};
use sekisho::metadata::{Author, Code, DocumentEntryBuilder, FolderBuilder, SubmissionSetBuilder};

pub const PATIENT: &str = "0001^^^&1.2.392.100495.20.3.51.11310000001&ISO";
pub const REPOSITORY: &str = "1.2.392.200270.4.99.1.1";
pub const REPLACED: &str = "urn:uuid:0b4c2b3e-0b7a-4b4a-9d3e-9a3f0a6f1a01";

fn code(code: &str, display: &str) -> Code {
    Code::new(code, "1.2.392.200270.4.3.1", display)
}

fn author() -> Author {
    Author {
        person: Some("D0001^佐藤&さとう^健一^^^医師^^^&1.2.392.100495.20.3.41.1&ISO".into()),
        institutions: vec!["関所総合病院^^^^^^^^^1.2.392.100495.20.3.23.1310000001".into()],
        roles: vec!["主治医".into()],
        specialties: vec!["01^^^&1.2.392.100495.20.2.51&ISO".into()],
        telecommunications: vec!["^^Internet^sato@hospital.example".into(), "^WPN^PH^^81^3^12345678".into()],
    }
}

fn document_entry() -> DocumentEntryBuilder {
    common(DocumentEntryBuilder::stable("Document01"))
        .creation_time("20261120")
        .hash("da39a3ee5e6b4b0d3255bfef95601890afd80709")
        .size(0)
        .legal_authenticator("D0001^佐藤^健一^^^^^^&1.2.392.100495.20.3.41.1&ISO")
}

fn common(entry: DocumentEntryBuilder) -> DocumentEntryBuilder {
    entry
        .mime_type("text/xml")
        .title("ja-JP", "退院時サマリー")
        .comments("ja-JP", "<確認済み> & \"署名\"あり")
        .home_community_id("urn:oid:1.2.392.200270.4.99.1")
        .authors([&author()])
        .class_code(&code("18842-5", "退院時サマリー"))
        .confidentiality_codes([&code("N", "通常"), &code("R", "制限あり")])
        .event_codes([&code("T-D1100", "検査")])
        .format_code(&code("urn:ihe:pcc:xds-ms:2007", "XDS-MS"))
        .facility_type_code(&code("11", "病院"))
        .practice_setting_code(&code("01", "内科"))
        .type_code(&code("18842-5", "退院時サマリー"))
        .language_code("ja-JP")
        .repository_unique_id(REPOSITORY)
        .service_start_time("20261110")
        .service_stop_time("202611201530")
        .source_patient_id("K-0001^^^&1.2.392.100495.20.3.51.11310000001.1&ISO")
        .source_patient_info([
            "PID-3|K-0001^^^&1.2.392.100495.20.3.51.11310000001.1&ISO",
            "PID-5|関所^花子^^^^^L^I",
            "PID-5|セキショ^ハナコ^^^^^L^P",
            "PID-5|SEKISHO^HANAKO^^^^^L^A",
            "PID-7|19700101",
            "PID-8|F",
            "PID-11|関所町1-2-3^^東京都^^100-0001^JPN",
        ])
        .reference_ids(["A-1^^^&1.2.392.100495.20.3.61&ISO^urn:ihe:iti:xds:2013:accession"])
        .uri("DOC001.XML")
        .document_availability("urn:ihe:iti:2010:DocumentAvailability:Online")
        .slot("urn:example:region:extra", ["一", "二"])
        .patient_id(PATIENT)
        .unique_id("2.25.264517193285127.1^44")
}

fn around(entry: Object) -> Submission {
    let set = SubmissionSetBuilder::new("SubmissionSet01")
        .title("ja-JP", "退院時サマリー一式")
        .comments("ja-JP", "紹介元へ")
        .home_community_id("urn:oid:1.2.392.200270.4.99.1")
        .authors([&author()])
        .content_type_code(&code("18842-5", "退院時サマリー"))
        .intended_recipients(["関所診療所^^^^^^^^^1.2.392.100495.20.3.23.1310000002|^山田^一郎|^^Internet^yamada@clinic.example"])
        .submission_time("20261121010203")
        .patient_id(PATIENT)
        .source_id("1.2.392.100495.20.3.23.1310000001")
        .unique_id("1.2.392.200270.4.99.2.1")
        .build();
    let folder = FolderBuilder::new("Folder01")
        .title("ja-JP", "入院 2026年11月")
        .comments("ja-JP", "内科")
        .home_community_id("urn:oid:1.2.392.200270.4.99.1")
        .codes([&code("A", "入院")])
        .last_update_time("20261121010203")
        .patient_id(PATIENT)
        .unique_id("1.2.392.200270.4.99.3.1")
        .build();
    let in_folder = association(association::HAS_MEMBER, "Folder01", "Document01");
    let by_set = association(association::HAS_MEMBER, "SubmissionSet01", &in_folder.id);
    let mut replaces = association(association::RPLC, "Document01", REPLACED);
    replaces.classifications.push(Classification {
        scheme: Some(scheme::ASSOCIATION_DOCUMENTATION.to_owned()),
        classified_object: Some(replaces.id.clone()),
        ..Classification::from(&code("correction", "訂正"))
    });
    let objects = vec![
        set,
        entry,
        folder,
        has_member("SubmissionSet01", "Document01", Membership::Original),
        association(association::HAS_MEMBER, "SubmissionSet01", "Folder01"),
        in_folder,
        by_set,
        replaces,
    ];
    Submission { objects, ..Submission::default() }
}

/// Of a stable document.
pub fn stable() -> Submission {
    around(document_entry().build())
}

/// Of an on-demand entry, for ITI-61.
pub fn on_demand() -> Submission {
    around(common(DocumentEntryBuilder::on_demand("Document01")).build())
}

/// Of a new version of a stable document, for ITI-57.
pub fn update() -> Submission {
    let mut submission = stable();
    submission.objects[1].lid = Some(REPLACED.to_owned());
    submission.objects[3].set_slot(codes::slot::PREVIOUS_VERSION, vec!["1".to_owned()]);
    let status = association(association::UPDATE_AVAILABILITY_STATUS, "SubmissionSet01", REPLACED);
    submission.objects.insert(6, status);
    submission
}

/// A submission as a registry gives it back: UUIDs, versions and statuses.
pub fn answered(mut submission: Submission) -> Submission {
    let uuid = |id: &mut String| {
        for (number, symbolic) in ["SubmissionSet01", "Document01", "Folder01"].iter().enumerate() {
            if id == symbolic {
                *id = format!("urn:uuid:5f1a9c1e-7f0d-4d1b-8c55-0000000000{number:02}");
            }
        }
    };
    for object in &mut submission.objects {
        uuid(&mut object.id);
        object.lid = Some(object.id.clone());
        object.version = Some("1".to_owned());
        object.status = Some(codes::APPROVED.to_owned());
        object.classifications.iter_mut().filter_map(|c| c.classified_object.as_mut()).for_each(uuid);
        object.external_identifiers.iter_mut().filter_map(|e| e.registry_object.as_mut()).for_each(uuid);
        if let Some(between) = &mut object.association {
            uuid(&mut between.source);
            uuid(&mut between.target);
        }
    }
    submission
}
