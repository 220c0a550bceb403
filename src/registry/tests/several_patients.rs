//! ITI-51: what is asked about several patients, and only there.

use super::*;

const FIND_DOCUMENTS_OF_SEVERAL: &str = "urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f";
const FIND_FOLDERS_OF_SEVERAL: &str = "urn:uuid:50d3f5ac-39a2-11de-a1ca-b366239e58df";
const FIND_BY_REFERENCE_OF_SEVERAL: &str = "urn:uuid:1191642d-86c4-42d8-b784-f95445f9f0d5";

const BOTH_PATIENTS: &str = "('P1^^^&1.2.3&ISO','P2^^^&1.2.3&ISO')";

async fn ask_several(hosted: &Hosted, query: &str, parameters: &[(&str, &str)]) -> QueryResponse {
    let request = Hosted::question(query, ReturnType::LeafClass, parameters);
    hosted.registry.query_several_patients(request).await.unwrap()
}

async fn find_several(hosted: &Hosted, query: &str, parameters: &[(&str, &str)]) -> Vec<String> {
    let answer = ask_several(hosted, query, parameters).await;
    assert_eq!(answer.errors, [], "{parameters:?}");
    ids(&answer)
}

#[tokio::test]
async fn entries_and_folders_of_several_patients_are_found_at_once() {
    let hosted = Hosted::new();
    let [one, two, mine, theirs] = [uuid(), uuid(), uuid(), uuid()];
    let reference = "order1^^^&1.2.3.9&ISO^urn:ihe:iti:xds:2013:order";
    let first = entry(&one).class_code(&code("class1")).reference_ids([reference]);
    hosted.accept(&Draft::new().entry(first).folder(&mine)).await;
    let second = entry_of(&two, OTHER_PATIENT).event_codes([&code("event")]).facility_type_code(&code("11"));
    hosted.accept(&Draft::of(OTHER_PATIENT).entry(second).folder(&theirs)).await;

    let status = ("$XDSDocumentEntryStatus", APPROVED);
    let both = sorted(&[&one, &two]);
    for (wanted, expected) in [
        (("$XDSDocumentEntryPatientId", BOTH_PATIENTS), both.clone()),
        (("$XDSDocumentEntryPatientId", "('P2^^^&1.2.3&ISO')"), vec![two.clone()]),
        (("$XDSDocumentEntryPatientId", "('P2^^^&1.2.3&ISO','P3^^^&1.2.3&ISO')"), vec![two.clone()]),
        (("$XDSDocumentEntryClassCode", "('class1^^1.2.3.5','class^^1.2.3.5')"), both.clone()),
        (("$XDSDocumentEntryEventCodeList", "('event^^1.2.3.5')"), vec![two.clone()]),
        (("$XDSDocumentEntryHealthcareFacilityTypeCode", "('11^^1.2.3.5')"), vec![two.clone()]),
    ] {
        assert_eq!(find_several(&hosted, FIND_DOCUMENTS_OF_SEVERAL, &[status, wanted]).await, expected);
    }
    let narrowed = [
        status,
        ("$XDSDocumentEntryPatientId", BOTH_PATIENTS),
        ("$XDSDocumentEntryClassCode", "('class1^^1.2.3.5')"),
    ];
    assert_eq!(find_several(&hosted, FIND_DOCUMENTS_OF_SEVERAL, &narrowed).await, [one.as_str()]);
    let referring = [status, ("$XDSDocumentEntryReferenceIdList", "('order1%')")];
    assert_eq!(find_several(&hosted, FIND_BY_REFERENCE_OF_SEVERAL, &referring).await, [one.as_str()]);

    let status = ("$XDSFolderStatus", APPROVED);
    let both = sorted(&[&mine, &theirs]);
    for (wanted, expected) in [
        (("$XDSFolderPatientId", BOTH_PATIENTS), both.clone()),
        (("$XDSFolderPatientId", "('P1^^^&1.2.3&ISO')"), vec![mine.clone()]),
        (("$XDSFolderCodeList", "('folder^^1.2.3.5')"), both.clone()),
    ] {
        assert_eq!(find_several(&hosted, FIND_FOLDERS_OF_SEVERAL, &[status, wanted]).await, expected);
    }
}

#[tokio::test]
async fn something_must_narrow_the_question() {
    let hosted = Hosted::new();
    hosted.accept(&Draft::new().entry(entry(&uuid()))).await;
    for (query, parameters, expected) in [
        (
            FIND_DOCUMENTS_OF_SEVERAL,
            vec![("$XDSDocumentEntryStatus", APPROVED), ("$XDSDocumentEntryTypeCode", "('type^^1.2.3.5')")],
            code::STORED_QUERY_MISSING_PARAM,
        ),
        (FIND_FOLDERS_OF_SEVERAL, vec![("$XDSFolderStatus", APPROVED)], code::STORED_QUERY_MISSING_PARAM),
        (
            FIND_DOCUMENTS_OF_SEVERAL,
            vec![("$XDSDocumentEntryPatientId", BOTH_PATIENTS)],
            code::STORED_QUERY_MISSING_PARAM,
        ),
        (
            FIND_BY_REFERENCE_OF_SEVERAL,
            vec![("$XDSDocumentEntryStatus", APPROVED)],
            code::STORED_QUERY_MISSING_PARAM,
        ),
        // A query about one patient is not asked here.
        (FIND_DOCUMENTS, vec![("$XDSDocumentEntryStatus", APPROVED)], code::UNKNOWN_STORED_QUERY),
    ] {
        let answer = ask_several(&hosted, query, &parameters).await;
        assert_eq!((answer.status, answer.objects.len()), (Status::Failure, 0));
        assert_eq!(answer.errors.len(), 1, "{:?}", answer.errors);
        assert_eq!(answer.errors[0].code, expected);
    }
}

/// A Registry Stored Query is never a way to ask about everybody.
#[tokio::test]
async fn queries_about_several_patients_are_unknown_to_iti_18() {
    let hosted = Hosted::new();
    for query in [FIND_DOCUMENTS_OF_SEVERAL, FIND_FOLDERS_OF_SEVERAL, FIND_BY_REFERENCE_OF_SEVERAL] {
        let parameters =
            [("$XDSDocumentEntryPatientId", BOTH_PATIENTS), ("$XDSDocumentEntryStatus", APPROVED)];
        assert_eq!(hosted.refused(query, &parameters).await, [code::UNKNOWN_STORED_QUERY]);
    }
}
