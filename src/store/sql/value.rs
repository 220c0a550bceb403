//! What is bound to a statement's parameters and read from its rows.

use std::sync::Arc;

use super::{Error, Result};

/// A value on its way into or out of a database, borrowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    /// Nothing.
    Null,
    /// 64 bits with a sign; truth is 1 or 0.
    Integer(i64),
    /// 64 bits.
    Real(f64),
    /// UTF-8.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
    /// For one parameter that stands for any number of values; never in a row.
    List(&'a List),
}

/// The values of a parameter in `IN (SELECT value FROM json_each(?))`, or, of bytes, in
/// `IN (SELECT unhex(value) FROM json_each(?))`: the same statement for any number of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum List {
    /// Of an integer column.
    Integers(Vec<i64>),
    /// Of a text column.
    Texts(Vec<String>),
    /// Of a column of bytes.
    Blobs(Vec<Vec<u8>>),
}

/// A value to bind that is kept for a while.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One integer.
    Integer(i64),
    /// One text.
    Text(String),
    /// Any number of values.
    List(List),
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<List> for Value {
    fn from(list: List) -> Self {
        Self::List(list)
    }
}

/// What can be bound.
pub trait ToSql {
    /// Itself as a value.
    fn to_sql(&self) -> ValueRef<'_>;
}

macro_rules! to_sql {
    ($($type:ty: |$value:ident| $as:expr;)*) => {
        $(impl ToSql for $type {
            fn to_sql(&self) -> ValueRef<'_> {
                let $value = self;
                $as
            }
        })*
    };
}
to_sql! {
    i64: |value| ValueRef::Integer(*value);
    u32: |value| ValueRef::Integer((*value).into());
    bool: |value| ValueRef::Integer((*value).into());
    f64: |value| ValueRef::Real(*value);
    str: |value| ValueRef::Text(value);
    String: |value| ValueRef::Text(value);
    Arc<str>: |value| ValueRef::Text(value);
    [u8]: |value| ValueRef::Blob(value);
    Vec<u8>: |value| ValueRef::Blob(value);
    List: |value| ValueRef::List(value);
    Value: |value| match value {
        Value::Integer(integer) => ValueRef::Integer(*integer),
        Value::Text(text) => ValueRef::Text(text),
        Value::List(list) => ValueRef::List(list),
    };
}
impl<const N: usize> ToSql for [u8; N] {
    fn to_sql(&self) -> ValueRef<'_> {
        ValueRef::Blob(self)
    }
}
impl<T: ToSql> ToSql for Option<T> {
    fn to_sql(&self) -> ValueRef<'_> {
        self.as_ref().map_or(ValueRef::Null, T::to_sql)
    }
}
impl<T: ToSql + ?Sized> ToSql for &T {
    fn to_sql(&self) -> ValueRef<'_> {
        (**self).to_sql()
    }
}

/// What can be read from a row.
pub trait FromSql: Sized {
    /// What it is called when something else was there.
    const EXPECTED: &'static str;
    /// The value, if it is one of this type.
    fn from_sql(value: ValueRef<'_>) -> Option<Self>;
}

macro_rules! from_sql {
    ($($type:ty, $expected:literal: $variant:ident($value:ident) => $as:expr;)*) => {
        $(impl FromSql for $type {
            const EXPECTED: &'static str = $expected;
            fn from_sql(value: ValueRef<'_>) -> Option<Self> {
                match value {
                    ValueRef::$variant($value) => $as,
                    _ => None,
                }
            }
        })*
    };
}
from_sql! {
    i64, "an integer": Integer(value) => Some(value);
    u32, "an integer of 32 bits": Integer(value) => value.try_into().ok();
    bool, "a truth value": Integer(value) => Some(value != 0);
    f64, "a number": Real(value) => Some(value);
    String, "a text": Text(value) => Some(value.to_owned());
    Vec<u8>, "bytes": Blob(value) => Some(value.to_vec());
}
impl<const N: usize> FromSql for [u8; N] {
    const EXPECTED: &'static str = "as many bytes as belong there";
    fn from_sql(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Blob(bytes) => bytes.try_into().ok(),
            _ => None,
        }
    }
}
impl<T: FromSql> FromSql for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    fn from_sql(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Null => Some(None),
            value => T::from_sql(value).map(Some),
        }
    }
}

impl<'a> ValueRef<'a> {
    /// The bytes of a column of bytes.
    pub fn as_blob(self) -> Result<&'a [u8]> {
        match self {
            Self::Blob(bytes) => Ok(bytes),
            _ => Err(Error::Type("bytes")),
        }
    }
}

/// The values of all parameters, in their order: an array or slice of values of one type, or [`params!`].
pub trait Params {
    /// Hands each value over.
    fn each(&self, bind: &mut dyn FnMut(ValueRef<'_>) -> Result<()>) -> Result<()>;
}

impl<T: ToSql> Params for [T] {
    fn each(&self, bind: &mut dyn FnMut(ValueRef<'_>) -> Result<()>) -> Result<()> {
        self.iter().try_for_each(|value| bind(value.to_sql()))
    }
}
impl<T: ToSql, const N: usize> Params for [T; N] {
    fn each(&self, bind: &mut dyn FnMut(ValueRef<'_>) -> Result<()>) -> Result<()> {
        self.as_slice().each(bind)
    }
}
impl<P: Params + ?Sized> Params for &P {
    fn each(&self, bind: &mut dyn FnMut(ValueRef<'_>) -> Result<()>) -> Result<()> {
        (**self).each(bind)
    }
}
impl<T: ToSql> Params for Vec<T> {
    fn each(&self, bind: &mut dyn FnMut(ValueRef<'_>) -> Result<()>) -> Result<()> {
        self.as_slice().each(bind)
    }
}
impl Params for () {
    fn each(&self, _: &mut dyn FnMut(ValueRef<'_>) -> Result<()>) -> Result<()> {
        Ok(())
    }
}

/// Parameters of several types.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$(&$value as &dyn $crate::store::sql::ToSql),*] as &[&dyn $crate::store::sql::ToSql]
    };
}
pub(crate) use params;
