//! ITI-18: every query, every parameter, every refusal.

use super::*;
use crate::metadata::codes::association::{APND, IS_SNAPSHOT_OF, RPLC, XFRM};

const BY_PATIENT: [(&str, &str); 2] =
    [("$XDSDocumentEntryPatientId", "'P1^^^&1.2.3&ISO'"), ("$XDSDocumentEntryStatus", APPROVED)];

/// Two entries that differ in everything.
async fn two_entries(hosted: &Hosted) -> [String; 2] {
    let [one, two] = [uuid(), uuid()];
    let first = entry(&one)
        .class_code(&code("class1"))
        .type_code(&code("type1"))
        .practice_setting_code(&code("practice1"))
        .facility_type_code(&code("facility1"))
        .format_code(&code("format1"))
        .creation_time("202601")
        .service_start_time("20260110")
        .service_stop_time("2026011512")
        .event_codes([&code("A"), &code("B")])
        .confidentiality_codes([&code("N"), &code("X")])
        .reference_ids(["ref1^^^&1.2.3.9&ISO^urn:ihe:iti:xds:2013:order"])
        .authors([&author("1^Yamada^Taro"), &author("2^Suzuki^Hanako")]);
    let second = entry(&two)
        .class_code(&code("class2"))
        .type_code(&code("type2"))
        .practice_setting_code(&code("practice2"))
        .facility_type_code(&code("facility2"))
        .format_code(&code("format2"))
        .creation_time("20260301120000")
        .event_codes([&code("B"), &code("C")])
        .confidentiality_codes([&code("R")])
        .reference_ids(["ref2^^^&1.2.3.9&ISO^urn:ihe:iti:xds:2013:order"])
        .authors([&author("3^O'Neil^Bob_X")]);
    hosted.accept(&Draft::new().entry(first).entry(second)).await;
    [one, two]
}

