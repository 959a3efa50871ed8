//! What a judgement relies on.

use crate::{Key, Row};
use meantime_model::PersonId;
use std::collections::HashMap;

/// The rows a judgement relies on, as they were read and as the changes before
/// it in the same push left them.
#[derive(Clone, Debug, Default)]
pub struct View {
    rows: HashMap<Key, Option<Row>>,
    circles: HashMap<PersonId, usize>,
}

impl View {
    /// Rows by their key, and in how many circles some people are.
    #[must_use]
    pub fn new(
        rows: impl IntoIterator<Item = (Key, Option<Row>)>,
        circles: impl IntoIterator<Item = (PersonId, usize)>,
    ) -> Self {
        Self { rows: rows.into_iter().collect(), circles: circles.into_iter().collect() }
    }

    /// A row that is there.
    #[must_use]
    pub fn row(&self, key: &Key) -> Option<&Row> {
        self.rows.get(key).and_then(Option::as_ref)
    }

    /// In how many circles somebody is.
    #[must_use]
    pub fn circles_of(&self, person: PersonId) -> usize {
        self.circles.get(&person).copied().unwrap_or_default()
    }

    /// A row as it is from now on.
    pub fn put(&mut self, row: Row) {
        self.rows.insert(row.key(), Some(row));
    }

    /// Somebody is in one circle more.
    pub fn joins(&mut self, person: PersonId) {
        *self.circles.entry(person).or_default() += 1;
    }
}
