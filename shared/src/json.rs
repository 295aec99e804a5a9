//! Strict reading of JSON that strangers send: no duplicate key at any depth, bounded depth
//! and size. `serde_json` alone keeps the last of two equal keys, so two readers of one body
//! could disagree about what it says.

use crate::{Error, Result};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Deepest nesting that is read; a documented body needs at most 7.
pub const MAX_DEPTH: usize = 16;
/// How names begin that `serde_json` keeps for itself: it would read the text after one of them as JSON of its own, unchecked.
const RESERVED: &str = "$serde_json::private::";
/// Most values in one body, containers included. 64 KiB of `0,` would be 32,768.
pub const MAX_NODES: usize = 20_000;

/// Reads one JSON document.
///
/// # Errors
/// [`Error::Malformed`] for bad syntax, trailing text, a duplicate or reserved key, more than
/// [`MAX_DEPTH`] levels or [`MAX_NODES`] values.
pub fn parse(body: &[u8]) -> Result<Value> {
    let mut nodes = 0;
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Strict { depth: 0, nodes: &mut nodes }
        .deserialize(&mut reader)
        .map_err(|error| Error::Malformed(error.to_string()))?;
    reader.end().map_err(|error| Error::Malformed(error.to_string()))?;
    Ok(value)
}

/// Reads one JSON object.
///
/// # Errors
/// As [`parse`], and [`Error::Invalid`] when the document is no object.
pub fn parse_object(body: &[u8]) -> Result<Map<String, Value>> {
    match parse(body)? {
        Value::Object(map) => Ok(map),
        _ => Err(Error::invalid("", "must be a JSON object")),
    }
}

struct Strict<'n> {
    depth: usize,
    nodes: &'n mut usize,
}

impl Strict<'_> {
    fn inner(&mut self) -> Strict<'_> {
        Strict { depth: self.depth + 1, nodes: self.nodes }
    }

    fn check_depth<E: de::Error>(&self) -> std::result::Result<(), E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Value, D::Error> {
        *self.nodes += 1;
        if *self.nodes > MAX_NODES {
            return Err(de::Error::custom(format_args!("more than {MAX_NODES} values")));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> std::result::Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> std::result::Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> std::result::Result<Value, A::Error> {
        self.check_depth()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.inner())? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> std::result::Result<Value, A::Error> {
        self.check_depth()?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if key.starts_with(RESERVED) {
                return Err(de::Error::custom(format_args!("reserved key {key:?}")));
            }
            if map.contains_key(&key) {
                return Err(de::Error::custom(format_args!("duplicate key {key:?}")));
            }
            let value = access.next_value_seed(self.inner())?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(body: &str, reason: &str) {
        match parse(body.as_bytes()) {
            Err(Error::Malformed(message)) => assert!(message.contains(reason), "{message}"),
            other => panic!("{body} gave {other:?}"),
        }
    }

    #[test]
    fn duplicate_keys_are_refused_at_every_depth() {
        refused(r#"{"a":1,"a":1}"#, "duplicate key");
        refused(r#"{"a":{"b":[{"c":1,"c":2}]}}"#, "duplicate key");
        refused(r#"{"a":1,"\u0061":2}"#, "duplicate key");
    }

    #[test]
    fn no_text_is_read_as_json_of_its_own() {
        let hidden = r#"{"a":{"$serde_json::private::RawValue":"{\"b\":1,\"b\":2}"}}"#;
        refused(hidden, "reserved key");
        assert_eq!(serde_json::from_str::<Value>(hidden).unwrap(), serde_json::json!({"a": {"b": 2}}));
    }

    #[test]
    fn depth_and_count_are_bounded() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        refused(&nested(MAX_DEPTH + 1), "nested deeper");
        refused(&nested(60_000), "nested deeper");
        refused(&format!("[{}0]", "0,".repeat(MAX_NODES)), "more than");
    }

    #[test]
    fn syntax_is_strict() {
        for body in ["", "{", "{}{}", "{'a':1}", "[1,]", "NaN", "1e999", "\"\\ud800\"", "\u{feff}{}"] {
            assert!(matches!(parse(body.as_bytes()), Err(Error::Malformed(_))), "{body}");
        }
        assert!(matches!(parse(b"\"\xff\""), Err(Error::Malformed(_))));
    }

    #[test]
    fn only_objects_are_objects() {
        assert!(matches!(parse_object(b"[]"), Err(Error::Invalid(_))));
        assert_eq!(parse_object(b"{\"a\":null}").unwrap().len(), 1);
    }

    /// The control plane decides on the number that the edge wrote: it must be the one that the edge has read.
    #[test]
    fn numbers_keep_their_last_digit() {
        for text in ["0.9830764536000881", "0.30000000000000004", "1.7976931348623157e308", "5e-324"] {
            let number = text.parse::<f64>().ok();
            assert_eq!(parse(text.as_bytes()).unwrap().as_f64(), number, "{text}");
        }
    }

    proptest! {
        #[test]
        fn numbers_come_back_as_they_were_written(number in proptest::num::f64::NORMAL) {
            prop_assert_eq!(parse(serde_json::to_string(&number).unwrap().as_bytes()).unwrap().as_f64(), Some(number));
        }

        #[test]
        fn bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body);
        }

        #[test]
        fn what_is_accepted_reads_as_serde_json_reads_it(text in r#"[\[\]{}:,"a0-9 .e\-]{0,40}"#) {
            if let Ok(value) = parse(text.as_bytes()) {
                prop_assert_eq!(value, serde_json::from_str::<Value>(&text).unwrap());
            }
        }
    }
}