#[tokio::test]
async fn find_documents_by_each_parameter() {
    let hosted = Hosted::new();
    let [one, two] = two_entries(&hosted).await;
    let (both, one, two, none) =
        (sorted(&[&one, &two]), vec![one.clone()], vec![two.clone()], Vec::<String>::new());
    type Case<'a> = (Vec<(&'a str, &'a str)>, &'a Vec<String>);
    let cases: Vec<Case<'_>> = vec![
        (vec![], &both),
        (vec![("$XDSDocumentEntryClassCode", "('class1^^1.2.3.5')")], &one),
        (vec![("$XDSDocumentEntryClassCode", "('class1^^1.2.3.5','class2^^1.2.3.5')")], &both),
        (vec![("$XDSDocumentEntryClassCode", "('class1^^1.2.3.99')")], &none),
        (vec![("$XDSDocumentEntryClassCode", "('class1^shown^1.2.3.5')")], &one),
        (vec![("$XDSDocumentEntryTypeCode", "('type2^^1.2.3.5')")], &two),
        (vec![("$XDSDocumentEntryPracticeSettingCode", "('practice1^^1.2.3.5')")], &one),
        (vec![("$XDSDocumentEntryHealthcareFacilityTypeCode", "('facility2^^1.2.3.5')")], &two),
        (vec![("$XDSDocumentEntryFormatCode", "('format1^^1.2.3.5')")], &one),
        // A lower bound belongs to the range, an upper bound does not; a short DTM is its earliest moment.
        (vec![("$XDSDocumentEntryCreationTimeFrom", "20260101")], &both),
        (vec![("$XDSDocumentEntryCreationTimeFrom", "20260101000001")], &two),
        (vec![("$XDSDocumentEntryCreationTimeFrom", "'20260301120000'")], &two),
        (vec![("$XDSDocumentEntryCreationTimeTo", "20260301120000")], &one),
        (vec![("$XDSDocumentEntryCreationTimeTo", "20260301120001")], &both),
        (vec![("$XDSDocumentEntryCreationTimeTo", "2026")], &none),
        // An entry without service times is not filtered by them.
        (vec![("$XDSDocumentEntryServiceStartTimeFrom", "20260111")], &two),
        (vec![("$XDSDocumentEntryServiceStartTimeTo", "20260111")], &both),
        (vec![("$XDSDocumentEntryServiceStopTimeFrom", "2026011512")], &both),
        (vec![("$XDSDocumentEntryServiceStopTimeTo", "2026011512")], &two),
        // Within a Slot OR, between Slots of one name AND.
        (vec![("$XDSDocumentEntryEventCodeList", "('A^^1.2.3.5','C^^1.2.3.5')")], &both),
        (
            vec![
                ("$XDSDocumentEntryEventCodeList", "('A^^1.2.3.5','C^^1.2.3.5')"),
                ("$XDSDocumentEntryEventCodeList", "('B^^1.2.3.5')"),
            ],
            &both,
        ),
        (
            vec![
                ("$XDSDocumentEntryEventCodeList", "('A^^1.2.3.5')"),
                ("$XDSDocumentEntryEventCodeList", "('C^^1.2.3.5')"),
            ],
            &none,
        ),
        (vec![("$XDSDocumentEntryConfidentialityCode", "('N^^1.2.3.5','R^^1.2.3.5')")], &both),
        (
            vec![
                ("$XDSDocumentEntryConfidentialityCode", "('N^^1.2.3.5','R^^1.2.3.5')"),
                ("$XDSDocumentEntryConfidentialityCode", "('X^^1.2.3.5')"),
            ],
            &one,
        ),
        (vec![("$XDSDocumentEntryAuthorPerson", "('%Suzuki%')")], &one),
        (vec![("$XDSDocumentEntryAuthorPerson", "('%suzuki%')")], &none),
        (vec![("$XDSDocumentEntryAuthorPerson", "('%Suzuki%','%Neil%')")], &both),
        (vec![("$XDSDocumentEntryAuthorPerson", "('3^O''Neil^Bob_X')")], &two),
        (vec![("$XDSDocumentEntryAuthorPerson", "('3^O''N_il^Bob_X')")], &two),
        (vec![("$XDSDocumentEntryAuthorPerson", "('Suzuki')")], &none),
        // Nothing escapes anything.
        (vec![("$XDSDocumentEntryAuthorPerson", "('%Bob\\_X')")], &none),
        (vec![("$XDSDocumentEntryAuthorPerson", "('[1-3]^*')")], &none),
        (vec![("$XDSDocumentEntryType", "('urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1')")], &both),
        (vec![("$XDSDocumentEntryType", "('urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')")], &none),
        // What a query does not know is passed over.
        (vec![("$MetadataLevel", "1"), ("$SomethingElse", "'x'")], &both),
        (
            vec![
                ("$XDSDocumentEntryTypeCode", "('type2^^1.2.3.5')"),
                ("$XDSDocumentEntryFormatCode", "('format1^^1.2.3.5')"),
            ],
            &none,
        ),
    ];
    for (parameters, expected) in cases {
        let parameters = [BY_PATIENT.to_vec(), parameters].concat();
        assert_eq!(hosted.find(FIND_DOCUMENTS, &parameters).await, *expected, "{parameters:?}");
    }
}

#[tokio::test]
async fn find_documents_by_reference_id() {
    let hosted = Hosted::new();
    let [one, two] = two_entries(&hosted).await;
    let both = sorted(&[&one, &two]);
    for (value, expected) in [
        ("('ref1^^^&1.2.3.9&ISO^urn:ihe:iti:xds:2013:order')", vec![one.clone()]),
        ("('ref1^^^&1.2.3.9&ISO^urn:ihe:iti:xds:2013:orde')", vec![]),
        ("('ref%^urn:ihe:iti:xds:2013:order')", both.clone()),
        ("('%urn:ihe:iti:xds:2013:accession')", vec![]),
    ] {
        let parameters = [BY_PATIENT.as_slice(), &[("$XDSDocumentEntryReferenceIdList", value)]].concat();
        assert_eq!(hosted.find(FIND_BY_REFERENCE, &parameters).await, expected, "{value}");
    }
    assert_eq!(hosted.refused(FIND_BY_REFERENCE, &BY_PATIENT).await, [code::STORED_QUERY_MISSING_PARAM]);
}

