//! Patients as CSV with a header. Columns may be in any order and under the names of FEBRL's sets as well; `docs/cli.md`
//! lists them. UTF-8, or Shift_JIS where a row is no UTF-8.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;

use csv::{ByteRecord, ReaderBuilder};
use encoding_rs::SHIFT_JIS;

use super::{Entry, Item, Items, Naming, named};
use crate::demographics::{
    Address, Demographics, DemographicsChange, Name, Representation, Sex, Telecom, Validity,
};
use crate::identity::index::Dated;
use crate::identity::matching::date;
use crate::time::days_of;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Id,
    Domain,
    Insured,
    InsuredFrom,
    InsuredUntil,
    Family,
    Given,
    FamilyKana,
    GivenKana,
    FamilyRomaji,
    GivenRomaji,
    Birth,
    Sex,
    Postcode,
    State,
    City,
    Street,
    House,
    Other,
    Address,
    Telephone,
    Mail,
    /// The truth of FEBRL's sets, and what nobody may match by.
    PassedOver,
}

/// Names of columns.
const NAMES: [(&str, Column); 36] = [
    ("id", Column::Id),
    ("rec_id", Column::Id),
    ("domain", Column::Domain),
    ("insured", Column::Insured),
    ("insured_from", Column::InsuredFrom),
    ("insured_until", Column::InsuredUntil),
    ("family", Column::Family),
    ("surname", Column::Family),
    ("given", Column::Given),
    ("given_name", Column::Given),
    ("family_kana", Column::FamilyKana),
    ("given_kana", Column::GivenKana),
    ("family_romaji", Column::FamilyRomaji),
    ("given_romaji", Column::GivenRomaji),
    ("birth", Column::Birth),
    ("birth_date", Column::Birth),
    ("date_of_birth", Column::Birth),
    ("sex", Column::Sex),
    ("gender", Column::Sex),
    ("postcode", Column::Postcode),
    ("state", Column::State),
    ("prefecture", Column::State),
    ("city", Column::City),
    ("suburb", Column::City),
    ("street", Column::Street),
    ("address_1", Column::Street),
    ("house_number", Column::House),
    ("street_number", Column::House),
    ("other", Column::Other),
    ("address_2", Column::Other),
    ("address", Column::Address),
    ("telephone", Column::Telephone),
    ("phone", Column::Telephone),
    ("mail", Column::Mail),
    ("age", Column::PassedOver),
    ("soc_sec_id", Column::PassedOver),
];

/// Reads a table into entries. Err if its header cannot be used.
pub fn read(file: impl Read, naming: &Naming, items: &Items) -> Result<(), String> {
    let mut reader = ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(file);
    let header = reader.byte_headers().map_err(|error| error.to_string())?.clone();
    let columns = columns(&header, naming)?;
    let mut record = ByteRecord::new();
    loop {
        let line = reader.position().line();
        let entry = match reader.read_byte_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) => Row::read(&columns, &record).and_then(|row| row.entry(naming)),
            Err(error) if error.is_io_error() => return Err(error.to_string()),
            Err(_) => Err("the row is no CSV".to_owned()),
        };
        if items.blocking_send(Item { line, entry }).is_err() {
            return Ok(());
        }
    }
}

fn columns(header: &ByteRecord, naming: &Naming) -> Result<Vec<Column>, String> {
    let names = header.iter().map(|name| {
        let name = String::from_utf8_lossy(name).trim_start_matches('\u{feff}').trim().to_ascii_lowercase();
        let known = NAMES.iter().find(|(known, _)| *known == name);
        known
            .map(|(_, column)| *column)
            .ok_or_else(|| format!("column {name:?} is unknown; docs/cli.md lists them"))
    });
    let columns: Vec<Column> = names.collect::<Result<_, _>>()?;
    match (columns.contains(&Column::Id), columns.contains(&Column::Domain) || naming.patients.is_some()) {
        (false, _) => Err("there is no column id".to_owned()),
        (_, false) => Err("whose are the ids? Give --domain, or a column domain".to_owned()),
        (true, true) if columns.contains(&Column::Insured) && naming.insured.is_none() => {
            Err("whose are the numbers in column insured? Give --insured-domain".to_owned())
        }
        (true, true) => Ok(columns),
    }
}

