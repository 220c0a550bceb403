//! The forms that values must have (ITI TF-3: Table 4.2.3.1.7-2 and the attributes' own sections), each as data: what it
//! is called, what it asks for, and the check. Values come from outside, so no check may panic on any text.

use crate::ids::{EntryUuid, HomeCommunityId, Oid, PatientId};
use crate::metadata::codes;
use crate::time::is_dtm;

/// A form of values.
#[derive(Debug)]
pub struct Form {
    /// What a value must be, to stand behind "must be".
    pub must_be: &'static str,
    /// Says what is wrong with a value; an empty text where `must_be` says it all.
    pub check: fn(&str) -> Result<(), &'static str>,
}

type Checked = Result<(), &'static str>;

macro_rules! forms {
    ($($name:ident $must_be:literal $check:expr;)*) => {
        $(#[doc = concat!("Must be `", $must_be, "`.")] pub const $name: Form = Form { must_be: $must_be, check: $check };)*
        /// All forms by their names: for tests that try every one.
        pub const ALL: &[(&str, Form)] = &[$((stringify!($name), $name)),*];
    };
}

forms! {
    OID "an OID (digits and dots, at least two arcs, no leading zeros) of at most 64 characters"
        |v| says(Oid::parse(v).is_ok());
    UUID "urn:uuid: and a UUID" |v| says(EntryUuid::parse(v).is_ok());
    LOWER_CASE_UUID "urn:uuid: and a UUID in lower case" |v| says(EntryUuid::parse(v).is_ok_and(|u| u.as_str() == v));
    UNIQUE_ID "printable ASCII without spaces, at most 128 characters" |v| says(
        (1..=128).contains(&v.len()) && v.bytes().all(|b| b.is_ascii_graphic()));
    HOME "urn:oid: and an OID" |v| says(v.starts_with("urn:oid:") && HomeCommunityId::parse(v).is_ok_and(|h| h.to_urn() == v));
    CX "a CX with an assigning authority: id^^^&OID&ISO and nothing else" |v| says(PatientId::parse(v).is_ok());
    CODED "a text, or a coded string: code^^^&OID&ISO" coded;
    CXI "a CXi: id^^^&OID&ISO^type, the type required, the authority optional" cxi;
    XCN "an XCN: an id (component 1) or a last name (component 2); with an assigning authority (component 9) as &OID&ISO" xcn;
    XON "an XON: name^^^^^&OID&ISO^^^^id, the name required, components 6 and 10 optional" xon;
    XTN "an XTN: ^^Internet^address, or ^use^PH or CP and either a local number (component 7) or an unformatted one (component 12)" xtn;
    RECIPIENT "XON|XCN|XTN, with at least one of the three" recipient;
    DTM "a UTC time: YYYY[MM[DD[hh[mm[ss]]]]], each part in its range" |v| says(is_dtm(v, 4));
    SECONDS "a UTC time with seconds: YYYYMMDDhhmmss, each part in its range" |v| says(is_dtm(v, 14));
    PID "PID-n|value, with n from 1 to 39" |v| says(pid_field(v).is_some_and(|n| (1..=39).contains(&n)));
    PID_ENCOURAGED "none of PID-2, PID-4, PID-12 and PID-19" |v| says(!matches!(pid_field(v), Some(2 | 4 | 12 | 19)));
    LANGUAGE "a language tag such as ja-JP" |v| says(is_language(v));
    MIME "a MIME type without parameters, such as text/xml" |v| says(is_mime(v));
    URI "a URI" |v| says(is_uri(v));
    HASH "the SHA-1 of the document: 40 hexadecimal digits" |v| says(
        v.len() == 40 && v.bytes().all(|b| b.is_ascii_hexdigit()));
    SIZE "the size of the document in bytes: digits only" |v| says(
        !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit()) && v.parse::<u64>().is_ok());
    STATUS "…StatusType:Approved or …StatusType:Deprecated" |v| says([codes::APPROVED, codes::DEPRECATED].contains(&v));
    APPROVED "…StatusType:Approved" |v| says(v == codes::APPROVED);
    OBJECT_TYPE "the UUID of stable or of on-demand documents" |v| says([codes::STABLE, codes::ON_DEMAND].contains(&v));
    AVAILABILITY "urn:ihe:iti:2010:DocumentAvailability:Online or …:Offline" |v| says(
        matches!(v.strip_prefix("urn:ihe:iti:2010:DocumentAvailability:"), Some("Online" | "Offline")));
    MEMBERSHIP "Original or Reference" |v| says(matches!(v, "Original" | "Reference"));
    TITLE "at most 128 characters" |v| says(v.chars().count() <= 128);
    LONG_TITLE "at most 256 characters" |v| says(v.chars().count() <= 256);
}

