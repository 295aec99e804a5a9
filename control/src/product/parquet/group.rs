//! Row groups and their pages, given to the library so that what it holds at once is bounded, whatever a file says.

use super::held::{Budget, Held};
use super::page::Scout;
use super::{refused, unreadable};
use ::parquet::bloom_filter::Sbbf;
use ::parquet::column::page::{Page, PageMetadata, PageReader};
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use ::parquet::file::reader::RowGroupReader;
use ::parquet::file::serialized_reader::SerializedPageReader;
use ::parquet::record::reader::RowIter;
use ::parquet::schema::types::Type;
use shared::Error;
use std::fs::File;
use std::sync::Arc;

/// How often the library asks for a page behind the last one: once, and no harm is done by a few.
const ASKED_AFTER_END: u8 = 8;

/// A row group of a file.
pub(super) struct Group<'m> {
    pub(super) file: Arc<File>,
    pub(super) metadata: &'m RowGroupMetaData,
    pub(super) budget: Arc<Budget>,
}

impl RowGroupReader for Group<'_> {
    fn metadata(&self) -> &RowGroupMetaData {
        self.metadata
    }

    fn num_columns(&self) -> usize {
        self.metadata.num_columns()
    }

    fn get_column_page_reader(&self, column: usize) -> Result<Box<dyn PageReader>> {
        let chunk = self.metadata.column(column);
        let top = |chunk: &ColumnChunkMetaData| chunk.column_path().parts().first().cloned();
        let beside = [column.checked_sub(1), column.checked_add(1)].into_iter().flatten();
        let mut beside = beside.filter_map(|at| self.metadata.columns().get(at));
        let is_alone = !beside.any(|other| top(other) == top(chunk));
        Ok(Box::new(Pages {
            scout: Scout::new(Arc::clone(&self.file), chunk).map_err(external)?,
            held: Held::new(chunk.column_descr_ptr(), is_alone, Arc::clone(&self.budget))
                .map_err(external)?,
            // How many rows there are matters only to readers of an offset index.
            reader: SerializedPageReader::new(Arc::clone(&self.file), chunk, 0, None)?,
            asked_after_end: 0,
        }))
    }

    fn get_column_bloom_filter(&self, _: usize) -> Option<&Sbbf> {
        None
    }

    fn get_row_iter(&self, projection: Option<Type>) -> Result<RowIter<'_>> {
        RowIter::from_row_group(projection, self)
    }
}

/// The pages of a chunk, each looked at before it is inflated and before it is decoded.
struct Pages {
    scout: Scout,
    held: Held,
    reader: SerializedPageReader<File>,
    asked_after_end: u8,
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(bytes) = self.scout.next().map_err(external)? else {
            // A column that ends before the others of its list would be asked for each of their values.
            self.asked_after_end += 1;
            if self.asked_after_end > ASKED_AFTER_END {
                return Err(external(refused("has columns that disagree on where a row ends")));
            }
            return Ok(None);
        };
        self.held.inflate(bytes).map_err(external)?;
        let page = self.reader.get_next_page()?;
        if let Some(page) = &page {
            self.held.add(page).map_err(external)?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        Err(external(unreadable()))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        Err(external(unreadable()))
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.scout.is_at_row().map_err(external)
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

fn external(error: Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
