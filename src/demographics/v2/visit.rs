//! PV1, as far as ITI-22 asks about it (ITI TF-2: Table 3.22.4.1.2-1).

use super::{cx, identifier};
use crate::demographics::Visit;
use crate::wire::hl7v2::{Field, Segment, SegmentWriter, Value};

/// What PV1 says of a visit.
pub fn visit(pv1: Segment<'_>) -> Visit {
    let sent = |field| as_sent(pv1.field(field));
    let number = pv1.field(19);
    Visit {
        class: pv1.field(2).value().trim().to_owned(),
        location: sent(3),
        attending: sent(7),
        referring: sent(8),
        consulting: sent(9),
        service: sent(10),
        admitting: sent(17),
        number: (!number.is_absent() && !number.is_null()).then(|| identifier(number.repetition(1))),
    }
}

/// Writes PV1-2 and following; PV1-2 is `U` where nothing is known of a class.
pub fn set_visit(visit: &Visit, pv1: &mut SegmentWriter) {
    pv1.set(2, if visit.class.is_empty() { "U" } else { &visit.class });
    let fields = [
        (3, &visit.location),
        (7, &visit.attending),
        (8, &visit.referring),
        (9, &visit.consulting),
        (10, &visit.service),
        (17, &visit.admitting),
    ];
    for (field, value) in fields {
        if !value.is_empty() {
            pv1.set(field, split(value));
        }
    }
    if let Some(number) = &visit.number {
        pv1.set(19, cx(number));
    }
}

/// The first repetition with the delimiters that HL7 recommends.
fn as_sent(field: Field<'_>) -> String {
    let component = |component: crate::wire::hl7v2::Component<'_>| {
        let parts: Vec<_> = component.subcomponents().collect();
        parts.join("&").trim_end_matches('&').to_owned()
    };
    let components: Vec<_> = field.repetition(1).components().map(component).collect();
    components.join("^").trim_end_matches('^').to_owned()
}

fn split(sent: &str) -> Value {
    sent.split('^').fold(Value::default(), |value, component| value.subcomponents(component.split('&')))
}
