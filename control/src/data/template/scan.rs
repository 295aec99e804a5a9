//! Taking SQL apart: where text, quotes and comments end, and where parameters and blocks stand.

use super::{Dialect, Fault, Part};

/// Takes a text apart, without its final semicolon.
pub(super) fn parts(dialect: Dialect, sql: &str) -> Result<Vec<Part>, Fault> {
    let mut scanner = Scanner { dialect, sql, at: 0, parts: Vec::new(), block: None, ended: false };
    while scanner.at < sql.len() {
        scanner.step()?;
    }
    match scanner.block {
        Some((start, _)) => Err(fault(sql, start, "this block has no ]]")),
        None => Ok(scanner.parts),
    }
}

struct Scanner<'s> {
    dialect: Dialect,
    sql: &'s str,
    at: usize,
    parts: Vec<Part>,
    /// The block that is open: where it began, and what is in it.
    block: Option<(usize, Vec<Part>)>,
    /// Was there a semicolon?
    ended: bool,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        self.sql.get(self.at..).unwrap_or_default()
    }

    /// Reads one thing: whatever cannot be split further.
    fn step(&mut self) -> Result<(), Fault> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(()) };
        if let Some(length) = self.opaque(first)? {
            // A comment may follow the final semicolon, text in quotes may not.
            if self.ended && !matches!(first, '-' | '/') {
                return Err(self.fault("must be one statement"));
            }
            self.text(length);
            return Ok(());
        }
        if self.ended && !first.is_whitespace() {
            return Err(self.fault("must be one statement"));
        }
        match first {
            ';' if self.block.is_some() => Err(self.fault("a block cannot hold a semicolon")),
            ';' => {
                self.ended = true;
                self.at += 1;
                Ok(())
            }
            '[' if rest.starts_with("[[") => self.open(),
            ']' if rest.starts_with("]]") && self.block.is_some() => self.close(),
            '?' if self.dialect == Dialect::Sqlite => Err(self.fault(POSITIONAL)),
            '$' | '@' if self.positional(rest) => Err(self.fault(POSITIONAL)),
            ':' if !rest.starts_with("::") => {
                self.parameter();
                Ok(())
            }
            first => {
                // A name is read whole: what begins within it is no parameter and no quote.
                let length = match first {
                    ':' => 2,
                    first if is_name_start(first) || first.is_ascii_digit() => name_length(rest),
                    first => first.len_utf8(),
                };
                self.text(length);
                Ok(())
            }
        }
    }

    /// `$1` in PostgreSQL, `$name` and `@name` in SQLite.
    fn positional(&self, rest: &str) -> bool {
        let mut chars = rest.chars();
        let (sign, next) = (chars.next(), chars.next().unwrap_or_default());
        match self.dialect {
            Dialect::Sqlite => is_name_start(next) || next.is_ascii_digit(),
            Dialect::Postgres => sign == Some('$') && next.is_ascii_digit(),
        }
    }

    /// Length of what hides its content from us here: quotes and comments. `None` when there is none here.
    fn opaque(&self, first: char) -> Result<Option<usize>, Fault> {
        let rest = self.rest();
        let length = match first {
            '\'' => Some(quoted(rest, '\'').ok_or_else(|| self.fault("this text has no end"))?),
            '"' => Some(quoted(rest, '"').ok_or_else(|| self.fault("this name has no end"))?),
            'e' | 'E' if self.dialect == Dialect::Postgres && rest.get(1..2) == Some("'") => {
                let length = escaped(rest.get(1..).unwrap_or_default());
                Some(1 + length.ok_or_else(|| self.fault("this text has no end"))?)
            }
            '`' if self.dialect == Dialect::Sqlite => {
                Some(quoted(rest, '`').ok_or_else(|| self.fault("this name has no end"))?)
            }
            '[' if self.dialect == Dialect::Sqlite && !rest.starts_with("[[") => {
                Some(rest.find(']').ok_or_else(|| self.fault("this name has no end"))? + 1)
            }
            '$' if self.dialect == Dialect::Postgres => match dollar_tag(rest) {
                Some(tag) => {
                    Some(dollar_quoted(rest, tag).ok_or_else(|| self.fault("this text has no end"))?)
                }
                None => None,
            },
            '-' if rest.starts_with("--") => Some(rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => {
                let nested = self.dialect == Dialect::Postgres;
                Some(comment(rest, nested).ok_or_else(|| self.fault("this comment has no end"))?)
            }
            _ => None,
        };
        Ok(length)
    }

    fn text(&mut self, length: usize) {
        let text = self.sql.get(self.at..self.at + length).unwrap_or_default().to_owned();
        self.at += length;
        let parts = self.block.as_mut().map_or(&mut self.parts, |(_, parts)| parts);
        match parts.last_mut() {
            Some(Part::Text(before)) => before.push_str(&text),
            _ => parts.push(Part::Text(text)),
        }
    }

    fn parameter(&mut self) {
        let name = self.rest().get(1..).unwrap_or_default();
        if !name.starts_with(is_name_start) {
            self.text(1);
            return;
        }
        let length = name_length(name);
        let name = name.get(..length).unwrap_or_default().to_owned();
        self.at += 1 + length;
        self.block.as_mut().map_or(&mut self.parts, |(_, parts)| parts).push(Part::Parameter(name));
    }

    fn open(&mut self) -> Result<(), Fault> {
        if self.block.is_some() {
            return Err(self.fault("blocks cannot be nested"));
        }
        self.block = Some((self.at, Vec::new()));
        self.at += 2;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        if let Some((_, parts)) = self.block.take() {
            if !parts.iter().any(|part| matches!(part, Part::Parameter(_))) {
                return Err(self.fault("this block names no parameter"));
            }
            self.parts.push(Part::Block(parts));
        }
        self.at += 2;
        Ok(())
    }

    fn fault(&self, message: &'static str) -> Fault {
        fault(self.sql, self.at, message)
    }
}

