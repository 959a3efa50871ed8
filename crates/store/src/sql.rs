//! Between SQLite's values and ours: ids are 16-byte blobs, instants whole
//! milliseconds since 1970 in UTC, lists and bodies JSON text.

use crate::{Result, StoreError};
use chrono::{DateTime, Utc};
use meantime_model::Urgency;
use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// An id as it lies in a column.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(pub Uuid);

impl ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Uuid::from_slice(value.as_blob()?).map(Self).map_err(FromSqlError::other)
    }
}

/// An instant as it lies in a column.
#[derive(Clone, Copy)]
pub(crate) struct Ms(pub DateTime<Utc>);

impl ToSql for Ms {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.timestamp_millis().into())
    }
}

impl FromSql for Ms {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let ms = value.as_i64()?;
        DateTime::from_timestamp_millis(ms).map(Self).ok_or(FromSqlError::OutOfRange(ms))
    }
}

/// An urgency as it lies in a column: 0 red, 1 yellow, 2 green.
#[derive(Clone, Copy)]
pub(crate) struct Urg(pub Urgency);

impl ToSql for Urg {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Urgency::Red => 0_i64,
            Urgency::Yellow => 1,
            Urgency::Green => 2,
        }
        .into())
    }
}

impl FromSql for Urg {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_i64()? {
            0 => Ok(Self(Urgency::Red)),
            1 => Ok(Self(Urgency::Yellow)),
            2 => Ok(Self(Urgency::Green)),
            other => Err(FromSqlError::OutOfRange(other)),
        }
    }
}

/// Typed access to a row's columns by name.
pub(crate) trait RowExt {
    fn uuid(&self, column: &str) -> rusqlite::Result<Uuid>;
    fn opt_uuid(&self, column: &str) -> rusqlite::Result<Option<Uuid>>;
    fn time(&self, column: &str) -> rusqlite::Result<DateTime<Utc>>;
    fn opt_time(&self, column: &str) -> rusqlite::Result<Option<DateTime<Utc>>>;
    fn json<T: DeserializeOwned>(&self, column: &str) -> rusqlite::Result<T>;
}

impl RowExt for Row<'_> {
    fn uuid(&self, column: &str) -> rusqlite::Result<Uuid> {
        Ok(self.get::<_, Id>(column)?.0)
    }
    fn opt_uuid(&self, column: &str) -> rusqlite::Result<Option<Uuid>> {
        Ok(self.get::<_, Option<Id>>(column)?.map(|id| id.0))
    }
    fn time(&self, column: &str) -> rusqlite::Result<DateTime<Utc>> {
        Ok(self.get::<_, Ms>(column)?.0)
    }
    fn opt_time(&self, column: &str) -> rusqlite::Result<Option<DateTime<Utc>>> {
        Ok(self.get::<_, Option<Ms>>(column)?.map(|ms| ms.0))
    }
    fn json<T: DeserializeOwned>(&self, column: &str) -> rusqlite::Result<T> {
        let index = self.as_ref().column_index(column)?;
        let text = self.get_ref(index)?.as_str()?;
        serde_json::from_str(text)
            .map_err(|e| rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(e)))
    }
}

pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| StoreError::Broken { what: format!("a value that is not JSON: {e}") })
}
