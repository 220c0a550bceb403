//! Whether a record's current values fit an exact question: all parameters must, and of alternatives one. A trailing `*`
//! stands for whatever follows.

use super::fold;
use crate::demographics::{Address, Demographics, Name, NameKind, Sex, Telecom, Visit};
use crate::transactions::identity::DemographicsQuery;

/// Whether a person and visit fit what a query says, identifiers apart.
pub(super) fn fits(query: &DemographicsQuery, person: &Demographics, visit: Option<&Visit>) -> bool {
    one_of(&query.names, &person.names, name)
        && query
            .birth
            .as_ref()
            .is_none_or(|range| person.birth.as_ref().is_some_and(|birth| range.admits(birth)))
        && query.sex.is_none_or(|sex| sex == Sex::Unknown || person.sex == Some(sex))
        && one_of(&query.addresses, &person.addresses, address)
        && one_of(&query.telecoms, &person.telecoms, telecom)
        && one_of(&query.mothers_maiden_names, &person.mothers_maiden_names, name)
        && option(query.birth_place.as_ref(), person.birth_place.as_ref(), |asked, has| text(asked, has))
        && option(query.birth_place_address.as_ref(), person.birth_place_address.as_ref(), address)
        && option(query.account.as_ref(), person.account.as_ref(), |asked, has| text(&asked.id, &has.id))
        && option(query.visit.as_deref(), visit, self::visit)
}

fn one_of<T>(asked: &[T], has: &[T], fits: impl Fn(&T, &T) -> bool) -> bool {
    asked.is_empty() || asked.iter().any(|asked| has.iter().any(|has| fits(asked, has)))
}

fn option<T>(asked: Option<&T>, has: Option<&T>, fits: impl Fn(&T, &T) -> bool) -> bool {
    asked.is_none_or(|asked| has.is_some_and(|has| fits(asked, has)))
}

/// Whether a text is what was asked for; nothing asked fits everything.
fn text(asked: &str, has: &str) -> bool {
    match asked.strip_suffix('*') {
        Some(beginning) => fold::text(has).starts_with(&fold::text(beginning)),
        None => asked.is_empty() || fold::text(asked) == fold::text(has),
    }
}

fn name(asked: &Name, has: &Name) -> bool {
    let parts = [(&asked.family, &has.family), (&asked.given, &has.given), (&asked.further, &has.further)];
    parts.into_iter().all(|(part, has)| match asked.kind {
        NameKind::Search => fold::text(has).starts_with(&fold::text(part.trim_end_matches('*'))),
        _ => text(part, has),
    })
}

fn address(asked: &Address, has: &Address) -> bool {
    let whole = || {
        fold::text(&[&has.state, &has.city, &has.street, &has.other, &has.text].map(String::as_str).concat())
    };
    let parts = [
        (&asked.street, &has.street),
        (&asked.house_number, &has.house_number),
        (&asked.other, &has.other),
        (&asked.city, &has.city),
        (&asked.state, &has.state),
        (&asked.country, &has.country),
        (&asked.text, &has.text),
    ];
    let postcode = asked.postcode.is_empty() || number(&asked.postcode, &has.postcode);
    // Senders divide addresses in their own ways: what is not in its place may be within the whole.
    postcode
        && parts.into_iter().all(|(asked, has)| {
            text(asked, has) || whole().contains(&fold::text(asked.trim_end_matches('*')))
        })
}

fn telecom(asked: &Telecom, has: &Telecom) -> bool {
    match asked.mail || has.mail {
        true => text(&asked.value, &has.value),
        false => number(&asked.value, &has.value),
    }
}

/// Whether a number is what was asked for, however it is divided; one without digits is a text.
fn number(asked: &str, has: &str) -> bool {
    match fold::digits(asked) {
        none if none.is_empty() => text(asked, has),
        digits => digits == fold::digits(has),
    }
}

/// Whether a visit has every component that was asked for.
fn visit(asked: &Visit, has: &Visit) -> bool {
    let fields = [
        (&asked.class, &has.class),
        (&asked.location, &has.location),
        (&asked.attending, &has.attending),
        (&asked.referring, &has.referring),
        (&asked.consulting, &has.consulting),
        (&asked.service, &has.service),
        (&asked.admitting, &has.admitting),
    ];
    let components = |(asked, has): (&String, &String)| {
        let mut has = has.split(['^', '&']);
        asked.split(['^', '&']).all(|asked| text(asked, has.next().unwrap_or_default()))
    };
    fields.into_iter().all(components)
        && option(asked.number.as_ref(), has.number.as_ref(), |asked, has| text(&asked.id, &has.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_their_digits_and_what_has_none_is_a_text() {
        for (asked, has, same) in [
            ("03-1234-5678", "0312345678", true),
            ("9800011", "〒９８０-0011", true),
            ("HIDDEN", "hidden", true),
            ("HIDDEN", "", false),
            ("HIDDEN", "none", false),
        ] {
            assert_eq!(number(asked, has), same, "{asked} {has}");
        }
    }
}