#[tokio::test]
async fn parameters_may_be_written_in_several_ways() {
    let hosted = Hosted::new();
    let [one, two] = two_entries(&hosted).await;
    let ask = |patient: &str, status: Vec<&str>, format: Vec<&str>| {
        let parameter = |name: &str, values: Vec<&str>| Parameter {
            name: name.to_owned(),
            values: values.into_iter().map(str::to_owned).collect(),
        };
        hosted.registry.query(QueryRequest {
            query: FIND_DOCUMENTS.to_owned(),
            home: Some("urn:oid:9.9.9".to_owned()),
            return_type: ReturnType::ObjectRef,
            parameters: vec![
                parameter("$XDSDocumentEntryPatientId", vec![patient]),
                parameter("$XDSDocumentEntryStatus", status),
                parameter("$XDSDocumentEntryFormatCode", format),
            ],
        })
    };
    for (patient, status, format) in [
        ("'P1^^^&1.2.3&ISO'", vec![APPROVED], vec!["('format1^^1.2.3.5','format2^^1.2.3.5')"]),
        ("P1^^^&1.2.3&ISO", vec![codes::APPROVED], vec!["('format1^^1.2.3.5')", "('format2^^1.2.3.5')"]),
        ("('P1^^^&1.2.3&ISO^^')", vec!["(\"urn:oasis:names:tc:ebxml-regrep:StatusType:Approved\")"], vec![]),
        (
            "\"P1^^^&1.2.3&ISO\"",
            vec!["('urn:nothing')", APPROVED],
            vec!["'format1^^1.2.3.5','format2^^1.2.3.5'"],
        ),
    ] {
        let answer = ask(patient, status, format).await.unwrap();
        assert_eq!((answer.status, ids(&answer)), (Status::Success, sorted(&[&one, &two])), "{patient}");
        assert_eq!(answer.objects[0].xml.0, format!("<rim:ObjectRef id=\"{}\"/>", answer.objects[0].id));
    }
}

#[tokio::test]
async fn wrong_parameters_are_refused_all_at_once() {
    let hosted = Hosted::new();
    two_entries(&hosted).await;
    let find = |more: &[(&'static str, &'static str)]| [BY_PATIENT.as_slice(), more].concat();
    use code::*;
    for (query, parameters, codes) in [
        ("urn:uuid:00000000-0000-0000-0000-000000000000", vec![], vec![UNKNOWN_STORED_QUERY]),
        (FIND_DOCUMENTS, vec![], vec![STORED_QUERY_MISSING_PARAM, STORED_QUERY_MISSING_PARAM]),
        (FIND_DOCUMENTS, vec![BY_PATIENT[0]], vec![STORED_QUERY_MISSING_PARAM]),
        (
            FIND_DOCUMENTS,
            vec![BY_PATIENT[0], ("$XDSDocumentEntryStatus", "('urn:unknown:status')")],
            vec![STORED_QUERY_MISSING_PARAM],
        ),
        (
            FIND_DOCUMENTS,
            vec![("$XDSDocumentEntryPatientId", "('P1^^^&1.2.3&ISO','P2^^^&1.2.3&ISO')"), BY_PATIENT[1]],
            vec![STORED_QUERY_PARAM_NUMBER],
        ),
        (FIND_DOCUMENTS, vec![("$XDSDocumentEntryPatientId", "'P1'"), BY_PATIENT[1]], vec![REGISTRY_ERROR]),
        (
            FIND_DOCUMENTS,
            find(&[
                ("$XDSDocumentEntryCreationTimeFrom", "20260101"),
                ("$XDSDocumentEntryCreationTimeFrom", "20260102"),
            ]),
            vec![STORED_QUERY_PARAM_NUMBER],
        ),
        (
            FIND_DOCUMENTS,
            find(&[
                ("$XDSDocumentEntryClassCode", "('class1^^1.2.3.5')"),
                ("$XDSDocumentEntryClassCode", "('class2^^1.2.3.5')"),
            ]),
            vec![STORED_QUERY_PARAM_NUMBER],
        ),
        (FIND_DOCUMENTS, find(&[("$XDSDocumentEntryClassCode", "('class1')")]), vec![REGISTRY_ERROR]),
        (FIND_DOCUMENTS, find(&[("$XDSDocumentEntryClassCode", "('class1^^')")]), vec![REGISTRY_ERROR]),
        (FIND_DOCUMENTS, find(&[("$XDSDocumentEntryClassCode", "('^^1.2.3.5')")]), vec![REGISTRY_ERROR]),
        (FIND_DOCUMENTS, find(&[("$XDSDocumentEntryClassCode", "('class1^^1.2.3.5'")]), vec![REGISTRY_ERROR]),
        (FIND_DOCUMENTS, find(&[("$XDSDocumentEntryClassCode", "('class1^^1.2.3.5)")]), vec![REGISTRY_ERROR]),
        (
            FIND_DOCUMENTS,
            find(&[
                ("$XDSDocumentEntryCreationTimeFrom", "yesterday"),
                ("$XDSDocumentEntryClassCode", "('a^^')"),
            ]),
            vec![REGISTRY_ERROR, REGISTRY_ERROR],
        ),
        (GET_DOCUMENTS, vec![], vec![STORED_QUERY_MISSING_PARAM]),
        (
            GET_DOCUMENTS,
            vec![("$XDSDocumentEntryEntryUUID", "('urn:uuid:x')"), ("$XDSDocumentEntryUniqueId", "('1.2')")],
            vec![STORED_QUERY_PARAM_NUMBER],
        ),
        (
            GET_SET_AND_CONTENTS,
            vec![("$XDSSubmissionSetUniqueId", "('1.2','1.3')")],
            vec![STORED_QUERY_PARAM_NUMBER],
        ),
        (GET_ASSOCIATIONS, vec![], vec![STORED_QUERY_MISSING_PARAM]),
        (GET_SETS, vec![("$uuid", "()")], vec![STORED_QUERY_MISSING_PARAM]),
        (GET_RELATED, vec![("$XDSDocumentEntryUniqueId", "'1.2'")], vec![STORED_QUERY_MISSING_PARAM]),
    ] {
        assert_eq!(hosted.refused(query, &parameters).await, codes, "{parameters:?}");
    }
    let answer = hosted.ask(FIND_DOCUMENTS, ReturnType::LeafClass, &[BY_PATIENT[0]]).await;
    assert_eq!(
        answer.errors[0].context,
        "FindDocuments: $XDSDocumentEntryStatus: it is required (ITI TF-2: 3.18.4.1.2.3.7.1)"
    );
}

