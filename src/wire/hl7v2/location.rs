//! Places in a message: what ERR-2 (ERL) and error texts name (HL7 2.5, 2.A.28).

use std::fmt;

use super::write::Value;

/// A place in a message. Numbers start at 1; 0 says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The segment's name.
    pub segment: &'static str,
    /// Which of the segments of that name.
    pub sequence: usize,
    /// Its field.
    pub field: usize,
    /// The field's repetition.
    pub repetition: usize,
    /// The component.
    pub component: usize,
    /// The subcomponent.
    pub subcomponent: usize,
}

impl Location {
    /// A segment as a whole.
    pub const fn segment(segment: &'static str, sequence: usize) -> Self {
        Self { segment, sequence, field: 0, repetition: 0, component: 0, subcomponent: 0 }
    }
    /// A field of the first segment of a name.
    pub const fn field(segment: &'static str, field: usize) -> Self {
        Self { field, ..Self::segment(segment, 1) }
    }
    /// One of its repetitions.
    pub const fn repetition(self, repetition: usize) -> Self {
        Self { repetition, ..self }
    }
    /// A component; of the first repetition, if none is said.
    pub const fn component(self, component: usize) -> Self {
        let repetition = if self.repetition == 0 { 1 } else { self.repetition };
        Self { repetition, component, ..self }
    }
    /// A subcomponent; of the first component, if none is said.
    pub const fn subcomponent(self, subcomponent: usize) -> Self {
        let component = if self.component == 0 { 1 } else { self.component };
        Self { subcomponent, ..self.component(component) }
    }
    /// As ERL: ERR-2.
    pub fn erl(&self) -> Value {
        self.parts().into_iter().fold(Value::default(), Value::component)
    }
    fn parts(&self) -> Vec<String> {
        let numbers = [self.sequence, self.field, self.repetition, self.component, self.subcomponent];
        let said = numbers.into_iter().take_while(|number| *number != 0);
        std::iter::once(self.segment.to_owned()).chain(said.map(|number| number.to_string())).collect()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts().join("^"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_reads_as_err_2_has_it() {
        assert_eq!(Location::field("QPD", 3).component(4).to_string(), "QPD^1^3^1^4");
        assert_eq!(Location::field("QPD", 4).repetition(2).to_string(), "QPD^1^4^2");
        assert_eq!(Location::segment("PID", 1).to_string(), "PID^1");
    }
}
