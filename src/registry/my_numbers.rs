//! The Individual Number (My Number), which no medical network may use or keep: metadata that name a patient by one are
//! refused, wherever in them they do, and are not repeated in the refusal.

use super::prepare::Prepared;
use super::rules::{error, rules};
use crate::demographics::Domains;
use crate::metadata::validate::values::pid_field;
use crate::metadata::views::DocumentEntry;
use crate::transactions::errors::{RegistryError, code};

rules! {
    NO_MY_NUMBER "registry.patient-id.my-number" "Act 27 of 2013, article 20"
        "no patient is named by an Individual Number (My Number), be it in patientId, in sourcePatientId or in \
         sourcePatientInfo, unless the identifier's domain is declared to have numbers of twelve digits of its own";
}

/// Fields of PID that name a person: the identifiers of several versions of HL7 v2, the account, the social security number.
const NAMING_FIELDS: [u8; 5] = [2, 3, 4, 18, 19];

/// Checks an object.
pub(super) fn check(domains: &Domains, new: &Prepared, errors: &mut Vec<RegistryError>) {
    let entry = DocumentEntry::of(&new.object);
    let info = entry.map(DocumentEntry::source_patient_info).unwrap_or_default();
    let named = [
        ("patientId", new.patient.as_deref().is_some_and(|cx| domains.refuse_cx(cx))),
        (
            "sourcePatientId",
            entry.and_then(DocumentEntry::source_patient_id).is_some_and(|cx| domains.refuse_cx(cx)),
        ),
        ("sourcePatientInfo", info.iter().any(|value| has_one(domains, value))),
    ];
    for (attribute, _) in named.into_iter().filter(|(_, is_one)| *is_one) {
        let problem = format!("{attribute} has an Individual Number (My Number), which must not be sent");
        errors.push(error(code::REGISTRY_METADATA_ERROR, &NO_MY_NUMBER, new, &problem));
    }
}

/// Whether a value of sourcePatientInfo has one.
fn has_one(domains: &Domains, value: &str) -> bool {
    let names = pid_field(value).is_some_and(|field| NAMING_FIELDS.contains(&field));
    let identifiers = value.split_once('|').map(|(_, identifiers)| identifiers).filter(|_| names);
    identifiers.into_iter().flat_map(|some| some.split('~')).any(|cx| domains.refuse_cx(cx))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demographics::{Domain, DomainKind, TwelveDigits};
    use crate::ids::Oid;

    #[test]
    fn a_my_number_is_found_wherever_it_names_somebody_but_where_a_domain_has_such_numbers() {
        let own = Domain {
            oid: Oid::parse("1.2.4").unwrap(),
            namespace: "CLINIC".to_owned(),
            name: "診療所".to_owned(),
            kind: DomainKind::Patients,
            source: None,
            twelve_digits: TwelveDigits::Own,
        };
        let domains = Domains::new(vec![own]);
        for (cx, expected) in [
            ("123456789018^^^&1.2.3&ISO", true),
            ("1234-5678-9018", true),
            ("123456789018^^^&1.2.4&ISO^PI", false),
            ("123456789012^^^&1.2.3&ISO", false),
            ("", false),
        ] {
            assert_eq!(has_one(&domains, &format!("PID-3|X1^^^&1.2.3&ISO~{cx}")), expected, "{cx}");
            assert!(!has_one(&domains, &format!("PID-5|{cx}")) && !has_one(&domains, cx), "{cx}");
        }
    }
}
