//! Which patient a stored query is about, and the same query about the same person elsewhere (ITI TF-2: 3.18.4.1.3).

use crate::demographics::Domains;
use crate::ids::PatientId;
use crate::transactions::errors::{RegistryError, code};
use crate::transactions::iti18::QueryRequest;

/// FindDocuments.
pub const FIND_DOCUMENTS: &str = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d";

/// The queries by patient, and the parameter that names the patient.
const BY_PATIENT: &[(&str, &str)] = &[
    (FIND_DOCUMENTS, "$XDSDocumentEntryPatientId"),
    ("urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492", "$XDSDocumentEntryPatientId"),
    ("urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9", "$XDSSubmissionSetPatientId"),
    ("urn:uuid:958f3006-baad-4929-a4de-ff1114824431", "$XDSFolderPatientId"),
    ("urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3", "$patientId"),
];

/// Parameters that hold a patient id, whatever the query.
const PATIENT_PARAMETERS: &[&str] =
    &["$XDSDocumentEntryPatientId", "$XDSSubmissionSetPatientId", "$XDSFolderPatientId", "$patientId"];

/// Whether any parameter names a patient.
pub fn names_patient(request: &QueryRequest) -> bool {
    request.parameters.iter().any(|p| PATIENT_PARAMETERS.contains(&p.name.as_str()))
}

/// Refuses a query that names a patient by an Individual Number (My Number), however it is written: nobody may be asked with
/// one. Domains say where twelve digits are none. The refusal does not repeat it.
pub fn refuse_my_number(request: &QueryRequest, domains: &Domains) -> Result<(), RegistryError> {
    let named = |name: &str| PATIENT_PARAMETERS.contains(&name);
    let has_one =
        |value: &String| value.split(['\'', '"', '(', ')', ',']).any(|item| domains.refuse_cx(item.trim()));
    let parameters = || request.parameters.iter().filter(|parameter| named(&parameter.name));
    match parameters().find(|parameter| parameter.values.iter().any(has_one)) {
        Some(parameter) => {
            let name = &parameter.name;
            let context =
                format!("{name}: an Individual Number (My Number) is no patient id and must not be sent");
            Err(RegistryError::error(code::REGISTRY_ERROR, context))
        }
        None => Ok(()),
    }
}

/// The patient that a query is about; None for a query by identifiers. A query by patient that names none, several, or one
/// that is no CX, is refused.
pub fn patient_of(request: &QueryRequest) -> Result<Option<PatientId>, RegistryError> {
    let required = BY_PATIENT.iter().find(|(query, _)| *query == request.query).map(|(_, name)| *name);
    let named = request.parameters.iter().find(|p| PATIENT_PARAMETERS.contains(&p.name.as_str()));
    let Some(parameter) = named else {
        return match required {
            Some(name) => {
                let context = format!("the required parameter {name} is missing (ITI TF-2: 3.18.4.1.2.3.7)");
                Err(RegistryError::error(code::STORED_QUERY_MISSING_PARAM, context))
            }
            None => Ok(None),
        };
    };
    let name = &parameter.name;
    let values: Vec<String> = request.values(name).map(unquoted).collect();
    let [text] = &values[..] else {
        let context = format!("{name} has {} values; it takes one (ITI TF-2: 3.18.4.1.2.3.5)", values.len());
        return Err(RegistryError::error(code::STORED_QUERY_PARAM_NUMBER, context));
    };
    match PatientId::parse(text) {
        // A list of several in one Value: 'a','b'.
        Err(_) if text.contains("','") => {
            let context = format!("{name} has several values; it takes one (ITI TF-2: 3.18.4.1.2.3.5)");
            Err(RegistryError::error(code::STORED_QUERY_PARAM_NUMBER, context))
        }
        Ok(patient) => Ok(Some(patient)),
        Err(_) => {
            let context = format!("{name} must read 'id^^^&OID&ISO' (ITI TF-3: Table 4.2.3.1.7-2)");
            Err(RegistryError::error(code::REGISTRY_ERROR, context))
        }
    }
}

