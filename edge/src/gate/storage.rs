//! A gate's storage: one row for the record in force, one for the counts. The record may be large and seldom changes, the
//! counts are small and often do.

use super::ShareGate;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shared::model::gate::Stored;
use shared::model::tally::Tally;
use worker::{Result, SqlStorage, SqlStorageValue};

/// The record in force.
pub(super) struct Held {
    /// Record key of its token.
    pub(super) key: String,
    /// The record, byte for byte as it was pushed.
    pub(super) record: String,
    /// See [`Stored`].
    pub(super) stored: Stored,
}

#[derive(Deserialize)]
struct Row {
    key: String,
    record: String,
    stored: String,
}

#[derive(Deserialize)]
struct TableRow {
    name: String,
}

#[derive(Deserialize)]
struct TallyRow {
    tally: String,
}

const CREATE: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS held (id INTEGER PRIMARY KEY CHECK (id = 1), key TEXT NOT NULL, record TEXT NOT NULL, \
        stored TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS counted (id INTEGER PRIMARY KEY CHECK (id = 1), tally TEXT NOT NULL)",
];

impl ShareGate {
    pub(super) fn load(&self) -> Result<Option<Held>> {
        if !self.is_prepared()? {
            return Ok(None);
        }
        let row: Option<Row> = first(&self.sql()?, "SELECT key, record, stored FROM held")?;
        row.map(|Row { key, record, stored }| {
            Ok(Held { key, record, stored: serde_json::from_slice(stored.as_bytes())? })
        })
        .transpose()
    }

    pub(super) fn save(&self, held: &Held) -> Result<()> {
        let stored = serde_json::to_string(&held.stored)?;
        let values = [held.key.clone(), held.record.clone(), stored].map(SqlStorageValue::from);
        let upsert = "INSERT OR REPLACE INTO held (id, key, record, stored) VALUES (1, ?, ?, ?)";
        self.sql()?.exec(upsert, values.to_vec())?;
        Ok(())
    }

    pub(super) fn tally(&self) -> Result<Tally> {
        if !self.is_prepared()? {
            return Ok(Tally::default());
        }
        let row: Option<TallyRow> = first(&self.sql()?, "SELECT tally FROM counted")?;
        row.map_or_else(|| Ok(Tally::default()), |row| Ok(serde_json::from_slice(row.tally.as_bytes())?))
    }

    pub(super) fn save_tally(&self, tally: &Tally) -> Result<()> {
        let values = vec![SqlStorageValue::from(serde_json::to_string(tally)?)];
        self.sql()?.exec("INSERT OR REPLACE INTO counted (id, tally) VALUES (1, ?)", values)?;
        Ok(())
    }

    /// Are there tables? A gate that is only asked makes none: what nobody knows must not stay in storage for ever.
    fn is_prepared(&self) -> Result<bool> {
        if !self.prepared.get() {
            let tables = "SELECT name FROM sqlite_master WHERE name = 'counted'";
            let there: Option<TableRow> = first(&self.state.storage().sql(), tables)?;
            self.prepared.set(there.is_some_and(|table| table.name == "counted"));
        }
        Ok(self.prepared.get())
    }

    fn sql(&self) -> Result<SqlStorage> {
        let sql = self.state.storage().sql();
        if !self.prepared.get() {
            for table in CREATE {
                sql.exec(table, None)?;
            }
            self.prepared.set(true);
        }
        Ok(sql)
    }
}

fn first<T: DeserializeOwned>(sql: &SqlStorage, query: &str) -> Result<Option<T>> {
    Ok(sql.exec(query, None)?.to_array()?.into_iter().next())
}