#[tokio::test]
async fn an_unknown_patient_is_an_empty_success() {
    let hosted = Hosted::new();
    let parameters = [("$XDSDocumentEntryPatientId", "'nobody^^^&1.2.3&ISO'"), BY_PATIENT[1]];
    assert_eq!(hosted.find(FIND_DOCUMENTS, &parameters).await, [""; 0]);
    two_entries(&hosted).await;
    assert_eq!(hosted.find(FIND_DOCUMENTS, &parameters).await, [""; 0]);
}

#[tokio::test]
async fn an_entry_is_returned_as_slices_with_what_gateways_need_beside_it() {
    let hosted = Hosted::new();
    let id = uuid();
    let draft = Draft::new().entry(entry(&id));
    hosted.accept(&draft).await;
    let answer = hosted.ask(FIND_DOCUMENTS, ReturnType::LeafClass, &BY_PATIENT).await;
    let object = &answer.objects[0];
    assert_eq!(object.unique_id, Some(draft.unique_id(&id)));
    assert_eq!(object.repository.as_deref(), Some("1.2.3.6"));
    assert_eq!(object.hash.as_deref(), Some("da39a3ee5e6b4b0d3255bfef95601890afd80709"));
    assert_eq!((object.size, object.patient_id.as_deref()), (Some(0), Some(PATIENT)));
    let (start, rest) = (&object.xml.0, &object.xml.1);
    assert!(start.starts_with(b"<rim:ExtrinsicObject id=") && start.ends_with(b">"));
    assert!(rest.starts_with(b"<rim:Slot") && rest.ends_with(b"</rim:ExtrinsicObject>"));
    let whole = [start.as_ref(), rest].concat();
    assert_eq!(fragment::read(&whole).unwrap(), hosted.object(&id));
}

