//! Between the values of `spin:postgres` and those of the server.

use std::error::Error;

use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use tokio_postgres::{Column, Row};

use crate::bindings::spin::postgres::postgres::{self as wit, DbDataType, DbValue, ParameterValue};

/// A parameter as the server takes it.
pub(super) fn parameter(value: ParameterValue) -> Result<Box<dyn ToSql + Send + Sync>, wit::Error> {
    Ok(match value {
        ParameterValue::Boolean(value) => Box::new(value),
        ParameterValue::Int8(value) => Box::new(value),
        ParameterValue::Int16(value) => Box::new(value),
        ParameterValue::Int32(value) => Box::new(value),
        ParameterValue::Int64(value) => Box::new(value),
        ParameterValue::Floating32(value) => Box::new(value),
        ParameterValue::Floating64(value) => Box::new(value),
        ParameterValue::Str(value) => Box::new(value),
        ParameterValue::Binary(value) => Box::new(value),
        ParameterValue::ArrayInt32(values) => Box::new(values),
        ParameterValue::ArrayInt64(values) => Box::new(values),
        ParameterValue::ArrayStr(values) => Box::new(values),
        ParameterValue::DbNull => Box::new(Null),
        _ => {
            let reason = "this host takes no dates, times, decimals, ranges, intervals, UUIDs and JSON as parameters";
            return Err(wit::Error::ValueConversionFailed(reason.to_owned()));
        }
    })
}

/// No value, of any type.
#[derive(Debug)]
struct Null;

impl ToSql for Null {
    fn to_sql(&self, _: &Type, _: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        Ok(IsNull::Yes)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A value of another type, as the server sends it.
struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The name and the type of a column.
pub(super) fn column(column: &Column) -> wit::Column {
    wit::Column {
        name: column.name().to_owned(),
        data_type: match *column.type_() {
            Type::BOOL => DbDataType::Boolean,
            Type::INT2 => DbDataType::Int16,
            Type::INT4 => DbDataType::Int32,
            Type::INT8 => DbDataType::Int64,
            Type::FLOAT4 => DbDataType::Floating32,
            Type::FLOAT8 => DbDataType::Floating64,
            Type::TEXT | Type::VARCHAR | Type::BPCHAR => DbDataType::Str,
            Type::BYTEA => DbDataType::Binary,
            Type::INT4_ARRAY => DbDataType::ArrayInt32,
            Type::INT8_ARRAY => DbDataType::ArrayInt64,
            Type::TEXT_ARRAY | Type::VARCHAR_ARRAY => DbDataType::ArrayStr,
            ref other => DbDataType::Other(other.name().to_owned()),
        },
    }
}

/// A row as the guest gets it.
pub(super) fn row(row: &Row) -> Result<Vec<DbValue>, tokio_postgres::Error> {
    let columns = row.columns().iter().enumerate();
    columns
        .map(|(index, column)| match *column.type_() {
            Type::BOOL => value(row, index, DbValue::Boolean),
            Type::INT2 => value(row, index, DbValue::Int16),
            Type::INT4 => value(row, index, DbValue::Int32),
            Type::INT8 => value(row, index, DbValue::Int64),
            Type::FLOAT4 => value(row, index, DbValue::Floating32),
            Type::FLOAT8 => value(row, index, DbValue::Floating64),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR => value(row, index, DbValue::Str),
            Type::BYTEA => value(row, index, DbValue::Binary),
            Type::INT4_ARRAY => value(row, index, DbValue::ArrayInt32),
            Type::INT8_ARRAY => value(row, index, DbValue::ArrayInt64),
            Type::TEXT_ARRAY | Type::VARCHAR_ARRAY => value(row, index, DbValue::ArrayStr),
            _ => value(row, index, |Raw(bytes)| DbValue::Unsupported(bytes)),
        })
        .collect()
}

fn value<'a, T: FromSql<'a>>(
    row: &'a Row,
    index: usize,
    make: impl Fn(T) -> DbValue,
) -> Result<DbValue, tokio_postgres::Error> {
    let value: Option<T> = row.try_get(index)?;
    Ok(value.map_or(DbValue::DbNull, make))
}
