//! What comes in must mean what was sent, whatever legal form it has; what goes out must read back.

use bytes::Bytes;

use super::*;
use crate::demographics::{Change, Demographics, Name, NameKind, Telecom};
use crate::wire::xml::Tree;

fn parse(content: &str) -> Tree {
    let document = format!(
        "<x xmlns='urn:hl7-org:v3' xmlns:h='urn:hl7-org:v3' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>{content}</x>"
    );
    Tree::parse(Bytes::from(document)).unwrap()
}

fn name(xml: &str) -> Option<Name> {
    read_name(parse(xml).root().children().next().unwrap())
}

fn patient(content: &str) -> PatientContent {
    read_patient(parse(&format!("<patient>{content}</patient>")).root().children().next().unwrap())
}

#[test]
fn names_in_every_form() {
    let of = |xml| {
        let Name { representation, kind, family, given, further, .. } = name(xml).unwrap();
        (representation.map(|r| format!("{r:?}")).unwrap_or_default(), kind, family, given, further)
    };
    let is = |representation: &str, kind, family: &str, given: &str, further: &str| {
        (representation.to_owned(), kind, family.to_owned(), given.to_owned(), further.to_owned())
    };
    for (xml, expected) in [
        (
            "<name use='IDE'><family>山田</family><given>太郎</given></name>",
            is("Ideographic", NameKind::Legal, "山田", "太郎", ""),
        ),
        (
            "<name use='L SYL'><given>タロウ</given><family>ヤマダ</family></name>",
            is("Phonetic", NameKind::Legal, "ヤマダ", "タロウ", ""),
        ),
        (
            "<h:name use='ABC SRCH'>\n<!-- c --><h:family>Yamada</h:family>, <h:delimiter>,</h:delimiter>\
             <h:given>Taro</h:given><h:given>Jiro</h:given><h:given>S</h:given></h:name>",
            is("Alphabetic", NameKind::Search, "Yamada", "Taro", "Jiro S"),
        ),
        ("<name>山田\u{3000}太郎</name>", is("", NameKind::Legal, "山田", "太郎", "")),
        (
            "<name use='ABC'>Jim Bob Walton</name>",
            is("Alphabetic", NameKind::Legal, "Jim Bob Walton", "", ""),
        ),
        ("<name>YAMADA, Taro</name>", is("", NameKind::Legal, "YAMADA", "Taro", "")),
        (
            "<name use='P'><given>X &amp; <![CDATA[<Y>]]></given></name>",
            is("", NameKind::Alias, "", "X & <Y>", ""),
        ),
        ("<name><family qualifier='SP BR'>旧姓</family></name>", is("", NameKind::Birth, "旧姓", "", "")),
        (
            "<name use='C'><family>de</family><family>la Cruz</family></name>",
            is("", NameKind::Other, "de la Cruz", "", ""),
        ),
    ] {
        assert_eq!(of(xml), expected, "{xml}");
    }
    for nothing in
        ["<name nullFlavor='UNK'/>", "<name/>", "<name xsi:nil='true'/>", "<name><family/> </name>"]
    {
        assert!(name(nothing).is_none(), "{nothing}");
    }
}

#[test]
fn every_gender_code_has_a_meaning() {
    for (xml, expected) in [
        ("code='M'", Some(Sex::Male)),
        ("code='f'", Some(Sex::Female)),
        ("code='UN'", Some(Sex::Other)),
        ("code='O'", Some(Sex::Other)),
        ("code='U'", Some(Sex::Unknown)),
        ("code='whatever'", Some(Sex::Unknown)),
        ("nullFlavor='ASKU'", Some(Sex::Unknown)),
        ("", None),
    ] {
        let tree = parse(&format!("<administrativeGenderCode {xml}/>"));
        assert!(read_sex(tree.root().children().next().unwrap()) == expected, "{xml}");
    }
}

#[test]
fn identifiers_are_own_ones_and_others() {
    let content = patient(
        "<id root='1.2.3' extension=' A '/><id nullFlavor='UNK'/><id root='urn:oid:1.2.4' extension='B' assigningAuthorityName='x'/>
         <patientPerson><id root='1.2.5' extension='C'/>
           <asOtherIDs><id root='1.2.3' extension='A'/><id root='1.2.6' extension='D'/>
             <scopingOrganization><id root='1.2.6'/></scopingOrganization></asOtherIDs>
           <asOtherIDs><id extension='E'/><scopingOrganization><id root='1.2.7'/></scopingOrganization></asOtherIDs>
           <asOtherIDs><id extension='F'/><effectiveTime><high value='20200331'/></effectiveTime>
             <scopingOrganization><id root='1.2.7'/></scopingOrganization></asOtherIDs>
           <asOtherIDs><id nullFlavor='NA'/><scopingOrganization><id root='1.2.8'/></scopingOrganization></asOtherIDs>
         </patientPerson>",
    );
    let found: Vec<_> =
        content.identifiers.iter().map(|id| (id.authority.universal_id.as_str(), id.id.as_str())).collect();
    assert_eq!(found, [("1.2.3", "A"), ("1.2.4", "B"), ("1.2.5", "C"), ("1.2.6", "D"), ("1.2.7", "E")]);
    assert_eq!(content.ended.iter().map(|id| id.id.as_str()).collect::<Vec<_>>(), ["F"]);
    assert_eq!(content.own(), 2);
    let last = "patientPerson/asOtherIDs[2]/id[1]";
    assert_eq!((content.places[1].as_str(), content.places[4].as_str()), ("id[3]", last));
}