#[tokio::test]
async fn find_submission_sets_by_each_parameter() {
    let hosted = Hosted::new();
    let [one, two] = [uuid(), uuid()];
    let with_id = |draft: Draft, id: &str| Draft {
        objects: draft
            .objects
            .into_iter()
            .map(|mut object| {
                if object.id == "set" {
                    object.id = id.to_owned();
                    object.classifications.iter_mut().for_each(|c| c.classified_object = Some(id.to_owned()));
                    object
                        .external_identifiers
                        .iter_mut()
                        .for_each(|e| e.registry_object = Some(id.to_owned()));
                }
                if let Some(association) = &mut object.association {
                    association.source = association.source.replace("set", id);
                }
                object
            })
            .collect(),
        ..draft
    };
    hosted.accept(&with_id(Draft::new().entry(entry("Document01")), &one)).await;
    let later = Draft::new().entry(entry("Document01")).set(|set| {
        set.set_slot("submissionTime", vec!["20260201".to_owned()]);
        set.external_identifiers.iter_mut().for_each(|e| e.value = e.value.replace("1.2.3.8", "1.2.3.88"));
        let content_type =
            set.classifications.iter_mut().find(|c| c.node_representation.as_deref() == Some("content"));
        content_type.unwrap().node_representation = Some("other".to_owned());
    });
    hosted.accept(&with_id(later, &two)).await;
    let both = sorted(&[&one, &two]);
    for (more, expected) in [
        (vec![], both.clone()),
        (vec![("$XDSSubmissionSetSourceId", "('1.2.3.88')")], vec![two.clone()]),
        (vec![("$XDSSubmissionSetSubmissionTimeFrom", "20260117")], vec![two.clone()]),
        (vec![("$XDSSubmissionSetSubmissionTimeTo", "20260201")], vec![one.clone()]),
        (vec![("$XDSSubmissionSetAuthorPerson", "'%Yamada%'")], both.clone()),
        (vec![("$XDSSubmissionSetAuthorPerson", "'Yamada'")], vec![]),
        (vec![("$XDSSubmissionSetContentType", "('content^^1.2.3.5')")], vec![one.clone()]),
    ] {
        let parameters = [
            vec![("$XDSSubmissionSetPatientId", "'P1^^^&1.2.3&ISO'"), ("$XDSSubmissionSetStatus", APPROVED)],
            more,
        ]
        .concat();
        assert_eq!(hosted.find(FIND_SETS, &parameters).await, expected, "{parameters:?}");
    }
}

#[tokio::test]
async fn folders_by_patient_by_id_and_by_entry() {
    let hosted = Hosted::new();
    let [folder, empty, inside, outside] = std::array::from_fn(|_| uuid());
    let draft = Draft::new()
        .entry(entry(&inside))
        .entry(entry(&outside))
        .folder(&folder)
        .folder(&empty)
        .put(&folder, &inside);
    hosted.accept(&draft).await;
    let both = sorted(&[&folder, &empty]);
    for (more, expected) in [
        (vec![], &both),
        (vec![("$XDSFolderCodeList", "('folder^^1.2.3.5')")], &both),
        (
            vec![("$XDSFolderCodeList", "('folder^^1.2.3.5')"), ("$XDSFolderCodeList", "('x^^1.2.3.5')")],
            &vec![],
        ),
        (vec![("$XDSFolderLastUpdateTimeFrom", "2026")], &both),
        (vec![("$XDSFolderLastUpdateTimeTo", "2026")], &vec![]),
    ] {
        let parameters =
            [vec![("$XDSFolderPatientId", "'P1^^^&1.2.3&ISO'"), ("$XDSFolderStatus", APPROVED)], more]
                .concat();
        assert_eq!(hosted.find(FIND_FOLDERS, &parameters).await, *expected, "{parameters:?}");
    }
    let by_uuid = [("$XDSFolderEntryUUID", quoted(&[&folder, &empty]))];
    assert_eq!(hosted.find(GET_FOLDERS, &[(by_uuid[0].0, &by_uuid[0].1)]).await, both);
    let unique_id = quoted(&[&draft.unique_id(&empty)]);
    assert_eq!(
        hosted.find(GET_FOLDERS, &[("$XDSFolderUniqueId", &unique_id)]).await,
        std::slice::from_ref(&empty)
    );
    for (entry, expected) in [(&inside, vec![folder.clone()]), (&outside, vec![])] {
        let by_uuid = quoted(&[entry]);
        let found = hosted.find(GET_FOLDERS_FOR_DOCUMENT, &[("$XDSDocumentEntryEntryUUID", &by_uuid)]).await;
        assert_eq!(found, expected);
        let by_unique_id = quoted(&[&draft.unique_id(entry)]);
        let found =
            hosted.find(GET_FOLDERS_FOR_DOCUMENT, &[("$XDSDocumentEntryUniqueId", &by_unique_id)]).await;
        assert_eq!(found, expected);
    }
    let contents =
        hosted.find(GET_FOLDER_AND_CONTENTS, &[("$XDSFolderEntryUUID", &quoted(&[&folder]))]).await;
    assert_eq!(contents.len(), 3);
    assert!(contents.contains(&inside));
    let narrowed = [
        ("$XDSFolderEntryUUID", quoted(&[&folder])),
        ("$XDSDocumentEntryFormatCode", quoted(&["other^^1.2.3.5"])),
    ];
    let narrowed: Vec<_> = narrowed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(hosted.find(GET_FOLDER_AND_CONTENTS, &narrowed).await, [folder]);
}