/// A row's texts by column; empty ones are not there.
struct Row<'r>(BTreeMap<Column, Cow<'r, str>>);

impl<'r> Row<'r> {
    fn read(columns: &[Column], record: &'r ByteRecord) -> Result<Self, String> {
        if record.len() != columns.len() {
            return Err(format!("{} fields where the header has {}", record.len(), columns.len()));
        }
        let mut texts = BTreeMap::new();
        for (column, field) in columns.iter().zip(record) {
            let text = decode(field).ok_or("the row is neither UTF-8 nor Shift_JIS")?;
            if !text.is_empty() {
                texts.insert(*column, text);
            }
        }
        Ok(Self(texts))
    }

    fn text(&self, column: Column) -> String {
        self.0.get(&column).map(|text| text.to_string()).unwrap_or_default()
    }

    fn entry(&self, naming: &Naming) -> Result<Entry, String> {
        let domain = match self.0.get(&Column::Domain) {
            Some(name) => named(&naming.domains, name)
                .map_err(|_| "the domain is neither an OID nor a namespace of the configuration")?,
            None => naming.patients.clone().ok_or("there is no domain")?,
        };
        let mut identifiers = vec![naming.identifier(&self.text(Column::Id), &domain)?.into()];
        if let (Some(number), Some(domain)) = (self.0.get(&Column::Insured), &naming.insured) {
            let validity =
                Validity::between(self.days(Column::InsuredFrom)?, self.days(Column::InsuredUntil)?);
            identifiers.push(Dated { patient: naming.identifier(number, domain)?, validity });
        }
        let change = Box::new(DemographicsChange::set(&self.person()?));
        Ok(Entry::Announce { identifiers, change, visit: None })
    }

    fn days(&self, column: Column) -> Result<Option<(i64, i64)>, String> {
        let Some(text) = self.0.get(&column) else { return Ok(None) };
        let days = date::read(text).and_then(|date| days_of(date.as_str()));
        days.map(Some).ok_or_else(|| "a day of the insurance is no date".to_owned())
    }

    fn person(&self) -> Result<Demographics, String> {
        let birth = self.0.get(&Column::Birth).map(|text| date::read(text).ok_or("the birth is no date"));
        let sex = self.0.get(&Column::Sex).map(|text| sex(text).ok_or("the sex is none of M, F, O, U"));
        let telecom = |column, mail| {
            let value = self.text(column);
            (!value.is_empty()).then(|| Telecom { value, mail, ..Telecom::default() })
        };
        Ok(Demographics {
            names: self.names(),
            birth: birth.transpose()?,
            sex: sex.transpose()?,
            addresses: self.address().into_iter().collect(),
            telecoms: [telecom(Column::Telephone, false), telecom(Column::Mail, true)]
                .into_iter()
                .flatten()
                .collect(),
            ..Demographics::default()
        })
    }

    fn names(&self) -> Vec<Name> {
        let scripts = [
            (Column::Family, Column::Given, None),
            (Column::FamilyKana, Column::GivenKana, Some(Representation::Phonetic)),
            (Column::FamilyRomaji, Column::GivenRomaji, Some(Representation::Alphabetic)),
        ];
        let names = scripts.into_iter().map(|(family, given, representation)| Name {
            family: self.text(family),
            given: self.text(given),
            representation,
            ..Name::default()
        });
        names.filter(|name| !name.family.is_empty() || !name.given.is_empty()).collect()
    }

