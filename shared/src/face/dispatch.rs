//! The path that two dialects share: `POST /v1/share/link/create` is judged by its body before anything of it is read.
//! API.md X1.

use crate::model::api_key::Prefix;
use serde_json::{Map, Value};

/// Whose create it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Seed 002.
    Operation,
    /// Seed 003.
    SecureLink,
    /// Both at once.
    Ambiguous,
}

/// Fields by which the operation dialect's create is known.
const OPERATION: [&str; 3] = ["target_type", "target_id", "permission"];
/// The field by which the secure-link dialect's is.
const SECURE_LINK: &str = "links";

/// Judges a body by the names of its fields alone; one that has none of them belongs to the dialect that the caller's key is
/// of. A session token is of the operation dialect, the only one that speaks of them (seed 002), whatever key it is of.
pub fn dialect(body: &Map<String, Value>, key: Prefix) -> Dialect {
    let operation = OPERATION.iter().any(|name| body.contains_key(*name));
    match (operation, body.contains_key(SECURE_LINK)) {
        (true, true) => Dialect::Ambiguous,
        (true, false) => Dialect::Operation,
        (false, true) => Dialect::SecureLink,
        (false, false) => match key {
            Prefix::Operation | Prefix::Session => Dialect::Operation,
            Prefix::Postern => Dialect::SecureLink,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn body(names: &[String]) -> Map<String, Value> {
        names.iter().map(|name| (name.clone(), json!(null))).collect()
    }

    fn names() -> impl Strategy<Value = Vec<String>> {
        let known = prop::sample::select(vec![
            "links",
            "target_type",
            "target_id",
            "permission",
            "password",
            "expires_at",
            "bucket_id",
            "Links",
            "",
        ]);
        prop::collection::vec(prop_oneof![known.prop_map(str::to_owned), "[a-z_]{0,8}"], 0..6)
    }

    proptest! {
        #[test]
        fn the_names_alone_decide(names in names(), other in names(), gpra in any::<bool>()) {
            let key = if gpra { Prefix::Operation } else { Prefix::Postern };
            let has = |wanted: &[&str]| names.iter().any(|name| wanted.contains(&name.as_str()));
            let expected = match (has(&OPERATION), has(&[SECURE_LINK]), gpra) {
                (true, true, _) => Dialect::Ambiguous,
                (true, false, _) | (false, false, true) => Dialect::Operation,
                (false, true, _) | (false, false, false) => Dialect::SecureLink,
            };
            prop_assert_eq!(dialect(&body(&names), key), expected);
            // Neither order nor values matter, and what is added never takes a dialect away.
            let mut filled: Map<String, Value> =
                names.iter().rev().map(|name| (name.clone(), json!([{"links": 1, "target_type": 2}]))).collect();
            prop_assert_eq!(dialect(&filled, key), expected);
            filled.extend(body(&other));
            if expected == Dialect::Ambiguous {
                prop_assert_eq!(dialect(&filled, key), expected);
            }
        }
    }

    #[test]
    fn an_empty_body_is_the_keys_dialects() {
        assert_eq!(dialect(&Map::new(), Prefix::Operation), Dialect::Operation);
        assert_eq!(dialect(&Map::new(), Prefix::Session), Dialect::Operation);
        assert_eq!(dialect(&Map::new(), Prefix::Postern), Dialect::SecureLink);
    }
}