/// The result of a check that has nothing to add to what its form says.
fn says(right: bool) -> Checked {
    if right { Ok(()) } else { Err("") }
}

/// The components of an HL7 V2 value; trailing delimiters mean nothing.
struct Components<'a>(Vec<&'a str>);

impl<'a> Components<'a> {
    fn of(value: &'a str) -> Self {
        Self(value.trim_end_matches('^').split('^').collect())
    }
    /// A component by its number, which counts from 1; empty where it is absent.
    fn get(&self, number: usize) -> &'a str {
        number.checked_sub(1).and_then(|at| self.0.get(at)).copied().unwrap_or_default()
    }
    fn any_of(&self, numbers: impl IntoIterator<Item = usize>) -> bool {
        numbers.into_iter().any(|number| !self.get(number).is_empty())
    }
    fn count(&self) -> usize {
        self.0.len()
    }
}

/// An assigning authority, HD: `&OID&ISO`.
fn is_authority(value: &str) -> bool {
    let mut parts = value.trim_end_matches('&').split('&');
    matches!((parts.next(), parts.next(), parts.next(), parts.next()),
        (Some(""), Some(oid), Some("ISO"), None) if Oid::parse(oid).is_ok())
}

fn coded(value: &str) -> Checked {
    let cx = Components::of(value);
    if cx.get(1).is_empty() {
        Err("component 1 is empty")
    } else if cx.count() > 4 || cx.any_of([2, 3]) {
        Err("a component besides 1 and 4 is there")
    } else if !cx.get(4).is_empty() && !is_authority(cx.get(4)) {
        Err("component 4 is not &OID&ISO")
    } else {
        Ok(())
    }
}

fn cxi(value: &str) -> Checked {
    let cx = Components::of(value);
    let authority = cx.get(4);
    let mut parts = authority.split('&');
    let (namespace, oid, iso) = (parts.next(), parts.next(), parts.next());
    let named = namespace.is_some_and(|name| !name.is_empty());
    let universal = oid.is_some_and(|oid| !oid.is_empty()) && iso.is_some_and(|iso| !iso.is_empty());
    if cx.get(1).is_empty() {
        Err("component 1 is empty")
    } else if cx.get(5).is_empty() {
        Err("component 5, the type, is empty")
    } else if cx.count() > 6 || cx.any_of([2, 3]) {
        Err("a component besides 1, 4, 5 and 6 is there")
    } else if !(authority.is_empty() || named || universal) {
        Err("component 4 has neither a namespace nor &OID&ISO")
    } else if !cx.get(6).is_empty() && !is_authority(cx.get(6)) {
        Err("component 6 is not &OID&ISO")
    } else {
        Ok(())
    }
}

fn xcn(value: &str) -> Checked {
    let xcn = Components::of(value);
    let last_name = xcn.get(2).split('&').next().unwrap_or_default();
    let authority = xcn.get(9);
    if xcn.get(1).is_empty() && last_name.is_empty() {
        Err("both the id and the last name are empty")
    } else if !authority.is_empty() && xcn.get(1).is_empty() {
        Err("component 9 is there without an id in component 1")
    } else if !authority.is_empty() && !is_authority(authority) {
        Err("component 9 is not &OID&ISO")
    } else {
        Ok(())
    }
}