    fn address(&self) -> Option<Address> {
        let address = Address {
            postcode: self.text(Column::Postcode),
            state: self.text(Column::State),
            city: self.text(Column::City),
            street: self.text(Column::Street),
            house_number: self.text(Column::House),
            other: self.text(Column::Other),
            text: self.text(Column::Address),
            ..Address::default()
        };
        (address != Address::default()).then_some(address)
    }
}

fn decode(field: &[u8]) -> Option<Cow<'_, str>> {
    match std::str::from_utf8(field) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => SHIFT_JIS.decode_without_bom_handling_and_without_replacement(field),
    }
}

fn sex(text: &str) -> Option<Sex> {
    Some(match text.to_ascii_uppercase().as_str() {
        "M" | "MALE" | "男" | "男性" | "1" => Sex::Male,
        "F" | "FEMALE" | "女" | "女性" | "2" => Sex::Female,
        "O" | "その他" | "9" => Sex::Other,
        "U" | "不明" | "0" => Sex::Unknown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demographics::{Change, Domain, DomainKind, Domains};
    use crate::ids::Oid;

    fn naming() -> Naming {
        let oid = Oid::parse("1.2.3").unwrap();
        let domain = Domain {
            oid: oid.clone(),
            namespace: "A".into(),
            name: String::new(),
            kind: DomainKind::Patients,
            source: None,
            twelve_digits: Default::default(),
        };
        Naming {
            domains: std::sync::Arc::new(Domains::new(vec![domain])),
            patients: Some(oid),
            insured: None,
            charset: crate::wire::hl7v2::Charset::Utf8,
        }
    }

    fn rows(text: &[u8]) -> Result<Vec<Item>, String> {
        let (items, mut received) = tokio::sync::mpsc::channel(100);
        read(text, &naming(), &items)?;
        drop(items);
        Ok(std::iter::from_fn(|| received.blocking_recv()).collect())
    }

    #[test]
    fn good_rows_are_read_and_bad_ones_told_with_their_line() {
        let (shift_jis, ..) = SHIFT_JIS.encode("5,表,能,S35.2.29,女\n");
        let mut table = "\u{feff}id,family,given,birth,sex\n1,山田,花子,1960-02-29,F\n2,山田\n3,a,b,1960-13-01,M\n,a,b,,\n"
            .as_bytes()
            .to_vec();
        table.extend_from_slice(&shift_jis);
        table.extend_from_slice(b"123456789018,a,b,,\n");
        let rows = rows(&table).unwrap();
        let lines: Vec<_> = rows.iter().map(|row| (row.line, row.entry.is_ok())).collect();
        assert_eq!(lines, [(2, true), (3, false), (4, false), (5, false), (6, true), (7, false)]);
        let Ok(Entry::Announce { change, .. }) = &rows[4].entry else { panic!() };
        let Change::Set(birth) = &change.birth else { panic!() };
        assert_eq!(birth.as_str(), "19600229");
        let Change::Set(names) = &change.names else { panic!() };
        assert_eq!((names[0].family.as_str(), names[0].given.as_str()), ("表", "能"));
    }

    #[test]
    fn febrl_sets_are_read_without_what_holds_the_truth() {
        let table = b"rec_id, given_name, surname, street_number, address_1, address_2, suburb, postcode, state, date_of_birth, soc_sec_id\n\
            rec-1-org, ann, lee, 7, high street, , kew, 3101, vic, 19700131, 1234567\n";
        let rows = rows(table).unwrap();
        let Ok(Entry::Announce { identifiers, change, .. }) = &rows[0].entry else { panic!() };
        assert_eq!(identifiers.len(), 1);
        let Change::Set(addresses) = &change.addresses else { panic!() };
        assert_eq!((addresses[0].city.as_str(), addresses[0].house_number.as_str()), ("kew", "7"));
    }

    #[test]
    fn a_header_that_cannot_be_used_is_told() {
        for header in ["name,birth\n", "id,shoe_size\n", "id,insured\n"] {
            assert!(rows(header.as_bytes()).is_err(), "{header}");
        }
    }
}
