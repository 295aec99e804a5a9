//! What may be asked of a product's rows: which, in which order, and where to begin.

use super::cursor::{self, Position};
use super::{Column, View};
use crate::model::file_name;
use crate::model::key::KeyRing;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Rows of a page that says no `limit`.
pub const DEFAULT_LIMIT: u32 = 100;
/// Most rows of a page.
pub const MAX_LIMIT: u32 = 1_000;
/// Longest `search`, in characters.
pub const MAX_SEARCH_CHARS: usize = 128;
/// Longest name of a column or cursor that is looked at, in bytes.
const MAX_PARAMETER_BYTES: usize = 4_096;

/// A request's query, its form checked; what it names is looked up by [`Asked::page`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    limit: u32,
    cursor: Option<String>,
    offset: Option<u64>,
    sort: Option<String>,
    descending: bool,
    search: Option<String>,
}

/// Which rows, in which order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Most rows, 1 to [`MAX_LIMIT`].
    pub limit: u32,
    /// In the order of the source when absent.
    pub sort: Option<Sort>,
    /// Only rows of which a text has this part, in any case.
    pub search: Option<String>,
    /// Where to begin.
    pub start: Start,
}

/// An order. Rows that are equal in it keep that of the source; empty cells come last in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sort {
    /// The column, from 0.
    pub column: usize,
    /// From the largest down; ties then too are from the last row up.
    pub descending: bool,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// At the row of this number in the order, from 0. Not beside a search, whose rows nobody has counted.
    Offset(u64),
    /// After the last row of the page before.
    After(Position),
}

impl Asked {
    /// Reads the parameters of a query. None has a meaning for what opens no product, so they are judged before the link.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the parameter.
    pub fn read<'q>(query: impl Iterator<Item = (&'q str, &'q str)>) -> Result<Self> {
        let (mut limit, mut cursor, mut offset, mut sort, mut order, mut search) =
            (None, None, None, None, None, None);
        for (name, value) in query {
            let slot = match name {
                "limit" => &mut limit,
                "cursor" => &mut cursor,
                "offset" => &mut offset,
                "sort" => &mut sort,
                "order" => &mut order,
                "search" => &mut search,
                _ => {
                    let name: String = name.chars().take(64).collect();
                    let known = "is no parameter: limit, cursor, offset, sort, order and search are";
                    return Err(Error::invalid(format!("/{name}"), known));
                }
            };
            if slot.is_some() {
                return Err(Error::invalid(format!("/{name}"), "is given twice"));
            }
            if value.len() > MAX_PARAMETER_BYTES {
                return Err(Error::invalid(format!("/{name}"), "is too long"));
            }
            *slot = Some(value.to_owned()).filter(|value| !value.is_empty());
        }
        let limit = match limit {
            None => DEFAULT_LIMIT,
            Some(text) => number(&text)
                .and_then(|limit| u32::try_from(limit).ok())
                .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                .ok_or_else(|| Error::invalid("/limit", "must be 1 to 1,000"))?,
        };
        let offset = offset
            .map(|text| {
                number(&text).ok_or_else(|| Error::invalid("/offset", "must be a row's number, from 0"))
            })
            .transpose()?;
        let descending = match order.as_deref() {
            None | Some("asc") => false,
            Some("desc") if sort.is_some() => true,
            Some("desc") => return Err(Error::invalid("/order", "needs a column to sort by")),
            Some(_) => return Err(Error::invalid("/order", "must be asc or desc")),
        };
        if search.as_ref().is_some_and(|text| text.chars().count() > MAX_SEARCH_CHARS || text.contains('\0'))
        {
            return Err(Error::invalid("/search", "must have at most 128 characters"));
        }
        match (&offset, &cursor, &search) {
            (Some(_), Some(_), _) => Err(Error::invalid("/offset", "cannot be beside a cursor")),
            (Some(_), _, Some(_)) => Err(Error::invalid("/offset", "cannot be beside a search")),
            _ => Ok(Self { limit, cursor, offset, sort, descending, search }),
        }
    }

    /// The page of a product that is asked for.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a column that is none or cannot be sorted by, and for a cursor that is not of this product,
    /// version and question.
    pub fn page(&self, view: &View, ring: &KeyRing) -> Result<Page> {
        let sort = self.sort.as_deref().map(|name| self.sort(&view.table.columns, name)).transpose()?;
        let first = Page {
            limit: self.limit,
            sort,
            search: self.search.clone(),
            start: Start::Offset(self.offset.unwrap_or(0)),
        };
        let Some(text) = &self.cursor else { return Ok(first) };
        let position = cursor::open(ring, text, view, &first)?;
        Ok(Page { start: Start::After(position), ..first })
    }

    fn sort(&self, columns: &[Column], name: &str) -> Result<Sort> {
        let found = columns.iter().position(|column| column.name == name);
        let column = found.ok_or_else(|| Error::invalid("/sort", "is no column of this data product"))?;
        if !columns.get(column).is_some_and(|column| column.sortable) {
            return Err(Error::invalid("/sort", "is a column that rows cannot be sorted by"));
        }
        Ok(Sort { column, descending: self.descending })
    }
}