/// The query about another identity of its patient. Everything else is passed on, known or not.
pub fn about(mut request: QueryRequest, from: &PatientId, to: &PatientId) -> QueryRequest {
    if from == to {
        return request;
    }
    for parameter in &mut request.parameters {
        if PATIENT_PARAMETERS.contains(&parameter.name.as_str()) {
            for value in &mut parameter.values {
                if PatientId::parse(&unquoted(value)).is_ok_and(|patient| patient == *from) {
                    *value = format!("'{}'", to.to_cx().replace('\'', "''"));
                }
            }
        }
    }
    request
}

/// A value without its quotes, and without parentheses round a single one. Some peers leave the quotes out.
fn unquoted(value: &str) -> String {
    let bare = value.trim();
    let bare = bare.strip_prefix('(').and_then(|v| v.strip_suffix(')')).unwrap_or(bare).trim();
    match bare.strip_prefix('\'').and_then(|v| v.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => bare.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transactions::iti18::{Parameter, ReturnType};

    fn request(query: &str, parameters: &[(&str, &[&str])]) -> QueryRequest {
        let parameter = |(name, values): &(&str, &[&str])| Parameter {
            name: (*name).to_owned(),
            values: values.iter().map(|v| (*v).to_owned()).collect(),
        };
        QueryRequest {
            query: query.to_owned(),
            home: None,
            return_type: ReturnType::LeafClass,
            parameters: parameters.iter().map(parameter).collect(),
        }
    }

    #[test]
    fn the_patient_is_found_and_translated_wherever_a_query_carries_it() {
        for (query, name) in BY_PATIENT {
            let asked = request(query, &[("$X", &["1"]), (name, &["'O''Hara^^^&1.2&ISO'"])]);
            let patient = patient_of(&asked).unwrap().unwrap();
            assert_eq!(patient.id(), "O'Hara");
            let there = PatientId::parse("d'A^^^&1.3&ISO").unwrap();
            let translated = about(asked.clone(), &patient, &there);
            assert_eq!(translated.parameters[1].values, ["'d''A^^^&1.3&ISO'"]);
            assert_eq!(translated.parameters[0], asked.parameters[0]);
            assert_eq!(about(asked.clone(), &patient, &patient), asked);
        }
    }

    #[test]
    fn a_my_number_is_refused_however_it_is_written_and_not_repeated() {
        for (value, refused) in [
            ("'123456789018^^^&1.2&ISO'", true),
            ("('1^^^&1.2&ISO','1234-5678-9018^^^&1.2&ISO')", true),
            ("( \"123456789018^^^&1.2&ISO\" )", true),
            ("１２３４５６７８９０１８^^^&1.2&ISO", true),
            ("123456789018", true),
            ("'123456789012^^^&1.2&ISO'", false),
        ] {
            for name in PATIENT_PARAMETERS {
                let asked = request("urn:uuid:any", &[("$X", &["1"]), (name, &[value])]);
                let answer = refuse_my_number(&asked, &Domains::default());
                assert_eq!(answer.is_err(), refused, "{value}");
                let context = answer.err().map(|error| error.context).unwrap_or_default();
                assert!(!context.contains("9018") && !context.contains("９０１８"), "{context}");
            }
            let other = request("urn:uuid:any", &[("$XDSDocumentEntryUniqueId", &[value])]);
            assert_eq!(refuse_my_number(&other, &Domains::default()), Ok(()));
        }
    }

    #[test]
    fn a_query_by_patient_needs_exactly_one_that_is_a_cx() {
        let code = |request| patient_of(&request).unwrap_err().code;
        let name = "$XDSDocumentEntryPatientId";
        assert_eq!(code(request(FIND_DOCUMENTS, &[])), "XDSStoredQueryMissingParam");
        let two: &[&str] = &["'1^^^&1.2&ISO'", "'2^^^&1.2&ISO'"];
        assert_eq!(code(request(FIND_DOCUMENTS, &[(name, two)])), "XDSStoredQueryParamNumber");
        let list: &[&str] = &["('1^^^&1.2&ISO','2^^^&1.2&ISO')"];
        assert_eq!(code(request(FIND_DOCUMENTS, &[(name, list)])), "XDSStoredQueryParamNumber");
        assert_eq!(code(request(FIND_DOCUMENTS, &[(name, &["'nobody'"])])), "XDSRegistryError");
        assert_eq!(patient_of(&request("urn:uuid:other", &[])), Ok(None));
    }
}