fn xon(value: &str) -> Checked {
    let xon = Components::of(value);
    let (authority, id) = (xon.get(6), xon.get(10));
    if xon.get(1).is_empty() {
        Err("the name is empty")
    } else if xon.count() > 10 || xon.any_of([2, 3, 4, 5, 7, 8, 9]) {
        Err("a component besides 1, 6 and 10 is there")
    } else if !authority.is_empty() && !is_authority(authority) {
        Err("component 6 is not &OID&ISO")
    } else if authority.is_empty() && !id.is_empty() && Oid::parse(id).is_err() {
        Err("component 10 is no OID, and component 6 names no assigning authority")
    } else {
        Ok(())
    }
}

fn xtn(value: &str) -> Checked {
    const EMAIL: usize = 4;
    const COUNTRY_TO_EXTENSION: [usize; 4] = [5, 6, 7, 8];
    const LOCAL: usize = 7;
    const UNFORMATTED: usize = 12;
    let xtn = Components::of(value);
    let has = |number| !xtn.get(number).is_empty();
    match (xtn.get(3), xtn.get(2)) {
        ("Internet", "" | "NET") if !has(EMAIL) => Err("component 4, the address, is empty"),
        ("Internet", "" | "NET") if xtn.any_of(COUNTRY_TO_EXTENSION) || has(UNFORMATTED) => {
            Err("an address on the Internet has a telephone number")
        }
        ("Internet", "" | "NET") => Ok(()),
        ("Internet", _) => Err("the use of an address on the Internet is not NET"),
        ("PH" | "CP", "NET") => Err("the use of a telephone is NET"),
        ("PH" | "CP", _) if has(EMAIL) => Err("a telephone has an address in component 4"),
        ("PH" | "CP", _) if has(LOCAL) == has(UNFORMATTED) => {
            Err("not exactly one of components 7 and 12, the number, is there")
        }
        ("PH" | "CP", _) => Ok(()),
        _ => Err("component 3 is none of Internet, PH and CP"),
    }
}

fn recipient(value: &str) -> Checked {
    let mut parts = value.split('|');
    let forms: [fn(&str) -> Checked; 3] = [xon, xcn, xtn];
    let mut any = false;
    for form in forms {
        let part = parts.next().unwrap_or_default();
        if !part.trim_end_matches('^').is_empty() {
            form(part)?;
            any = true;
        }
    }
    if parts.next().is_some() { Err("there are more than three parts") } else { says(any) }
}

/// The number of the PID field that a sourcePatientInfo value carries.
pub fn pid_field(value: &str) -> Option<u8> {
    let (number, _) = value.trim_start().strip_prefix("PID-")?.split_once('|')?;
    let digits = !number.starts_with(['0', '+']) && number.len() <= 2;
    digits.then(|| number.parse().ok()).flatten()
}

pub(super) fn is_language(value: &str) -> bool {
    let mut parts = value.split('-');
    let shaped =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    parts.next().is_some_and(|first| shaped(first) && first.bytes().all(|b| b.is_ascii_alphabetic()))
        && parts.all(shaped)
}