const POSITIONAL: &str = "parameters are written :name";

fn fault(sql: &str, at: usize, message: &'static str) -> Fault {
    let before = sql.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Fault {
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        message,
    }
}

fn is_name_start(first: char) -> bool {
    first.is_alphabetic() || first == '_'
}

fn name_length(text: &str) -> usize {
    text.find(|next: char| !(next.is_alphanumeric() || next == '_')).unwrap_or(text.len())
}

/// Length of a quotation with both its quotes; a doubled quote stands for one.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut at = 1;
    loop {
        at += text.get(at..)?.find(quote)? + 1;
        if !text.get(at..)?.starts_with(quote) {
            return Some(at);
        }
        at += 1;
    }
}

/// As [`quoted`], with backslashes that hide the character after them.
fn escaped(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, next)) = chars.next() {
        match next {
            '\\' => {
                chars.next();
            }
            '\'' if matches!(chars.peek(), Some((_, '\''))) => {
                chars.next();
            }
            '\'' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// `$$` or `$tag$` at the beginning of the text.
fn dollar_tag(text: &str) -> Option<&str> {
    let inner = text.get(1..)?;
    let length = if inner.starts_with(is_name_start) { name_length(inner) } else { 0 };
    inner.get(length..)?.starts_with('$').then(|| text.get(..length + 2)).flatten()
}

fn dollar_quoted(text: &str, tag: &str) -> Option<usize> {
    let end = text.get(tag.len()..)?.find(tag)?;
    Some(end + 2 * tag.len())
}

fn comment(text: &str, nested: bool) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        let end = rest.find("*/")?;
        let open = rest.find("/*").filter(|open| *open < end);
        match open {
            Some(open) if nested || depth == 0 => {
                depth += 1;
                at += open + 2;
            }
            _ => {
                depth -= 1;
                at += end + 2;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
    }
}
