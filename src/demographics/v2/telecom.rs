//! XTN (HL7 2.5, 2.A.89) in both its forms: the number as one text (XTN-1, or XTN-12 of later versions), or in parts
//! (XTN-5 to 8); a mail address in XTN-4.

use super::text;
use crate::demographics::Telecom;
use crate::wire::hl7v2::{Repetition, Value};

const WORK: &str = "WPN";

/// A number or mail address; None where nothing of it is said.
pub(super) fn telecom(xtn: Repetition<'_>) -> Option<Telecom> {
    let [number, kind, equipment, mail, country, area, local, extension] =
        [1, 2, 3, 4, 5, 6, 7, 8].map(|component| text(xtn, component));
    let whole = [number, text(xtn, 12)].into_iter().find(|whole| !whole.is_empty());
    let parts = [country, area, local, extension];
    let number = whole.or_else(|| joined(&parts));
    let is_mail = !mail.is_empty() && (number.is_none() || equipment.eq_ignore_ascii_case("Internet"));
    let value = if is_mail { Some(mail) } else { number }?;
    let is_mail = is_mail || value.contains('@');
    Some(Telecom { value, kind, mail: is_mail })
}

/// The same in PID-14, which says by itself that it is for work.
pub(super) fn at_work(xtn: Repetition<'_>) -> Option<Telecom> {
    let telecom = telecom(xtn)?;
    let kind = if telecom.kind.is_empty() { WORK.to_owned() } else { telecom.kind };
    Some(Telecom { kind, ..telecom })
}

/// Country, area, number, extension as one text.
fn joined([country, area, local, extension]: &[String; 4]) -> Option<String> {
    let country =
        if country.is_empty() { String::new() } else { format!("+{}", country.trim_start_matches('+')) };
    let said = [country.as_str(), area, local].into_iter().filter(|part| !part.is_empty());
    let number = said.collect::<Vec<_>>().join("-");
    if local.is_empty() {
        return None;
    }
    Some(if extension.is_empty() { number } else { format!("{number}x{extension}") })
}

/// The field of PID that it belongs into.
pub(super) fn field(telecom: &Telecom) -> usize {
    if matches!(telecom.kind.as_str(), WORK | "WP") { 14 } else { 13 }
}

pub(super) fn xtn(telecom: &Telecom) -> Value {
    let kind = match telecom.kind.as_str() {
        "HP" | "H" => "PRN",
        "WP" => WORK,
        kind => kind,
    };
    let value = telecom.value.as_str();
    match (telecom.mail, kind) {
        (true, _) => Value::from(["", "NET", "Internet", value]),
        (false, "MC") => Value::from([value, "PRN", "CP"]),
        (false, "") => Value::from([value, "PRN", "PH"]),
        (false, kind) => Value::from([value, kind, "PH"]),
    }
}
