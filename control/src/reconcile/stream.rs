//! The two sorted streams that are merged: one page of each is in memory.

use super::Failure;
use super::compare::{Entry, Expected, Listed};
use super::kv::Kv;
use super::part;
use crate::store::{Store, outbox};
use shared::{Error, Result};
use std::vec;

/// Rows of one page. A record may have 256 KiB.
const PAGE: u32 = 500;

/// What the database says, by key.
pub(crate) struct Entries<'a> {
    store: &'a Store,
    after: String,
    end: String,
    page: vec::IntoIter<Entry>,
    is_last: bool,
}

impl<'a> Entries<'a> {
    pub(crate) fn new(store: &'a Store, prefix: &str) -> Self {
        let (after, end) = (prefix.to_owned(), part::end(prefix));
        Self { store, after, end, page: Vec::new().into_iter(), is_last: false }
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Entry>> {
        loop {
            if let Some(entry) = self.page.next() {
                self.after.clone_from(&entry.key);
                return Ok(Some(entry));
            }
            if self.is_last {
                return Ok(None);
            }
            let mut session = self.store.read().await?;
            let rows = outbox::records_between(&mut session, (&self.after, &self.end), PAGE).await?;
            drop(session);
            self.is_last = rows.len() < usize::try_from(PAGE).unwrap_or_default();
            let page: Vec<_> =
                rows.into_iter().map(|(key, record)| Entry::of(key, record.as_ref())).collect();
            self.page = page.into_iter();
        }
    }
}

impl Entry {
    /// What the database says of a key, whose record may not be readable.
    pub(crate) fn of(key: String, record: Result<&shared::replica::Record, &Error>) -> Self {
        if let Err(error) = record {
            tracing::error!(%error, record_key = key, "a record cannot be made");
        }
        Self { key, expected: record.ok().map(Expected::of) }
    }
}

/// What KV lists, by key.
pub(crate) struct Listing {
    prefix: String,
    page: vec::IntoIter<Listed>,
    last: Option<String>,
    next: Next,
}

enum Next {
    First,
    At(String),
    Nothing,
}

impl Listing {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), page: Vec::new().into_iter(), last: None, next: Next::First }
    }

    /// # Errors
    /// When the API does not answer, and when its list is not sorted: a merge would take what is there for missing.
    pub(crate) async fn next(&mut self, kv: &mut Kv) -> Result<Option<Listed>, Failure> {
        loop {
            if let Some(listed) = self.page.next() {
                if self.last.as_ref().is_some_and(|last| *last >= listed.key) {
                    let text = format!("KV's list is not sorted at {:?}", listed.key);
                    return Err(Error::Internal(text).into());
                }
                self.last = Some(listed.key.clone());
                return Ok(Some(listed));
            }
            let cursor = match &self.next {
                Next::First => None,
                Next::At(cursor) => Some(cursor.as_str()),
                Next::Nothing => return Ok(None),
            };
            let page = kv.list(&self.prefix, cursor).await?;
            self.page = page.keys.into_iter();
            self.next = page.cursor.map_or(Next::Nothing, Next::At);
        }
    }
}
