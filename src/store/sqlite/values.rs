//! Values to and from rusqlite's. Nothing is copied on the way.

use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef as Borrowed};

use crate::store::sql::{Error, List, Params, Result, ValueRef};

/// Binds all parameters of a statement anew.
pub(in crate::store) fn bind(
    statement: &mut rusqlite::Statement<'_>,
    params: &(impl Params + ?Sized),
) -> Result<()> {
    let mut bound = 0;
    params.each(&mut |value| {
        bound += 1;
        Ok(statement.raw_bind_parameter(bound, output(value))?)
    })?;
    match statement.parameter_count() {
        expected if expected == bound => Ok(()),
        expected => Err(Error::Sqlite(rusqlite::Error::InvalidParameterCount(bound, expected))),
    }
}

fn output(value: ValueRef<'_>) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value {
        ValueRef::Null => Borrowed::Null,
        ValueRef::Integer(integer) => Borrowed::Integer(integer),
        ValueRef::Real(real) => Borrowed::Real(real),
        ValueRef::Text(text) => Borrowed::Text(text.as_bytes()),
        ValueRef::Blob(bytes) => Borrowed::Blob(bytes),
        ValueRef::List(list) => return ToSqlOutput::Owned(Owned::Text(json(list))),
    })
}

/// A list as a JSON array, for json_each.
fn json(list: &List) -> String {
    match list {
        List::Integers(integers) => serde_json::to_string(integers),
        List::Texts(texts) => serde_json::to_string(texts),
        List::Blobs(blobs) => {
            let hex = |bytes: &Vec<u8>| {
                let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
                bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect::<String>()
            };
            serde_json::to_string(&blobs.iter().map(hex).collect::<Vec<_>>())
        }
    }
    // Strings and integers always have a JSON form.
    .unwrap_or_default()
}

/// A column of a row.
pub(in crate::store) fn column<'r>(row: &'r rusqlite::Row<'_>, column: usize) -> Result<ValueRef<'r>> {
    Ok(match row.get_ref(column)? {
        Borrowed::Null => ValueRef::Null,
        Borrowed::Integer(integer) => ValueRef::Integer(integer),
        Borrowed::Real(real) => ValueRef::Real(real),
        Borrowed::Text(text) => ValueRef::Text(str::from_utf8(text).map_err(|_| Error::Type("UTF-8"))?),
        Borrowed::Blob(bytes) => ValueRef::Blob(bytes),
    })
}
