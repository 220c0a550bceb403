//! The syntax of parameter values (ITI TF-2: 3.18.4.1.2.3.5): strings in single quotes with a quote doubled, numbers bare,
//! lists in parentheses, long lists over several Value elements. Written strictly by few: double quotes, no quotes and
//! missing parentheses are read too.

/// The items of one Value element, appended to `items`; an Err says what is wrong.
pub(super) fn items(value: &str, items: &mut Vec<String>) -> Result<(), &'static str> {
    // XML cannot hold it, and not every database.
    if value.contains('\0') {
        return Err("a value has a NUL character");
    }
    let value = value.trim();
    let list = match value.strip_prefix('(') {
        Some(rest) => Some(rest.strip_suffix(')').ok_or("a list begins with ( and does not end with )")?),
        None => None,
    };
    let mut rest = list.unwrap_or(value).trim();
    if rest.is_empty() {
        return Ok(());
    }
    loop {
        let (item, after) = match rest.chars().next() {
            Some(quote @ ('\'' | '"')) => quoted(rest, quote)?,
            // Outside of a list a comma may belong to the text.
            _ if list.is_none() => (rest.to_owned(), ""),
            _ => {
                let end = rest.find(',').unwrap_or(rest.len());
                let (item, after) = rest.split_at(end);
                (item.trim().to_owned(), after)
            }
        };
        items.push(item);
        let after = after.trim_start();
        match after.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if after.is_empty() => return Ok(()),
            None => return Err("text follows a closing quote"),
        }
    }
}

/// A quoted text at the beginning of `text`, and what follows it.
fn quoted(text: &str, quote: char) -> Result<(String, &str), &'static str> {
    let mut item = String::new();
    let mut rest = &text[quote.len_utf8()..];
    loop {
        let end = rest.find(quote).ok_or("a quote is not closed")?;
        item.push_str(&rest[..end]);
        rest = &rest[end + quote.len_utf8()..];
        match rest.strip_prefix(quote) {
            Some(after) => {
                item.push(quote);
                rest = after;
            }
            None => return Ok((item, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Vec<String>, &'static str> {
        let mut found = Vec::new();
        items(value, &mut found).map(|()| found)
    }

    #[test]
    fn values_are_read_as_written_and_as_mistaken() {
        for (value, expected) in [
            ("'a'", vec!["a"]),
            ("('a','b')", vec!["a", "b"]),
            (" ( 'a' , 'b' ) ", vec!["a", "b"]),
            ("'o''brien'", vec!["o'brien"]),
            ("''", vec![""]),
            ("''''", vec!["'"]),
            ("('a,b','(c)')", vec!["a,b", "(c)"]),
            ("20260101", vec!["20260101"]),
            ("'20260101'", vec!["20260101"]),
            ("\"a\"", vec!["a"]),
            ("(\"a\",'b')", vec!["a", "b"]),
            ("'a','b'", vec!["a", "b"]),
            ("12^^^&1.2.3&ISO", vec!["12^^^&1.2.3&ISO"]),
            ("Smith, John", vec!["Smith, John"]),
            ("(a, b)", vec!["a", "b"]),
            ("()", vec![]),
            ("", vec![]),
            ("'漢字^^1.2'", vec!["漢字^^1.2"]),
        ] {
            assert_eq!(read(value).unwrap(), expected, "{value}");
        }
        for wrong in ["'a", "('a'", "('a' 'b')", "'a'b", "(", "('a)", "'", "'\0'"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