#[tokio::test]
async fn a_set_with_its_contents_and_the_associations_among_them() {
    let hosted = Hosted::new();
    let [inside, outside, folder] = std::array::from_fn(|_| uuid());
    let draft =
        Draft::new().entry(entry(&inside)).entry(entry(&outside)).folder(&folder).put(&folder, &inside);
    hosted.accept(&draft).await;
    let unique_id = quoted(&[&draft.unique_id("set")]);
    let all = hosted.find(GET_SET_AND_CONTENTS, &[("$XDSSubmissionSetUniqueId", &unique_id)]).await;
    assert_eq!(all.len(), draft.objects.len());
    // Filters narrow the entries, and what hung on them goes too: only set, folder and their membership are left.
    let narrowed = [
        ("$XDSSubmissionSetUniqueId", unique_id.as_str()),
        ("$XDSDocumentEntryConfidentialityCode", "('other^^1.2.3.5')"),
    ];
    assert_eq!(hosted.find(GET_SET_AND_CONTENTS, &narrowed).await.len(), 3);

    let sets = hosted.find(GET_SETS, &[("$uuid", &quoted(&[&inside, &folder]))]).await;
    assert_eq!(sets.len(), 3);
    // From the set, from the folder.
    assert_eq!(hosted.find(GET_ASSOCIATIONS, &[("$uuid", &quoted(&[&inside]))]).await.len(), 2);
    let with = hosted
        .find(GET_DOCUMENTS_AND_ASSOCIATIONS, &[("$XDSDocumentEntryEntryUUID", &quoted(&[&inside]))])
        .await;
    assert_eq!(with.len(), 3);
}

#[tokio::test]
async fn related_entries_are_one_step_away() {
    let hosted = Hosted::new();
    let [original, addendum, transform, further] = std::array::from_fn(|_| uuid());
    let draft = Draft::new()
        .entry(entry(&original))
        .entry(entry(&addendum))
        .entry(entry(&transform))
        .entry(entry(&further))
        .relate(APND, &addendum, &original)
        .relate(XFRM, &transform, &original)
        .relate(APND, &further, &transform);
    hosted.accept(&draft).await;
    let related = async |types: &[&str]| {
        let (entry, types) = (quoted(&[&original]), quoted(types));
        let found = hosted
            .find(GET_RELATED, &[("$XDSDocumentEntryEntryUUID", &entry), ("$AssociationTypes", &types)])
            .await;
        found.into_iter().filter(|id| hosted.object(id).kind == Kind::DocumentEntry).collect::<Vec<_>>()
    };
    assert_eq!(related(&[APND]).await, sorted(&[&original, &addendum]));
    assert_eq!(related(&[APND, XFRM]).await, sorted(&[&original, &addendum, &transform]));
    assert_eq!(related(&[RPLC]).await, [""; 0]);
    assert_eq!(related(&[codes::association::HAS_MEMBER]).await, [""; 0]);
}

