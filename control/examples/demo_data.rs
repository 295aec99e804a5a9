//! Converts the weather table of the npm package `vega-datasets` into a SQLite file, which
//! `cargo xtask dev` shows as a data source: `demo_data <weather.csv> <weather.db>`.
//!
//! One row per city and day. Precipitation is in millimetres, temperatures in degrees
//! Celsius, wind in metres per second.

use std::{env, ffi::OsString, fs, path::Path};

use anyhow::{Context, Result, bail};
use rusqlite::{Connection, params};

const SCHEMA: &str = "
    CREATE TABLE weather (
        location TEXT NOT NULL,
        date DATE NOT NULL, -- YYYY-MM-DD
        precipitation REAL NOT NULL,
        temp_max REAL NOT NULL,
        temp_min REAL NOT NULL,
        wind REAL NOT NULL,
        weather TEXT NOT NULL
    );
    CREATE INDEX weather_by_place_and_day ON weather (location, date);
";

fn main() -> Result<()> {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let [table, database] = arguments.as_slice() else {
        bail!("usage: demo_data <weather.csv> <weather.db>");
    };
    convert(Path::new(table), Path::new(database))
}

/// Fills a file of another name and renames it, so that a run broken off leaves no half a source.
fn convert(table: &Path, database: &Path) -> Result<()> {
    let unfinished = database.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_file(&unfinished)?;
    }
    let mut connection = Connection::open(&unfinished)?;
    connection.execute_batch(SCHEMA)?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO weather VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        let mut reader =
            csv::Reader::from_path(table).with_context(|| format!("cannot read {}", table.display()))?;
        for row in reader.deserialize() {
            let (location, date, precipitation, temp_max, temp_min, wind, weather): Row = row?;
            insert.execute(params![location, date, precipitation, temp_max, temp_min, wind, weather])?;
        }
    }
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)?;
    fs::rename(unfinished, database)?;
    Ok(())
}

/// `location,date,precipitation,temp_max,temp_min,wind,weather`, as the file's head says.
type Row = (String, String, f64, f64, f64, f64, String);
