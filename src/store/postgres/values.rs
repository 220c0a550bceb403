//! Values to and from PostgreSQL's wire format.

use std::error::Error as StdError;

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::store::sql::{Error, List, Params, Result, ValueRef};

/// A parameter, its own: statements are sent before anybody waits for them.
#[derive(Debug)]
pub(super) enum Bound {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
    List(List),
}

impl From<ValueRef<'_>> for Bound {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(integer) => Self::Integer(integer),
            ValueRef::Real(real) => Self::Real(real),
            ValueRef::Text(text) => Self::Text(as_stored(text)),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_owned()),
            ValueRef::List(List::Texts(texts)) => {
                Self::List(List::Texts(texts.iter().map(|text| as_stored(text)).collect()))
            }
            ValueRef::List(list) => Self::List(list.clone()),
        }
    }
}

/// PostgreSQL's texts hold any character but NUL, which HL7 v2 may bring: its picture stands for it.
fn as_stored(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}

/// All parameters of a statement.
pub(super) fn bound(params: &impl Params) -> Result<Vec<Bound>> {
    let mut bound = Vec::new();
    params.each(&mut |value| {
        bound.push(value.into());
        Ok(())
    })?;
    Ok(bound)
}

type Encoded = std::result::Result<IsNull, Box<dyn StdError + Sync + Send>>;

impl ToSql for Bound {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Encoded {
        match (self, ty) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Integer(integer), &Type::INT8) => integer.to_sql(ty, out),
            (Self::Integer(integer), &Type::INT4) => i32::try_from(*integer)?.to_sql(ty, out),
            (Self::Real(real), &Type::FLOAT8) => real.to_sql(ty, out),
            (Self::Text(text), &Type::TEXT) => text.to_sql(ty, out),
            (Self::Blob(bytes), &Type::BYTEA) => bytes.to_sql(ty, out),
            (Self::List(List::Integers(integers)), &Type::INT8_ARRAY) => integers.to_sql(ty, out),
            (Self::List(List::Texts(texts)), &Type::TEXT_ARRAY) => texts.to_sql(ty, out),
            (Self::List(List::Blobs(blobs)), &Type::BYTEA_ARRAY) => blobs.to_sql(ty, out),
            // What the value is stays out of the log.
            _ => Err(format!("a parameter of type {ty} is given something else").into()),
        }
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    to_sql_checked!();
}

/// A column on its way out.
struct Column<'r>(ValueRef<'r>);

impl<'r> FromSql<'r> for Column<'r> {
    fn from_sql(ty: &Type, raw: &'r [u8]) -> std::result::Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(match *ty {
            Type::INT8 => ValueRef::Integer(i64::from_sql(ty, raw)?),
            Type::INT4 => ValueRef::Integer(i32::from_sql(ty, raw)?.into()),
            Type::BOOL => ValueRef::Integer(bool::from_sql(ty, raw)?.into()),
            Type::FLOAT8 => ValueRef::Real(f64::from_sql(ty, raw)?),
            Type::TEXT => ValueRef::Text(<&str>::from_sql(ty, raw)?),
            _ => ValueRef::Blob(<&[u8]>::from_sql(ty, raw)?),
        }))
    }
    fn from_sql_null(_: &Type) -> std::result::Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(ValueRef::Null))
    }
    accepts!(INT8, INT4, BOOL, FLOAT8, TEXT, BYTEA);
}

/// A column of a row.
pub(in crate::store) fn column(row: &tokio_postgres::Row, column: usize) -> Result<ValueRef<'_>> {
    Ok(row.try_get::<_, Column<'_>>(column).map_err(Error::from)?.0)
}