#[tokio::test]
async fn on_demand_entries_are_found_when_asked_for() {
    let hosted = Hosted::new();
    let [on_demand, snapshot] = [uuid(), uuid()];
    // ITI-61 is not there yet: the entry is stored past the rules of ITI-42.
    let rules = validate::Settings::parse(
        r#"
        "de.object-type.transaction" = { level = "off" }
        "de.hash.cardinality" = { level = "off" }
        "de.size.cardinality" = { level = "off" }
        "de.creation-time.cardinality" = { level = "off" }
        "#,
    )
    .unwrap();
    let lenient = Registry::new(
        hosted.store.clone(),
        Tenant("urn:oid:1.2.3.4".into()),
        RegistrySettings { rules: Some(rules), ..RegistrySettings::default() },
    );
    let draft = Draft::new().entry(entry(&on_demand)).change(&on_demand, |entry| {
        entry.object_type = Some(codes::ON_DEMAND.to_owned());
        entry.slots.retain(|slot| !["hash", "size", "creationTime"].contains(&slot.name.as_str()));
    });
    let stored = lenient.register(draft.submission(), [1; 32], None).await.unwrap();
    assert_eq!(stored, Registered::Accepted(vec![]));
    hosted.accept(&Draft::new().entry(entry(&snapshot)).relate(IS_SNAPSHOT_OF, &snapshot, &on_demand)).await;
    let both = quoted(&[codes::STABLE, codes::ON_DEMAND]);
    let find = async |more: &[(&str, &str)]| {
        hosted.find(FIND_DOCUMENTS, &[BY_PATIENT.as_slice(), more].concat()).await
    };
    assert_eq!(find(&[]).await, std::slice::from_ref(&snapshot));
    assert_eq!(find(&[("$XDSDocumentEntryType", &both)]).await, sorted(&[&snapshot, &on_demand]));
    // A creation time that is not there filters nothing.
    let early = [("$XDSDocumentEntryType", both.as_str()), ("$XDSDocumentEntryCreationTimeTo", "2000")];
    assert_eq!(find(&early).await, std::slice::from_ref(&on_demand));
    let (entry, types) = (quoted(&[&snapshot]), quoted(&[IS_SNAPSHOT_OF]));
    let related = [("$XDSDocumentEntryEntryUUID", entry.as_str()), ("$AssociationTypes", &types)];
    assert_eq!(hosted.find(GET_RELATED, &related).await, [""; 0]);
    let related = [related.as_slice(), &[("$XDSDocumentEntryType", both.as_str())]].concat();
    assert_eq!(hosted.find(GET_RELATED, &related).await.len(), 3);
    // By id the type does not matter.
    let by_id = quoted(&[&on_demand]);
    assert_eq!(hosted.find(GET_DOCUMENTS, &[("$XDSDocumentEntryEntryUUID", &by_id)]).await, [on_demand]);
}

#[tokio::test]
async fn leaf_class_is_about_one_patient() {
    let hosted = Hosted::new();
    let [one, other] = [uuid(), uuid()];
    hosted.accept(&Draft::new().entry(entry(&one))).await;
    hosted.accept(&Draft::of(OTHER_PATIENT).entry(entry_of(&other, OTHER_PATIENT))).await;
    let by_id = quoted(&[&one, &other]);
    for query in [GET_DOCUMENTS, GET_DOCUMENTS_AND_ASSOCIATIONS] {
        let parameters = [("$XDSDocumentEntryEntryUUID", by_id.as_str())];
        assert_eq!(hosted.refused(query, &parameters).await, [code::RESULT_NOT_SINGLE_PATIENT]);
        let references = hosted.ask(query, ReturnType::ObjectRef, &parameters).await;
        assert_eq!(references.status, Status::Success);
    }
    assert_eq!(hosted.refused(GET_SETS, &[("$uuid", &by_id)]).await, [code::RESULT_NOT_SINGLE_PATIENT]);
}