#[test]
fn absent_keeps_and_null_takes_away() {
    let content = patient(
        "<patientPerson><name nullFlavor='NI'/><birthTime nullFlavor='UNK'/><telecom value='tel:03'/><telecom nullFlavor='NI'/>
         <deceasedTime value='2020'/><multipleBirthInd value='false'/></patientPerson>",
    );
    let change = &content.change;
    assert_eq!((&change.names, &change.birth), (&Change::Remove, &Change::Remove));
    assert_eq!((&change.addresses, &change.sex), (&Change::Keep, &Change::Keep));
    assert!(matches!(&change.telecoms, Change::Set(all) if all.len() == 1));
    assert_eq!((&change.deceased, &change.multiple_birth), (&Change::Set(true), &Change::Remove));
    assert_eq!(patient("<id root='1.2' extension='x'/>").change, Box::default());
    let misread = patient("<patientPerson><birthTime value='S35.2.29'/></patientPerson>").misread;
    assert_eq!(misread.iter().map(|m| m.element).collect::<Vec<_>>(), ["patientPerson/birthTime"]);
}

#[test]
fn too_many_values_are_refused() {
    let names = "<name><family>x</family></name>".repeat(limits::MAX_PERSON_VALUES + 1);
    let content = patient(&format!("<patientPerson>{names}</patientPerson>"));
    assert_eq!((content.misread.len(), &content.change.names), (1, &Change::Keep));
}

#[test]
fn what_is_written_reads_back() {
    let content = patient(
        "<patientPerson><name use='IDE'><family>山田</family><given>太郎</given></name><name use='SYL'><family>ヤマダ</family>
           <given>タロウ</given></name><name use='ABC'><prefix>Dr.</prefix><family>Yamada</family><given>T.</given>
           <given>J.</given><suffix>PhD</suffix></name><name><family qualifier='BR'>佐藤</family></name>
         <telecom value='tel:03-1234-5678' use='HP'/><telecom value='mailto:a@example.jp'/><telecom value='fax:1'/>
         <administrativeGenderCode code='UN'/><birthTime value='19600229'/><deceasedInd value='false'/>
         <multipleBirthInd value='true'/><multipleBirthOrderNumber value='2'/>
         <addr use='H IDE'><country>JPN</country><state>東京都</state><city>千代田区</city><postalCode>100-0001</postalCode>
           <streetAddressLine>1丁目</streetAddressLine><streetAddressLine>2番</streetAddressLine><houseNumber>3</houseNumber></addr>
         <addr>東京都\n 千代田区</addr>
         <personalRelationship><code code='MTH'/><relationshipHolder1><name><family>鈴木</family></name></relationshipHolder1>
         </personalRelationship><personalRelationship><code code='FTH'/></personalRelationship>
         <birthPlace><addr><city>京都</city></addr><birthplace><name>京都病院</name></birthplace></birthPlace></patientPerson>",
    );
    assert!(content.misread.is_empty(), "{:?}", content.misread);
    let person = content.person();
    let whole = |person: &Demographics| {
        let mut out = Writer::default();
        out.start(Ns::HL7, "patient").declare(&[Ns::HL7]);
        let others = [
            OtherIds { root: "1.2.3", extensions: vec!["x"] },
            OtherIds { root: "1.2.4", extensions: vec![] },
        ];
        write_person(&mut out, person, &others, Detail::All);
        out.end();
        String::from_utf8(out.finish()).unwrap()
    };
    let written = whole(&person);
    let again = read_patient(Tree::parse(Bytes::from(written.clone())).unwrap().root());
    assert_eq!(whole(&again.person()), written);
    assert!(again.person() == person);
    assert_eq!(again.identifiers.len(), 1);
    assert_eq!(person.addresses[0].street, "1丁目 2番");
    assert_eq!(person.addresses[1].text, "東京都 千代田区");
    assert_eq!(person.mothers_maiden_names.len(), 1);
    let mail = |telecom: &Telecom| telecom.mail;
    assert_eq!(person.telecoms.iter().map(mail).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn other_ids_whose_time_is_over_are_passed_over() {
    let scope = "<scopingOrganization><id root='1.2.6'/></scopingOrganization>";
    let other = |id: &str, high: &str| {
        format!(
            "<asOtherIDs><id root='1.2.6' extension='{id}'/><effectiveTime><high value='{high}'/></effectiveTime>{scope}\
             </asOtherIDs>"
        )
    };
    let others = other("PAST", "20200331") + &other("MONTH", "202003") + &other("STILL", "2999");
    let read = patient(&format!("<id root='1.2.3' extension='A'/><patientPerson>{others}</patientPerson>"));
    let ids: Vec<_> = read.identifiers.iter().map(|id| id.id.as_str()).collect();
    assert_eq!(ids, ["A", "STILL"]);
}