/// RFC 6838, 4.2: type and subtype, each a restricted name.
fn is_mime(value: &str) -> bool {
    let name = |name: &str| {
        (1..=127).contains(&name.len())
            && name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    value.split_once('/').is_some_and(|(kind, subtype)| name(kind) && name(subtype))
}

/// RFC 3986, and characters beyond ASCII as they are.
fn is_uri(value: &str) -> bool {
    let allowed = |c: char| !c.is_control() && !c.is_whitespace() && !"\"<>\\^`{|}".contains(c);
    let escapes = value
        .split('%')
        .skip(1)
        .all(|rest| rest.len() >= 2 && rest.as_bytes().iter().take(2).all(u8::is_ascii_hexdigit));
    !value.is_empty() && value.chars().all(allowed) && escapes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every form with values that have it and values that do not.
    const EXAMPLES: &[(&Form, &[&str], &[&str])] = &[
        (&OID, &["1.2.3", "0.4.0.127", "2.25.1"], &["", "1", "1.02", "urn:oid:1.2", "1.2.", "3.1"]),
        (
            &UUID,
            &[
                "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155",
                "urn:uuid:A7AE438B-4BC2-4642-93E9-BE891F7BB155",
            ],
            &["", "a7ae438b-4bc2-4642-93e9-be891f7bb155", "urn:uuid:a7ae438b"],
        ),
        (
            &LOWER_CASE_UUID,
            &["urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"],
            &["urn:uuid:A7AE438B-4BC2-4642-93E9-BE891F7BB155"],
        ),
        (&UNIQUE_ID, &["1.2.3^44", "x", "!~"], &["", "a b", "文書", "\u{7f}"]),
        (
            &HOME,
            &["urn:oid:1.2.3"],
            &["", "1.2.3", "urn:oid:", "urn:oid:x", "URN:OID:1.2.3", "urn:oid:1.2.3 "],
        ),
        (
            &CX,
            &["p^^^&1.2&ISO", "p^^^&1.2&ISO^^"],
            &["", "p", "^^^&1.2&ISO", "p^^^NS&1.2&ISO", "p^^^&1.2&ISO^PI"],
        ),
        (&CODED, &["医師", "112247003^^^&1.2&ISO"], &["", "^^^&1.2&ISO", "a^b", "a^^^1.2", "a^^^&1.2&ISO^x"]),
        (
            &CXI,
            &[
                "a^^^&1.2&ISO^urn:ihe:iti:xds:2013:order",
                "a^^^^urn:x",
                "a^^^NS^urn:x",
                "a^^^&1.2&ISO^urn:x^&1.3&ISO",
            ],
            &["", "a^^^&1.2&ISO", "^^^&1.2&ISO^t", "a^b^^&1.2&ISO^t", "a^^^&1.2^t", "a^^^^t^x", "a^^^^t^^x"],
        ),
        (
            &XCN,
            &["123^関所^太郎^^^^^^&1.2&ISO", "^関所^太郎^^^Dr", "123", "^Last&own"],
            &["", "^^Given", "^Last^^^^^^^&1.2&ISO", "1^Last^^^^^^^1.2"],
        ),
        (
            &XON,
            &["関所病院", "関所病院^^^^^^^^^1.2.3", "関所病院^^^^^&1.2&ISO^^^^45"],
            &["", "^^^^^^^^^1.2.3", "a^^^^^^^^^45", "a^b", "a^^^^^1.2^^^^45", "a^^^^^^^^^1.2^x"],
        ),
        (
            &XTN,
            &[
                "^^Internet^a@b.example",
                "^NET^Internet^a@b.example",
                "^PRN^PH^^81^3^12345678",
                "^^CP^^^^^^^^^090",
            ],
            &[
                "",
                "^^Internet",
                "^PRN^Internet^a@b",
                "^^Internet^a@b^81",
                "^NET^PH^^^^1",
                "^^PH^a@b^^^1",
                "^^PH",
                "^^FX^^^^1",
                "^^PH^^^^1^^^^^1",
            ],
        ),
        (
            &RECIPIENT,
            &["関所病院|^関所^太郎|^^Internet^a@b", "|^関所", "関所病院", "||^^Internet^a@b"],
            &["", "||", "^x|^a", "a|b|^^Internet^c|d", "|^^Given", "||tel"],
        ),
        (&DTM, &["2026", "202611211018", "20261121101830"], &["", "20261", "20261301", "20261121+0900"]),
        (&SECONDS, &["20261121101830"], &["2026", "202611211018"]),
        (
            &PID,
            &["PID-3|p^^^&1.2&ISO", " PID-5|関所^花子", "PID-8|"],
            &["", "PID-|x", "PID-0|x", "PID-40|x", "PID-3", "PV1-2|x"],
        ),
        (&PID_ENCOURAGED, &["PID-3|x"], &["PID-2|x", "PID-4|x", "PID-12|x", "PID-19|x"]),
        (
            &LANGUAGE,
            &["ja", "ja-JP", "zh-Hant-TW", "de-1996"],
            &["", "ja_JP", "ja-", "-JP", "japanisch1", "日本"],
        ),
        (
            &MIME,
            &["text/xml", "application/fhir+json", "application/vnd.ms-excel"],
            &["", "text", "text/", "/xml", "text/xml; charset=utf-8", "a/b/c"],
        ),
        (
            &URI,
            &["http://a.example/b?c", "DOC001.XML", "a%20b", "文書.xml"],
            &["", "a b", "a%2", "a<b", "a\\b"],
        ),
        (
            &HASH,
            &["da39a3ee5e6b4b0d3255bfef95601890afd80709", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"],
            &["", "da39", "zz39a3ee5e6b4b0d3255bfef95601890afd80709"],
        ),
        (&SIZE, &["0", "1024"], &["", "-1", "+1", "1k", "99999999999999999999999"]),
        (&STATUS, &[codes::APPROVED, codes::DEPRECATED], &["", "Approved"]),
        (&APPROVED, &[codes::APPROVED], &[codes::DEPRECATED]),
        (&OBJECT_TYPE, &[codes::STABLE, codes::ON_DEMAND], &["", codes::FOLDER]),
        (&AVAILABILITY, &["urn:ihe:iti:2010:DocumentAvailability:Offline"], &["", "Online"]),
        (&MEMBERSHIP, &["Original", "Reference"], &["", "original"]),
        (
            &TITLE,
            &["", "退院時サマリ"],
            &[
                "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
            ],
        ),
    ];

    #[test]
    fn forms_know_their_values() {
        for (form, good, bad) in EXAMPLES {
            for value in *good {
                assert_eq!((form.check)(value), Ok(()), "{value:?} must be {}", form.must_be);
            }
            for value in *bad {
                assert!((form.check)(value).is_err(), "{value:?} is not {}", form.must_be);
            }
        }
        let all = EXAMPLES.iter().map(|(form, ..)| form.must_be).chain([LONG_TITLE.must_be]);
        assert!(all.eq(ALL.iter().map(|(_, form)| form.must_be)), "every form has examples, in order");
    }

    proptest! {
        #[test]
        fn no_check_panics_on_any_text(text in any::<String>(), delimited in "[a-zA-Z0-9^&|~.%:/ \\\\関é-]{0,80}") {
            for (_, form) in ALL {
                for value in [&text, &delimited] {
                    let _ = (form.check)(value);
                }
            }
            let _ = pid_field(&delimited);
        }

        #[test]
        fn oids_are_arcs_without_leading_zeros(root in 0u8..3, arcs in prop::collection::vec(any::<u32>(), 1..5)) {
            let oid = arcs.iter().fold(root.to_string(), |oid, arc| format!("{oid}.{arc}"));
            prop_assert!((OID.check)(&oid).is_ok());
            let home = format!("urn:oid:{oid}");
            prop_assert!((HOME.check)(&home).is_ok());
            let cx = format!("1^^^&{oid}&ISO");
            prop_assert!((CX.check)(&cx).is_ok());
            for bad in [format!("{oid}."), format!(".{oid}"), format!("{oid}.01"), format!("{oid} ")] {
                prop_assert!((OID.check)(&bad).is_err());
            }
        }
    }
}
