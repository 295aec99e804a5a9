//! Strict reading of JSON (RFC 8259): no name twice in an object, nothing after the end, 16 levels at most.

use serde_json::{Map, Value};

/// Most lists and objects within one another.
const DEEPEST: usize = 16;
/// How names begin that the product's reader of JSON keeps for itself; in a document of others there are none.
const RESERVED: &str = "$serde_json::private::";

/// A value as it is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number's own text.
    Number(String),
    /// A text.
    Text(String),
    /// `[]`.
    List(Vec<Json>),
    /// `{}`, in the order in which it is written.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The fields of an object.
    pub fn fields(&self) -> Option<&[(String, Self)]> {
        if let Self::Object(fields) = self { Some(fields) } else { None }
    }

    /// A field of an object.
    pub fn field(&self, name: &str) -> Option<&Self> {
        self.fields()?.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// A text.
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A list.
    pub fn list(&self) -> Option<&[Self]> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    /// A truth value.
    pub const fn bool(&self) -> Option<bool> {
        if let Self::Bool(bool) = self { Some(*bool) } else { None }
    }

    /// A whole number from 0 on, written with digits only.
    pub fn whole(&self) -> Option<u64> {
        match self {
            Self::Number(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        }
    }

    /// The same value as others write it.
    ///
    /// # Panics
    /// Never: what was read is a number.
    pub fn value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(bool) => Value::Bool(*bool),
            Self::Number(text) => serde_json::from_str(text).expect("a number"),
            Self::Text(text) => Value::String(text.clone()),
            Self::List(list) => list.iter().map(Self::value).collect(),
            Self::Object(fields) => Value::Object(
                fields.iter().map(|(name, value)| (name.clone(), value.value())).collect::<Map<_, _>>(),
            ),
        }
    }
}

/// Reads one document.
pub fn read(bytes: &[u8]) -> Option<Json> {
    let mut reader = Reader { rest: std::str::from_utf8(bytes).ok()? };
    let value = reader.value(0)?;
    reader.space();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn takes(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn letter(&mut self) -> Option<char> {
        let letter = self.rest.chars().next()?;
        self.rest = &self.rest[letter.len_utf8()..];
        Some(letter)
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        self.space();
        match self.rest.bytes().next()? {
            b'{' | b'[' if depth == DEEPEST => None,
            b'{' => self.object(depth + 1),
            b'[' => self.list(depth + 1),
            b'"' => self.text().map(Json::Text),
            b'-' | b'0'..=b'9' => self.number(),
            _ => [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
                .into_iter()
                .find(|(word, _)| self.takes(word))
                .map(|(_, value)| value),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        let mut fields: Vec<(String, Json)> = Vec::new();
        self.takes("{");
        self.space();
        if self.takes("}") {
            return Some(Json::Object(fields));
        }
        loop {
            self.space();
            let name = self.text()?;
            self.space();
            if name.starts_with(RESERVED) || fields.iter().any(|(own, _)| *own == name) || !self.takes(":") {
                return None;
            }
            fields.push((name, self.value(depth)?));
            self.space();
            if self.takes("}") {
                return Some(Json::Object(fields));
            }
            if !self.takes(",") {
                return None;
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Json> {
        let mut list = Vec::new();
        self.takes("[");
        self.space();
        if self.takes("]") {
            return Some(Json::List(list));
        }
        loop {
            list.push(self.value(depth)?);
            self.space();
            if self.takes("]") {
                return Some(Json::List(list));
            }
            if !self.takes(",") {
                return None;
            }
        }
    }

    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        if !self.takes("\"") {
            return None;
        }
        loop {
            match self.letter()? {
                '"' => return Some(text),
                '\\' => text.push(self.escaped()?),
                '\0'..='\u{1f}' => return None,
                letter => text.push(letter),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        Some(match self.letter()? {
            letter @ ('"' | '\\' | '/') => letter,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let unit = self.unit()?;
                let pair = if (0xd800..0xdc00).contains(&unit) {
                    if !self.takes("\\u") {
                        return None;
                    }
                    vec![unit, self.unit()?]
                } else {
                    vec![unit]
                };
                // One letter, or none: a half of a pair by itself, or two halves that are no pair.
                return String::from_utf16(&pair).ok()?.chars().next();
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u16> {
        let digits =
            self.rest.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        self.rest = &self.rest[4..];
        u16::from_str_radix(digits, 16).ok()
    }

    /// A number that is too large for a double is none.
    fn number(&mut self) -> Option<Json> {
        let whole = self.rest;
        self.takes("-");
        match self.digits() {
            1 => {}
            0 => return None,
            _ if whole.trim_start_matches('-').starts_with('0') => return None,
            _ => {}
        }
        if self.takes(".") && self.digits() == 0 {
            return None;
        }
        if self.takes("e") || self.takes("E") {
            let _ = self.takes("+") || self.takes("-");
            if self.digits() == 0 {
                return None;
            }
        }
        let text = &whole[..whole.len() - self.rest.len()];
        text.parse::<f64>().ok().filter(|number| number.is_finite())?;
        Some(Json::Number(text.to_owned()))
    }

    fn digits(&mut self) -> usize {
        let rest = self.rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let count = self.rest.len() - rest.len();
        self.rest = rest;
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_or_says_a_name_twice_is_refused() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "1e309",
            "NaN",
            "nul",
            "nulll",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "\"a",
            "\"\n\"",
            "{} {}",
            "{}x",
            "\u{feff}{}",
            "{\"a\":1,\"a\":1}",
            "{\"a\":1,\"\\u0061\":1}",
            "[{\"a\":{\"b\":1,\"b\":2}}]",
            "{\"$serde_json::private::RawValue\":\"1\"}",
            "// x\n1",
            "\u{a0}1",
            &deep(17),
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(read(b"\"\xff\""), None);
        assert!(read(deep(16).as_bytes()).is_some());
    }

    #[test]
    fn what_is_json_says_what_it_says() {
        for text in [
            "null",
            " [ ] ",
            "{\"a\" : {} ,\"b\":[1 , -0.5e+3,0,-0,1E2]}\r\n\t",
            "\"\\u00e9\\ud83d\\ude00\\\"\\/\\b\\f\\n\\r\\t\u{7f}\"",
            "18446744073709551616",
            "1e-400",
            "{\"\":true,\"\\u0000\":false}",
        ] {
            let expected: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(read(text.as_bytes()).map(|json| json.value()), Some(expected), "{text}");
        }
    }
}
