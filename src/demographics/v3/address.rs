//! AD and TEL (HL7 V3 data types R1).

use super::{is_null, parts, read_use, representation_code, value, write_part, write_use};
use crate::demographics::{Address, Telecom};
use crate::wire::xml::{Element, Ns, Writer};

/// Codes of addr/@use, and what a code of XAD-7 (HL7 table 0190) becomes there. Others have no equivalent.
const ADDRESS_USES: [(&str, &str); 13] = [
    ("H", "H"),
    ("HP", "HP"),
    ("HV", "HV"),
    ("WP", "WP"),
    ("DIR", "DIR"),
    ("PUB", "PUB"),
    ("TMP", "TMP"),
    ("BAD", "BAD"),
    ("PHYS", "PHYS"),
    ("PST", "PST"),
    ("B", "WP"),
    ("C", "TMP"),
    ("M", "PST"),
];
/// The same for telecom/@use and XTN-2 (HL7 table 0201).
const TELECOM_USES: [(&str, &str); 19] = [
    ("H", "H"),
    ("HP", "HP"),
    ("HV", "HV"),
    ("WP", "WP"),
    ("DIR", "DIR"),
    ("PUB", "PUB"),
    ("TMP", "TMP"),
    ("BAD", "BAD"),
    ("AS", "AS"),
    ("EC", "EC"),
    ("MC", "MC"),
    ("PG", "PG"),
    ("PRN", "HP"),
    ("ORN", "H"),
    ("WPN", "WP"),
    ("VHN", "HV"),
    ("ASN", "AS"),
    ("EMR", "EC"),
    ("BPN", "PG"),
];

/// Reads an address. None if it is null or empty.
pub fn read_address(element: Element<'_>) -> Option<Address> {
    if is_null(element) {
        return None;
    }
    let (representation, uses) = read_use(element);
    let of = |locals| parts(element, locals);
    let address = Address {
        representation,
        kind: uses.into_iter().next().unwrap_or_default(),
        street: of(&["streetAddressLine", "streetName", "deliveryAddressLine"]),
        house_number: of(&["houseNumber", "houseNumberNumeric"]),
        other: of(&["additionalLocator", "unitID", "postBox", "careOf"]),
        city: of(&["county", "city", "precinct"]),
        state: of(&["state"]),
        postcode: of(&["postalCode"]),
        country: of(&["country"]),
        text: element.text().split_whitespace().collect::<Vec<_>>().join(" "),
    };
    let said = [&address.street, &address.house_number, &address.other, &address.city];
    let said_too = [&address.state, &address.postcode, &address.country, &address.text];
    said.iter().chain(&said_too).any(|text| !text.is_empty()).then_some(address)
}

/// Writes an address as the content of an element of that name, `addr` or `value`.
pub fn write_address(out: &mut Writer, local: &str, address: &Address) {
    let parts = [
        ("streetAddressLine", &address.street),
        ("houseNumber", &address.house_number),
        ("additionalLocator", &address.other),
        ("city", &address.city),
        ("state", &address.state),
        ("postalCode", &address.postcode),
        ("country", &address.country),
    ];
    out.start(Ns::HL7, local);
    write_use(out, &[known(&ADDRESS_USES, &address.kind), representation_code(address.representation)]);
    if parts.iter().all(|(_, text)| text.is_empty()) {
        out.text(&address.text);
    }
    for (part, text) in parts {
        write_part(out, part, text);
    }
    out.end();
}

/// Reads a telecommunication address. None if it is null or empty.
pub fn read_telecom(element: Element<'_>) -> Option<Telecom> {
    let url = value(element)?;
    let url = url.trim();
    let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
    let (value, mail) = match scheme.to_ascii_lowercase().as_str() {
        "tel" => (rest, false),
        "mailto" => (rest, true),
        _ => (url, scheme.is_empty() && url.contains('@')),
    };
    let kind = element.attr("use").unwrap_or_default();
    let kind = kind.split_ascii_whitespace().next().unwrap_or_default().to_owned();
    (!value.is_empty()).then(|| Telecom { value: value.to_owned(), kind, mail })
}

/// Writes one, with the scheme that makes it a URL.
pub fn write_telecom(out: &mut Writer, local: &str, telecom: &Telecom) {
    let scheme = match telecom {
        Telecom { mail: true, .. } => "mailto:",
        Telecom { value, .. } if value.contains(':') => "",
        _ => "tel:",
    };
    out.start(Ns::HL7, local).attr("value", &format!("{scheme}{}", telecom.value));
    write_use(out, &[known(&TELECOM_USES, &telecom.kind)]);
    out.end();
}

fn known(uses: &[(&str, &'static str)], kind: &str) -> Option<&'static str> {
    uses.iter().find(|(known, _)| *known == kind).map(|(_, code)| *code)
}
