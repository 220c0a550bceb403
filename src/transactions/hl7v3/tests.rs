//! Wrappers and queries, read and written.

use bytes::Bytes;

use super::query::{FindQuery, Priority, locate, read_query, write_query};
use super::*;
use crate::demographics::{
    Address, Authority, BirthRange, BirthTime, Identifier, Name, Representation, Sex, Telecom,
};
use crate::transactions::identity::{DemographicsQuery, Place};
use crate::wire::xml::Tree;

fn parse(document: impl Into<String>) -> Tree {
    Tree::parse(Bytes::from(document.into())).unwrap()
}

#[test]
fn a_wrapper_reads_back_and_its_answer_goes_the_other_way() {
    let sender = Party { device: Ii::of_root("1.2.3"), organization: Some("1.2.9".into()) };
    let receiver =
        Party { device: Ii { root: "1.2.4".into(), extension: Some("x".into()) }, organization: None };
    let header = Header { respond_to: Some("http://a/"), ..Header::new(&sender, &receiver) };
    let mut out = Writer::default();
    header.open(&mut out, &FIND_CANDIDATES);
    open_control_act(&mut out, &FIND_CANDIDATES);
    out.end().end();
    let tree = Tree::parse(out.finish().into()).unwrap();
    let read = Transmission::read(tree.root(), &FIND_CANDIDATES).unwrap();
    assert_eq!((&read.message, &read.sender, &read.receiver), (&header.message, &sender, &receiver));
    assert_eq!(read.respond_to.as_deref(), Some("http://a/"));
    let acknowledgement =
        Acknowledgement { code: AckCode::Answered, target: read.message.clone(), details: Vec::new() };
    let answer = Header::answer(&read, &acknowledgement);
    assert_eq!((answer.sender, answer.receiver), (&receiver, &sender));
    let mut out = Writer::default();
    answer.open(&mut out, &ACKNOWLEDGED);
    out.end();
    let tree = Tree::parse(out.finish().into()).unwrap();
    assert_eq!(read_acknowledgement(tree.root()), Some(acknowledgement));
}

#[test]
fn a_wrapper_without_what_an_answer_needs_is_broken() {
    let message = |content: &str| {
        Transmission::read(
            parse(format!("<PRPA_IN201305UV02 xmlns='urn:hl7-org:v3'>{content}</PRPA_IN201305UV02>")).root(),
            &FIND_CANDIDATES,
        )
    };
    let rule = |content: &str| message(content).unwrap_err().rule;
    assert_eq!(rule(""), "v3.message-id");
    assert_eq!(rule("<id nullFlavor='NI' root='1.2'/>"), "v3.message-id");
    assert_eq!(rule(&format!("<id root='{}'/>", "1".repeat(300))), "v3.message-id");
    assert_eq!(
        rule("<id root='1.2'/><interactionId root='1' extension='PRPA_IN201309UV02'/>"),
        "v3.interaction"
    );
    assert_eq!(rule("<id root='1.2'/><receiver/><receiver/>"), "v3.receiver");
    // Everything else may be missing.
    assert_eq!(message("<id root='1.2'/>").unwrap().processing, "P");
}

#[test]
fn a_query_reads_back() {
    let name =
        |family: &str, representation| Name { family: family.into(), representation, ..Name::default() };
    let birth = |text| BirthTime::parse(text);
    let query = FindQuery {
        who: DemographicsQuery {
            identifiers: vec![
                Identifier { id: "A".into(), authority: Authority::of_oid("1.2.3"), ..Identifier::default() },
                Identifier { id: "B".into(), authority: Authority::of_oid("1.2.4"), ..Identifier::default() },
            ],
            names: vec![name("山田", Some(Representation::Ideographic)), name("Yamada", None)],
            birth: Some(BirthRange::Between(birth("1960"), birth("19610601"))),
            sex: Some(Sex::Female),
            addresses: vec![Address { city: "千代田区".into(), ..Address::default() }],
            telecoms: vec![Telecom { value: "03".into(), ..Telecom::default() }],
            mothers_maiden_names: vec![name("鈴木", None)],
            birth_place: Some("京都".into()),
            birth_place_address: Some(Address { city: "京都市".into(), ..Address::default() }),
            wanted: vec![Authority::of_oid("1.2.5")],
            minimum_degree: Some(80),
            ..DemographicsQuery::default()
        },
        page: Some(10),
        priority: Priority::Deferred,
    };
    let mut out = Writer::default();
    out.start(Ns::HL7, "r").declare(&[Ns::HL7, Ns::XSI]);
    write_query(&mut out, &Ii::of_root("1.2"), &query);
    out.end();
    let tree = Tree::parse(out.finish().into()).unwrap();
    assert_eq!(read_query(tree.root().children().next().unwrap()), (query, Vec::new()));
}

#[test]
fn what_cannot_be_read_of_a_query_is_said_with_its_place() {
    let tree = parse(
        "<q xmlns='urn:hl7-org:v3'><parameterList><livingSubjectBirthTime><value><low value='x'/></value>
         </livingSubjectBirthTime></parameterList></q>",
    );
    let (_, errors) = read_query(tree.root());
    assert_eq!(
        locate("PRPA_IN201305UV02", &errors[0].place).unwrap(),
        "/PRPA_IN201305UV02/controlActProcess/queryByParameter/parameterList/livingSubjectBirthTime/value"
    );
    assert_eq!(
        locate("R", &Place::Wanted(2)).unwrap(),
        "/R/controlActProcess/queryByParameter/parameterList/otherIDsScopingOrganization[2]/value"
    );
}

#[test]
fn of_a_query_that_cannot_be_read_the_rest_is_repeated() {
    let tree = parse(
        "<M xmlns='urn:hl7-org:v3'><controlActProcess><queryByParameter><queryId root='1.2'/><odd/><parameterList>
         <livingSubjectBirthTime><value value='x'/><semanticsText/></livingSubjectBirthTime>
         <livingSubjectId><value root='1.2.3' extension='A'/><semanticsText/></livingSubjectId>
         <livingSubjectId><value extension='B'/><semanticsText/></livingSubjectId>
         </parameterList></queryByParameter></controlActProcess></M>",
    );
    let (asked, echo) = query::read(tree.root()).unwrap();
    assert_eq!(asked.unwrap_err().len(), 1);
    let mut out = Writer::default();
    echo.write(&mut out);
    let written = String::from_utf8(out.finish()).unwrap();
    assert!(written.contains("root=\"1.2.3\" extension=\"A\""), "{written}");
    for gone in ["odd", "BirthTime", "extension=\"B\""] {
        assert!(!written.contains(gone), "{written}");
    }
}

#[test]
fn a_query_is_echoed_byte_for_byte() {
    let query = "<q:queryByParameter  a='1'><q:queryId root='1.2'/><!-- kept --><q:x>&#228;</q:x></q:queryByParameter>";
    let tree = parse(format!(
        "<q:M xmlns:q='urn:hl7-org:v3'><q:controlActProcess>{query}</q:controlActProcess></q:M>"
    ));
    let (_, echo) = Echo::read(tree.root()).unwrap();
    let mut out = Writer::default();
    out.start(Ns::HL7, "M").declare(&[Ns::HL7]);
    echo.write(&mut out);
    out.end();
    let expected = query.replacen("<q:queryByParameter", "<q:queryByParameter xmlns:q=\"urn:hl7-org:v3\"", 1);
    assert!(String::from_utf8(out.finish()).unwrap().contains(&expected));
}
