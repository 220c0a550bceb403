//! MSH-1 and MSH-2: what separates what in a message (HL7 2.5, 2.5.4; the truncation character of 2.7).

/// The delimiters of one message. All are ASCII, and no two are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiters {
    /// MSH-1.
    pub field: char,
    /// First of MSH-2.
    pub component: char,
    /// Second of MSH-2; messages that need none may leave it out, and so those behind it.
    pub repetition: Option<char>,
    /// Third of MSH-2.
    pub escape: Option<char>,
    /// Fourth of MSH-2.
    pub subcomponent: Option<char>,
    /// Fifth of MSH-2.
    pub truncation: Option<char>,
}

impl Delimiters {
    /// Those that HL7 recommends, and that we write: `|^~\&`.
    pub const RECOMMENDED: Self = Self {
        field: '|',
        component: '^',
        repetition: Some('~'),
        escape: Some('\\'),
        subcomponent: Some('&'),
        truncation: None,
    };

    /// Reads them from the start of a message, `MSH` and what follows. None if they cannot be delimiters: letters, digits,
    /// blanks, what is not ASCII, one for two purposes, more than five.
    pub fn read(message: &str) -> Option<Self> {
        let mut rest = message.strip_prefix("MSH")?.chars();
        let field = rest.next().filter(|mark| mark.is_ascii_punctuation())?;
        let mut marks = rest.take_while(|mark| *mark != field && *mark != '\r' && *mark != '\n');
        let component = marks.next()?;
        let (repetition, escape, subcomponent, truncation) =
            (marks.next(), marks.next(), marks.next(), marks.next());
        if marks.next().is_some() {
            return None;
        }
        let found = Self { field, component, repetition, escape, subcomponent, truncation };
        found.are_distinct_marks().then_some(found)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = char> + use<> {
        let behind = [self.repetition, self.escape, self.subcomponent, self.truncation];
        [self.field, self.component].into_iter().chain(behind.into_iter().flatten())
    }

    fn are_distinct_marks(&self) -> bool {
        let mark_is_good = |(index, mark): (usize, char)| {
            mark.is_ascii_punctuation() && self.all().take(index).all(|other| other != mark)
        };
        self.all().enumerate().all(mark_is_good)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_61_odd_encoding_characters() {
        assert_eq!(Delimiters::read("MSH|^~\\&|A"), Some(Delimiters::RECOMMENDED));
        let odd = Delimiters::read("MSH*!%$@*A").unwrap();
        assert_eq!((odd.field, odd.component, odd.subcomponent), ('*', '!', Some('@')));
        assert_eq!(Delimiters::read("MSH|^~\\&#|").unwrap().truncation, Some('#'));
        assert_eq!(Delimiters::read("MSH|^|").unwrap().repetition, None);
        assert_eq!(Delimiters::read("MSH|^~\\|").unwrap().subcomponent, None);
        for bad in ["", "MSH", "MSH|", "MSH||", "MSHA^~\\&A", "MSH|^^\\&|", "MSH|^~\\&#@|", "MSH|^~\\ |"] {
            assert_eq!(Delimiters::read(bad), None, "{bad}");
        }
        for bad in ["MSH|^~\\x|", "MSH|^~\\¥|", "MSH 1234 ", "MSH\r^~\\&\r"] {
            assert_eq!(Delimiters::read(bad), None, "{bad}");
        }
    }
}