impl Page {
    /// The cursor of the page after this one, whose last row stands at `position`.
    pub fn cursor(&self, ring: &KeyRing, view: &View, position: &Position) -> String {
        cursor::seal(ring, position, view, self)
    }

    /// Does it fit the columns? The data plane takes nobody's word for it.
    pub fn fits(&self, columns: &[Column]) -> bool {
        let sorts =
            self.sort.is_none_or(|sort| columns.get(sort.column).is_some_and(|column| column.sortable));
        let begins = match &self.start {
            Start::Offset(offset) => *offset == 0 || self.search.is_none(),
            Start::After(position) => self.sort.is_some() || position.value.is_none(),
        };
        sorts && begins && (1..=MAX_LIMIT).contains(&self.limit)
    }
}

/// Digits alone.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// How a product is downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RFC 4180, with a head.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// Reads the query of a download.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn read<'q>(query: impl Iterator<Item = (&'q str, &'q str)>) -> Result<Self> {
        let mut format = None;
        for (name, value) in query {
            if name != "format" {
                let name: String = name.chars().take(64).collect();
                return Err(Error::invalid(format!("/{name}"), "is no parameter: format is"));
            }
            let known =
                [Self::Csv, Self::Jsonl, Self::Parquet].into_iter().find(|known| known.name() == value);
            if format.replace(known).is_some() {
                return Err(Error::invalid("/format", "is given twice"));
            }
        }
        format.flatten().ok_or_else(|| Error::invalid("/format", "must be csv, jsonl or parquet"))
    }

    /// As queries and file names spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Jsonl => "application/jsonl",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// Name of the file that a browser saves.
    pub fn file_name(self, product: &str) -> String {
        file_name::harmless(product, self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::view;
    use super::*;
    use crate::model::key::KeyRing;

    fn ring() -> KeyRing {
        KeyRing::parse("9f2c4a7be1d05836c7aa10f4e93b5d6278c1f0a35e8d94b60713ac2fd58e6b41", None).unwrap()
    }

    fn read(query: &[(&str, &str)]) -> Result<Page> {
        Asked::read(query.iter().copied())?.page(&view(), &ring())
    }

    #[test]
    fn nothing_asked_is_the_first_page() {
        let first = Page { limit: 100, sort: None, search: None, start: Start::Offset(0) };
        assert_eq!(read(&[]).unwrap(), first);
        assert_eq!(read(&[("search", ""), ("cursor", "")]).unwrap(), first);
    }

    #[test]
    fn parameters_are_read_strictly() {
        let check = |query: &[(&str, &str)], place: &str| match read(query) {
            Err(Error::Invalid(flaws)) => assert_eq!(flaws[0].pointer, place, "{query:?}"),
            other => panic!("{query:?}: {other:?}"),
        };
        for limit in ["0", "1001", "-1", "+1", "1.5", "x", "99999999999999999999"] {
            check(&[("limit", limit)], "/limit");
        }
        check(&[("offset", "-1")], "/offset");
        check(&[("offset", "1"), ("search", "a")], "/offset");
        check(&[("offset", "1"), ("cursor", "a")], "/offset");
        check(&[("order", "up"), ("sort", "city")], "/order");
        check(&[("order", "desc")], "/order");
        check(&[("sort", "nowhere")], "/sort");
        check(&[("sort", "City")], "/sort");
        check(&[("sort", "city\" DESC; --")], "/sort");
        check(&[("sort", "notes")], "/sort");
        check(&[("search", &"x".repeat(129))], "/search");
        check(&[("search", "a\0b")], "/search");
        check(&[("cursor", "x")], "/cursor");
        check(&[("page", "1")], "/page");
        check(&[("limit", "1"), ("limit", "2")], "/limit");
        check(&[("cursor", &"x".repeat(5_000))], "/cursor");
    }

    #[test]
    fn cursors_go_on_with_their_own_question_alone() {
        let (view, ring) = (view(), ring());
        let by_price = [("sort", "price"), ("order", "desc"), ("search", "é")];
        let page = read(&by_price).unwrap();
        let position = Position::new(Some(serde_json::json!(1.5)), 7);
        let cursor = page.cursor(&ring, &view, &position);
        let with = |query: &[(&str, &str)], cursor: &str| {
            let query: Vec<_> = query.iter().copied().chain([("cursor", cursor)]).collect();
            Asked::read(query.into_iter()).unwrap().page(&view, &ring)
        };
        assert_eq!(with(&by_price, &cursor).unwrap().start, Start::After(position));
        let more = [("sort", "price"), ("order", "desc"), ("search", "é"), ("limit", "7")];
        assert!(with(&more, &cursor).is_ok(), "pages may differ in length");
        for other in [
            &[][..],
            &by_price[..2],
            &[("sort", "price"), ("search", "é")],
            &[("sort", "city"), ("order", "desc"), ("search", "é")],
        ] {
            assert!(with(other, &cursor).is_err(), "{other:?}");
        }
        let newer = View { version: 4, ..view.clone() };
        let asked = Asked::read(by_price.into_iter().chain([("cursor", cursor.as_str())])).unwrap();
        assert!(asked.page(&newer, &ring).is_err());
        let elsewhere = View { id: uuid::Uuid::from_u128(9), ..view.clone() };
        assert!(asked.page(&elsewhere, &ring).is_err());
        for at in 0..cursor.len() {
            let mut forged = cursor.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            // The last character may hold bits that say nothing.
            assert!(with(&by_price, &forged).is_err() || at + 1 == cursor.len(), "{at}");
        }
        assert!(with(&by_price, &cursor[..cursor.len() - 2]).is_err());
    }

    #[test]
    fn only_what_fits_is_read() {
        let columns = view().table.columns;
        let page = |sort, start| Page { limit: 10, sort, search: None, start };
        let sort = |column| Some(Sort { column, descending: false });
        assert!(page(sort(1), Start::Offset(3)).fits(&columns));
        assert!(!page(sort(2), Start::Offset(0)).fits(&columns));
        assert!(!page(sort(3), Start::Offset(0)).fits(&columns));
        assert!(!page(None, Start::After(Position::new(Some(1.into()), 1))).fits(&columns));
        assert!(!Page { limit: 1_001, ..page(None, Start::Offset(0)) }.fits(&columns));
    }

    #[test]
    fn formats_are_read_strictly() {
        let read = |query: &[(&str, &str)]| Format::read(query.iter().copied());
        assert_eq!(read(&[("format", "csv")]).unwrap(), Format::Csv);
        for bad in [
            &[][..],
            &[("format", "xlsx")],
            &[("format", "csv"), ("format", "csv")],
            &[("format", "csv"), ("x", "")],
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
