//! XAD (HL7 2.5, 2.A.87). Japanese senders put the whole address as one text into component 8, beside a postcode or alone.

use super::{REPRESENTATIONS, code, meaning, text};
use crate::demographics::Address;
use crate::wire::hl7v2::{Repetition, Value};

/// An address; None where nothing of it is said.
pub(super) fn address(xad: Repetition<'_>) -> Option<Address> {
    let [street, street_name, house_number] =
        [1, 2, 3].map(|part| xad.component(1).subcomponent(part).trim().to_owned());
    let address = Address {
        representation: meaning(REPRESENTATIONS, &text(xad, 11)),
        kind: text(xad, 7),
        street: if street.is_empty() { street_name } else { street },
        house_number,
        other: text(xad, 2),
        city: text(xad, 3),
        state: text(xad, 4),
        postcode: text(xad, 5),
        country: text(xad, 6),
        text: text(xad, 8),
    };
    let said =
        Address { kind: address.kind.clone(), representation: address.representation, ..Address::default() };
    (address != said).then_some(address)
}

pub(super) fn xad(address: &Address) -> Value {
    let Address { kind, street, house_number, other, city, state, postcode, country, text, .. } = address;
    let representation = address.representation.map_or("", |script| code(REPRESENTATIONS, &script));
    [other, city, state, postcode, country, kind.as_str(), text, "", "", representation]
        .into_iter()
        .fold(Value::default().subcomponents([street, "", house_number]), Value::component)
}