#[tokio::test]
async fn attack_53_what_is_asked_never_becomes_sql() {
    let hosted = Hosted::new();
    let [one, two] = two_entries(&hosted).await;
    let before = hosted.dump();
    for hostile in [
        "x'); DROP TABLE registry_object; --",
        "' OR '1'='1",
        "%",
        "_",
        "\\",
        "'); --",
        "[\"a\"]",
        "?1",
        "\u{1F480}\"]}",
    ] {
        let text = quoted(&[hostile]);
        let code = quoted(&[&format!("{hostile}^^1.2.3.5")]);
        for (name, value) in [
            ("$XDSDocumentEntryClassCode", &code),
            ("$XDSDocumentEntryEventCodeList", &code),
            ("$XDSDocumentEntryConfidentialityCode", &code),
        ] {
            let parameters = [BY_PATIENT.as_slice(), &[(name, value.as_str())]].concat();
            assert_eq!(hosted.find(FIND_DOCUMENTS, &parameters).await, [""; 0], "{name} {value}");
        }
        for query in [GET_DOCUMENTS, GET_DOCUMENTS_AND_ASSOCIATIONS] {
            assert_eq!(hosted.find(query, &[("$XDSDocumentEntryUniqueId", &text)]).await, [""; 0]);
            assert_eq!(hosted.find(query, &[("$XDSDocumentEntryEntryUUID", &text)]).await, [""; 0]);
        }
        let status = [BY_PATIENT[0], ("$XDSDocumentEntryStatus", text.as_str())];
        assert_eq!(hosted.refused(FIND_DOCUMENTS, &status).await, [code::STORED_QUERY_MISSING_PARAM]);
    }
    let everybody = [BY_PATIENT.as_slice(), &[("$XDSDocumentEntryAuthorPerson", "('%')")]].concat();
    assert_eq!(hosted.find(FIND_DOCUMENTS, &everybody).await, sorted(&[&one, &two]));
    assert_eq!(hosted.dump(), before);
}

#[tokio::test]
async fn attack_53_long_lists_are_bounded() {
    let hosted = Hosted::new();
    let [one, _] = two_entries(&hosted).await;
    let list = |count: usize| {
        let mut ids: Vec<String> = (1..count).map(|_| uuid()).collect();
        ids.push(one.clone());
        quoted(&ids.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let most = list(limits::MAX_QUERY_VALUES);
    assert_eq!(
        hosted.find(GET_DOCUMENTS, &[("$XDSDocumentEntryEntryUUID", &most)]).await,
        std::slice::from_ref(&one)
    );
    let more = list(limits::MAX_QUERY_VALUES + 1);
    assert_eq!(
        hosted.refused(GET_DOCUMENTS, &[("$XDSDocumentEntryEntryUUID", &more)]).await,
        [code::REGISTRY_ERROR]
    );
    let codes: Vec<String> = (0..limits::MAX_QUERY_VALUES).map(|n| format!("c{n}^^1.2.3.5")).collect();
    let codes = quoted(&codes.iter().map(String::as_str).collect::<Vec<_>>());
    for name in ["$XDSDocumentEntryClassCode", "$XDSDocumentEntryEventCodeList"] {
        let parameters = [BY_PATIENT.as_slice(), &[(name, codes.as_str())]].concat();
        assert_eq!(hosted.find(FIND_DOCUMENTS, &parameters).await, [""; 0]);
    }
    let patterns = quoted(&["%a".repeat(limits::MAX_PATTERN_CHARS).as_str()]);
    let parameters =
        [BY_PATIENT.as_slice(), &[("$XDSDocumentEntryAuthorPerson", patterns.as_str())]].concat();
    assert_eq!(hosted.refused(FIND_DOCUMENTS, &parameters).await, [code::REGISTRY_ERROR]);
}

#[tokio::test]
async fn attack_54_an_answer_that_is_too_large_is_refused() {
    let hosted = Hosted::with(RegistrySettings { max_results: 5, ..RegistrySettings::default() });
    let draft = (0..5).fold(Draft::new(), |draft, n| draft.entry(entry(&format!("Document{n}"))));
    hosted.accept(&draft).await;
    assert_eq!(hosted.find(FIND_DOCUMENTS, &BY_PATIENT).await.len(), 5);
    hosted.accept(&Draft::new().entry(entry("Document01"))).await;
    assert_eq!(hosted.refused(FIND_DOCUMENTS, &BY_PATIENT).await, [code::TOO_MANY_RESULTS]);
    let references = hosted.ask(FIND_DOCUMENTS, ReturnType::ObjectRef, &BY_PATIENT).await;
    assert_eq!(references.errors[0].code, code::TOO_MANY_RESULTS);
    // What is within the bound kind by kind, and beyond it together.
    let unique_id = quoted(&[&draft.unique_id("set")]);
    let contents = [("$XDSSubmissionSetUniqueId", unique_id.as_str())];
    assert_eq!(hosted.refused(GET_SET_AND_CONTENTS, &contents).await, [code::TOO_MANY_RESULTS]);
}
