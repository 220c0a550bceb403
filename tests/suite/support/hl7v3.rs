//! HL7 V3 messages as a peer writes them: with the default namespace, and every value its own.

/// Who sends, and to whom.
const WRAPPER: &str = "<receiver typeCode=\"RCV\"><device classCode=\"DEV\" determinerCode=\"INSTANCE\"><id root=\"2.999.8\"/>\
    </device></receiver><sender typeCode=\"SND\"><device classCode=\"DEV\" determinerCode=\"INSTANCE\"><id root=\"2.999.9\"/>\
    </device></sender>";

/// A message: its interaction, what stands in its wrapper behind the sender, and its control act.
pub fn message(interaction: &str, behind: &str, act: &str) -> String {
    let trigger = match interaction {
        "QUQI_IN000003UV01" => "PRPA_TE000003UV01".to_owned(),
        other => other.replace("_IN", "_TE"),
    };
    format!(
        "<{interaction} xmlns=\"urn:hl7-org:v3\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         ITSVersion=\"XML_1.0\"><id root=\"2.999.7\" extension=\"M-1\"/><creationTime value=\"20261121130000\"/>\
         <interactionId root=\"2.16.840.1.113883.1.6\" extension=\"{interaction}\"/><processingCode code=\"T\"/>\
         <processingModeCode code=\"T\"/><acceptAckCode code=\"AL\"/>{WRAPPER}{behind}\
         <controlActProcess classCode=\"CACT\" moodCode=\"EVN\"><code code=\"{trigger}\" \
         codeSystem=\"2.16.840.1.113883.1.6\"/>{act}</controlActProcess></{interaction}>"
    )
}

/// An II.
pub fn id(root: &str, extension: &str) -> String {
    format!("<id root=\"{root}\" extension=\"{extension}\"/>")
}

/// The subject of a feed: identifiers, the content of patientPerson, and what replaces an older registration.
pub fn subject(ids: &str, person: &str, replacement: &str) -> String {
    format!(
        "<subject typeCode=\"SUBJ\"><registrationEvent classCode=\"REG\" moodCode=\"EVN\"><id nullFlavor=\"NA\"/>\
         <statusCode code=\"active\"/><subject1 typeCode=\"SBJ\"><patient classCode=\"PAT\">{ids}<statusCode \
         code=\"active\"/><patientPerson classCode=\"PSN\" determinerCode=\"INSTANCE\">{person}</patientPerson>\
         <providerOrganization classCode=\"ORG\" determinerCode=\"INSTANCE\"><id root=\"2.999.1\"/><contactParty \
         classCode=\"CON\"><telecom value=\"tel:03-0000-0000\"/></contactParty></providerOrganization></patient>\
         </subject1><custodian typeCode=\"CST\"><assignedEntity classCode=\"ASSIGNED\"><id root=\"2.999.1\"/>\
         </assignedEntity></custodian>{replacement}</registrationEvent></subject>"
    )
}

/// A record is added.
pub fn add(ids: &str, person: &str) -> String {
    message("PRPA_IN201301UV02", "", &subject(ids, person, ""))
}

/// A record is revised.
pub fn revise(ids: &str, person: &str) -> String {
    message("PRPA_IN201302UV02", "", &subject(ids, person, ""))
}

/// Duplicates are resolved.
pub fn merge(surviving: &str, subsumed: &str, person: &str) -> String {
    message("PRPA_IN201304UV02", "", &subject(surviving, person, &replacement(subsumed)))
}

/// An older registration with those identifiers.
pub fn replacement(ids: &str) -> String {
    format!(
        "<replacementOf typeCode=\"RPLC\"><priorRegistration classCode=\"REG\" moodCode=\"EVN\"><statusCode \
         code=\"obsolete\"/><subject1 typeCode=\"SBJ\"><priorRegisteredRole classCode=\"PAT\">{ids}</priorRegisteredRole>\
         </subject1></priorRegistration></replacementOf>"
    )
}

/// A PIX query.
pub fn corresponding(root: &str, extension: &str, wanted: &[&str]) -> String {
    let wanted = wanted.iter().map(|oid| {
        format!(
            "<dataSource><value root=\"{oid}\"/><semanticsText>DataSource.id</semanticsText></dataSource>"
        )
    });
    message(
        "PRPA_IN201309UV02",
        "",
        &format!(
            "<queryByParameter><queryId root=\"2.999.7\" extension=\"Q-1\"/><statusCode code=\"new\"/>\
             <responsePriorityCode code=\"I\"/><parameterList>{}<patientIdentifier><value root=\"{root}\" \
             extension=\"{extension}\"/><semanticsText>Patient.id</semanticsText></patientIdentifier></parameterList>\
             </queryByParameter>",
            wanted.collect::<String>()
        ),
    )
}

/// A demographics query: pages of so many, and its parameters.
pub fn find(page: Option<usize>, parameters: &str) -> String {
    let page =
        page.map(|page| format!("<initialQuantity value=\"{page}\"/><initialQuantityCode code=\"RD\"/>"));
    message(
        "PRPA_IN201305UV02",
        "",
        &format!(
            "<queryByParameter><queryId root=\"2.999.7\" extension=\"Q-1\"/><statusCode code=\"new\"/>\
             <responseModalityCode code=\"R\"/><responsePriorityCode code=\"I\"/>{}<parameterList>{parameters}\
             </parameterList></queryByParameter>",
            page.unwrap_or_default()
        ),
    )
}

/// One parameter.
pub fn parameter(name: &str, value: &str) -> String {
    format!("<{name}>{value}<semanticsText>{name}</semanticsText></{name}>")
}

/// A family name as a parameter.
pub fn family(name: &str) -> String {
    parameter("livingSubjectName", &format!("<value use=\"SRCH\"><family>{name}</family></value>"))
}

/// Going on with a query, or giving it up.
pub fn continuation(query: &str, start: Option<usize>, quantity: usize, status: &str) -> String {
    let start = start.map(|start| format!("<startResultNumber value=\"{start}\"/>")).unwrap_or_default();
    message(
        "QUQI_IN000003UV01",
        "<acknowledgement><typeCode code=\"AA\"/><targetMessage><id root=\"2.999.7\" extension=\"A-1\"/></targetMessage>\
         </acknowledgement>",
        &format!(
            "<queryContinuation><queryId root=\"2.999.7\" extension=\"{query}\"/>{start}<continuationQuantity \
             value=\"{quantity}\"/><statusCode code=\"{status}\"/></queryContinuation>"
        ),
    )
}

/// Somebody with names in three scripts, born in a year.
pub fn person(kanji: (&str, &str), kana: (&str, &str), romaji: (&str, &str), born: &str) -> String {
    let name = |scheme: &str, (family, given): (&str, &str)| {
        format!("<name use=\"{scheme}\"><family>{family}</family><given>{given}</given></name>")
    };
    format!(
        "{}{}{}<telecom value=\"tel:03-1234-5678\" use=\"HP\"/><administrativeGenderCode code=\"F\" \
         codeSystem=\"2.16.840.1.113883.5.1\"/><birthTime value=\"{born}\"/><addr use=\"H\"><state>東京都</state>\
         <city>千代田区</city><postalCode>100-0001</postalCode><streetAddressLine>千代田1丁目1番1号</streetAddressLine>\
         </addr>",
        name("IDE", kanji),
        name("SYL", kana),
        name("ABC", romaji)
    )
}
