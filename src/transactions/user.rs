//! The user on whose behalf a message is sent, as a verified assertion describes them (XUA, ITI TF-2: 3.40.4.1.2).
//! [`crate::trust`] fills it in; actors and whatever decides or records for them read it.

use super::Purpose;
use crate::ids::HomeCommunityId;

/// A user. Whatever may be repeated in an assertion is a list, in its order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct User {
    /// EntityID of the identity provider that vouches for all of this.
    pub issuer: String,
    /// Subject/NameID.
    pub name_id: String,
    /// Its Format.
    pub name_id_format: Option<String>,
    /// Its NameQualifier: in some networks the kind of person.
    pub name_qualifier: Option<String>,
    /// Its SPProvidedID: the alias of the audit trail's UserName (ITI TF-2: 3.40.4.2).
    pub alias: Option<String>,
    /// AuthnContextClassRef or AuthnContextDeclRef: how they proved who they are.
    pub authentication: Vec<String>,
    /// `subject-id`: their name, for people.
    pub names: Vec<String>,
    /// `organization`, for people.
    pub organizations: Vec<String>,
    /// `organization-id`: `urn:oid:…` or a URL.
    pub organization_ids: Vec<String>,
    /// `homeCommunityId`: from which communities. What is no such identifier is left out.
    pub communities: Vec<HomeCommunityId>,
    /// `role` (Subject-Role Option).
    pub roles: Vec<Coded>,
    /// `purposeofuse` (PurposeOfUse Option), as it was written; see [`User::purpose`].
    pub purposes: Vec<Coded>,
    /// `npi` and `provider-identifier`: an identifier and, where it is told, whose.
    pub provider_ids: Vec<Coded>,
    /// `resource-id`: the patients that they ask about, as CX.
    pub patients: Vec<String>,
    /// `docid` (Authz-Consent Option): consent documents.
    pub consents: Vec<String>,
    /// `acp` (Authz-Consent Option): policies that were consented to.
    pub policies: Vec<String>,
}

/// A coded value (HL7 V3 CE), or an identifier of an authority (II).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Coded {
    /// `code`; `extension` of an identifier; the text where there is no more than one.
    pub code: String,
    /// `codeSystem`, or `root`, without `urn:oid:`; empty where none is told.
    pub system: String,
    /// `displayName`.
    pub display: Option<String>,
}

/// Codes of purposes: code system, code. Whatever is in none of these is [`Purpose::Other`].
const PURPOSES: [(&str, &str, Purpose); 9] = [
    // ISO 14265, classification of purposes for processing personal health information.
    ("1.0.14265.1", "1", Purpose::Treatment),
    ("1.0.14265.1", "2", Purpose::Emergency),
    // HL7 V3 ActReason, by the OID of the code system and of its value set PurposeOfUse.
    (ACT_REASON, "TREAT", Purpose::Treatment),
    (ACT_REASON, "ETREAT", Purpose::Emergency),
    (ACT_REASON, "BTG", Purpose::Emergency),
    // XSPA.
    ("2.16.840.1.113883.3.18.7.1", "TREATMENT", Purpose::Treatment),
    ("2.16.840.1.113883.3.18.7.1", "EMERGENCY", Purpose::Emergency),
    // The Swiss electronic patient record.
    ("2.16.756.5.30.1.127.3.10.5", "NORM", Purpose::Treatment),
    ("2.16.756.5.30.1.127.3.10.5", "EMER", Purpose::Emergency),
];
const ACT_REASON: &str = "2.16.840.1.113883.5.8";
/// What PURPOSES calls by another name.
const SAME_SYSTEMS: [(&str, &str); 1] = [("2.16.840.1.113883.1.11.20448", ACT_REASON)];

impl User {
    /// For what purpose they ask: in an emergency if one of their purposes is, else to treat somebody if one is. None
    /// where no purpose is told.
    pub fn purpose(&self) -> Option<Purpose> {
        let purposes = || self.purposes.iter().map(Coded::purpose);
        [Purpose::Emergency, Purpose::Treatment]
            .into_iter()
            .find(|wanted| purposes().any(|purpose| purpose == *wanted))
            .or_else(|| purposes().next())
    }
}

impl Coded {
    fn purpose(&self) -> Purpose {
        let system = SAME_SYSTEMS.iter().find(|(other, _)| *other == self.system);
        let system = system.map_or(self.system.as_str(), |(_, system)| system);
        let known =
            PURPOSES.iter().find(|(of, code, _)| *of == system && code.eq_ignore_ascii_case(&self.code));
        known.map_or(Purpose::Other, |(_, _, purpose)| *purpose)
    }
}

/// Nothing of a user stands in a log.
impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("User")
    }
}

/// The same: the code may be somebody's number.
impl std::fmt::Debug for Coded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Coded")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emergency_is_one_by_its_code_and_system() {
        let user = |purposes: &[(&str, &str)]| {
            let coded = |&(code, system): &(&str, &str)| Coded {
                code: code.to_owned(),
                system: system.to_owned(),
                display: None,
            };
            User { purposes: purposes.iter().map(coded).collect(), ..User::default() }
        };
        for (purposes, expected) in [
            (&[][..], None),
            (&[("2", "1.0.14265.1")], Some(Purpose::Emergency)),
            (&[("12", "1.0.14265.1"), ("1", "1.0.14265.1")], Some(Purpose::Treatment)),
            (&[("TREAT", ACT_REASON), ("btg", "2.16.840.1.113883.1.11.20448")], Some(Purpose::Emergency)),
            (&[("EMER", "2.16.756.5.30.1.127.3.10.5")], Some(Purpose::Emergency)),
            // A code says nothing without its system.
            (&[("EMER", ""), ("2", "1.2.3")], Some(Purpose::Other)),
        ] {
            assert_eq!(user(purposes).purpose(), expected, "{expected:?}");
        }
    }
}
