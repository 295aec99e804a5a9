//! SQL as owners write it: named parameters (`:region`) and optional blocks (`[[ AND region = :region ]]`).
//!
//! Here the text is taken apart and put together again with positional parameters. Values never enter the
//! text; they are bound. Pure; what a database thinks of the result is another module's matter.

use std::collections::BTreeMap;
use std::fmt;

mod scan;

/// Which engine's quoting rules hold, and how it spells positional parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `?1`; identifiers also in `[brackets]` and backticks.
    Sqlite,
    /// `$1`; dollar quotes, nested comments, `E'...'` strings.
    Postgres,
}

/// Why a text is no template, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
    /// What is wrong.
    pub(crate) message: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (line {}, column {})", self.message, self.line, self.column)
    }
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Parameter(String),
    /// Kept only when each parameter in it has a value.
    Block(Vec<Part>),
}

/// One query with named parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    dialect: Dialect,
    parts: Vec<Part>,
}

/// One value, as it is bound.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Bind {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A truth value.
    Boolean(bool),
    /// `YYYY-MM-DD`.
    Date(String),
}

/// What a parameter is when it has no value: PostgreSQL wants to know the type of a NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NullType {
    /// Whatever it is compared with.
    Any,
    /// Text.
    Text,
    /// A number.
    Number,
    /// A truth value.
    Boolean,
    /// A date.
    Date,
}

/// What a name stands for in one request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Nothing: NULL, and blocks that name it are left out.
    Absent(NullType),
    /// One value.
    One(Bind),
    /// A list; an empty one is a value that matches nothing.
    Many(Vec<Bind>),
}

/// Values by name.
pub(crate) type Values = BTreeMap<String, Value>;

/// A query that an engine takes: its text and what is bound to its positions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    /// With `?1` or `$1`.
    pub(crate) sql: String,
    /// In the order of the positions.
    pub(crate) binds: Vec<Bind>,
}

impl Template {
    /// Takes a text apart.
    ///
    /// # Errors
    /// What is wrong, and where: quotes, comments or blocks that do not end, nested blocks, positional
    /// parameters, a second statement.
    pub(crate) fn parse(dialect: Dialect, sql: &str) -> Result<Self, Fault> {
        Ok(Self { dialect, parts: scan::parts(dialect, sql)? })
    }

    /// Names of its parameters, in order; some more than once.
    pub(crate) fn names(&self) -> Vec<&str> {
        fn collect<'t>(parts: &'t [Part], names: &mut Vec<&'t str>) {
            for part in parts {
                match part {
                    Part::Text(_) => {}
                    Part::Parameter(name) => names.push(name),
                    Part::Block(parts) => collect(parts, names),
                }
            }
        }
        let mut names = Vec::new();
        collect(&self.parts, &mut names);
        names
    }

    /// The query for these values. A name that has none is NULL; each name is bound once, however often
    /// it is used.
    pub(crate) fn render(&self, values: &Values) -> Query {
        let mut writer =
            Writer { dialect: self.dialect, values, positions: BTreeMap::new(), query: Query::empty() };
        writer.parts(&self.parts);
        writer.query
    }

    /// The query with every block kept: what is checked when a dashboard is saved.
    pub(crate) fn render_whole(&self, values: &Values) -> Query {
        let mut writer =
            Writer { dialect: self.dialect, values, positions: BTreeMap::new(), query: Query::empty() };
        for part in &self.parts {
            match part {
                Part::Block(parts) => writer.parts(parts),
                other => writer.parts(std::slice::from_ref(other)),
            }
        }
        writer.query
    }
}

impl Query {
    const fn empty() -> Self {
        Self { sql: String::new(), binds: Vec::new() }
    }
}

struct Writer<'v> {
    dialect: Dialect,
    values: &'v Values,
    /// What each name was written as.
    positions: BTreeMap<&'v str, String>,
    query: Query,
}

impl<'v> Writer<'v> {
    fn parts(&mut self, parts: &'v [Part]) {
        for part in parts {
            match part {
                Part::Text(text) => self.query.sql.push_str(text),
                Part::Parameter(name) => self.parameter(name),
                Part::Block(parts) if parts.iter().all(|part| self.has_value(part)) => self.parts(parts),
                // What stands around a block must not run together.
                Part::Block(_) => self.query.sql.push(' '),
            }
        }
    }

    fn has_value(&self, part: &Part) -> bool {
        match part {
            Part::Parameter(name) => !matches!(self.values.get(name), None | Some(Value::Absent(_))),
            Part::Text(_) | Part::Block(_) => true,
        }
    }

    fn parameter(&mut self, name: &'v str) {
        if let Some(written) = self.positions.get(name) {
            self.query.sql.push_str(written);
            return;
        }
        let written = self.write(name);
        self.query.sql.push_str(&written);
        self.positions.insert(name, written);
    }

    fn write(&mut self, name: &str) -> String {
        match self.values.get(name) {
            None => "NULL".to_owned(),
            Some(Value::Absent(null)) => self.null(*null).to_owned(),
            Some(Value::One(bind)) => self.bind(bind),
            Some(Value::Many(binds)) if binds.is_empty() => "NULL".to_owned(),
            Some(Value::Many(binds)) => {
                let written: Vec<String> = binds.iter().map(|bind| self.bind(bind)).collect();
                written.join(",")
            }
        }
    }

    fn bind(&mut self, bind: &Bind) -> String {
        self.query.binds.push(bind.clone());
        let position = self.query.binds.len();
        match self.dialect {
            Dialect::Sqlite => format!("?{position}"),
            Dialect::Postgres => {
                let cast = match bind {
                    Bind::Text(_) => "text",
                    Bind::Integer(_) => "bigint",
                    Bind::Float(_) => "double precision",
                    Bind::Boolean(_) => "boolean",
                    Bind::Date(_) => "date",
                };
                format!("CAST(${position} AS {cast})")
            }
        }
    }

    const fn null(&self, null: NullType) -> &'static str {
        match (self.dialect, null) {
            (Dialect::Sqlite, _) | (Dialect::Postgres, NullType::Any) => "NULL",
            (Dialect::Postgres, NullType::Text) => "CAST(NULL AS text)",
            (Dialect::Postgres, NullType::Number) => "CAST(NULL AS double precision)",
            (Dialect::Postgres, NullType::Boolean) => "CAST(NULL AS boolean)",
            (Dialect::Postgres, NullType::Date) => "CAST(NULL AS date)",
        }
    }
}

#[cfg(test)]
mod tests;
