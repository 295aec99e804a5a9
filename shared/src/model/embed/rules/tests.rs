use super::*;
use crate::model::filter::{Choice, Choices, Typed};
use proptest::prelude::*;
use serde_json::json;

fn filter(slug: &str, kind: Kind, default: Option<Value>) -> Filter {
    let choices = matches!(kind, Kind::Select | Kind::MultiSelect)
        .then(|| Choices::Static(vec![Choice { label: "A".into(), value: json!("a") }]));
    Filter { slug: slug.into(), label: slug.into(), kind, required: false, default, choices }
}

/// One filter of each kind that behaves by itself; `city` has a default.
fn filters() -> Vec<Filter> {
    vec![
        filter("tenant", Kind::Select, None),
        filter("tags", Kind::MultiSelect, None),
        filter("city", Kind::Text, Some(json!("Seattle"))),
        filter("period", Kind::DateRange, None),
    ]
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn granted(allowed: &[&str], fixed: &Value) -> Granted {
    Granted { allowed_params: names(allowed), fixed_params: object(fixed), ..Granted::default() }
}

fn policy(slug: &str, kind: Kind, mode: Mode, values: &[Value]) -> Policy {
    Policy {
        filter_slug: slug.into(),
        filter_kind: kind,
        mode,
        allowed_values: values.to_vec(),
        default: None,
        hidden: false,
    }
}

/// All that a request would be asked of the data, hidden filters included.
fn decided(granted: &Granted, asked: &Value) -> Result<Vec<(String, Value)>> {
    let parameters = granted.apply(&filters(), &object(asked))?;
    Ok(parameters.iter().filter_map(|(slug, typed)| Some((slug.to_owned(), typed?.to_json()))).collect())
}

fn refused(granted: &Granted, asked: &Value, name: &str) {
    match granted.apply(&filters(), &object(asked)) {
        Err(Error::Policy { slug, .. }) => assert_eq!(slug, name, "{asked}"),
        other => panic!("{asked} gave {other:?}"),
    }
}

fn flawed(granted: &Granted, pointer: &str) {
    let flaws = granted.flaws(&filters());
    assert!(flaws.iter().any(|flaw| flaw.pointer == pointer), "{pointer}: {flaws:?}");
}

#[test]
fn only_allowed_parameters_are_taken_and_defaults_stay() {
    let token = granted(&["tenant"], &json!({}));
    assert_eq!(decided(&token, &json!({})).unwrap(), [("city".into(), json!("Seattle"))]);
    assert_eq!(
        decided(&token, &json!({"tenant": "a"})).unwrap(),
        [("city".into(), json!("Seattle")), ("tenant".into(), json!("a"))]
    );
    refused(&token, &json!({"city": "Oslo"}), "city");
    refused(&token, &json!({"city": "Seattle"}), "city");
    refused(&token, &json!({"tags": ["a"]}), "tags");
    refused(&token, &json!({"period_start": "2024-01-01"}), "period_start");
    refused(&token, &json!({"unknown": 1}), "unknown");
}

#[test]
fn fixed_parameters_win_over_what_is_asked() {
    let token = granted(&["city"], &json!({"tenant": "t7", "tags": ["x"], "period_start": "2024-01-01"}));
    let expected = [
        ("city".to_owned(), json!("Oslo")),
        ("period".to_owned(), json!({"start": "2024-01-01", "end": null})),
        ("tags".to_owned(), json!(["x"])),
        ("tenant".to_owned(), json!("t7")),
    ];
    assert_eq!(decided(&token, &json!({"city": "Oslo"})).unwrap(), expected);
    refused(&token, &json!({"tenant": "t8"}), "tenant");
    refused(&token, &json!({"period": {"start": "2020-01-01"}}), "period");
    let both = Granted { allowed_params: names(&["city", "tenant"]), ..token };
    assert_eq!(decided(&both, &json!({"city": "Oslo", "tenant": "t8"})).unwrap(), expected);
}

#[test]
fn what_is_fixed_is_never_shown() {
    let token = granted(&["city"], &json!({"tenant": "t7"}));
    let parameters = token.apply(&filters(), &Map::new()).unwrap();
    assert_eq!(Value::Object(parameters.to_json()), json!({"city": "Seattle"}));
    let rules = token.rules(&filters()).unwrap();
    assert!(policy::options(&filters(), &rules, "tenant").is_err());
    assert!(policy::options(&filters(), &rules, "tags").is_err(), "nobody may set it");
    let constraints = policy::constraints(&filters(), &rules).unwrap();
    assert!(constraints.get("tenant").is_some(), "options of others are narrowed by it");
}

#[test]
fn what_is_required_must_be_given_or_fixed() {
    let token = Granted {
        required_params: names(&["period_start", "city", "tenant"]),
        ..granted(&["period_start", "period_end", "city"], &json!({"tenant": "t7"}))
    };
    refused(&token, &json!({"city": "Oslo"}), "period_start");
    refused(&token, &json!({"city": "Oslo", "period_start": null}), "period_start");
    refused(&token, &json!({"city": "Oslo", "period_end": "2024-01-01"}), "period_start");
    refused(&token, &json!({"period_start": "2024-01-01"}), "city");
    let tags = Granted { required_params: names(&["tags"]), ..granted(&["tags"], &json!({})) };
    refused(&tags, &json!({"tags": []}), "tags");
    assert!(decided(&tags, &json!({"tags": ["a"]})).is_ok());
    assert!(decided(&token, &json!({"city": "Oslo", "period_start": "2024-01-01"})).is_ok());
    assert!(decided(&token, &json!({"city": "Oslo", "period": {"start": "2024-01-01"}})).is_ok());
}

#[test]
fn policies_narrow_what_is_allowed_and_lock_what_is_not() {
    let selectable = Granted {
        policies: vec![policy("tenant", Kind::Select, Mode::Selectable, &[json!("a"), json!("b")])],
        ..granted(&["tenant"], &json!({}))
    };
    assert!(decided(&selectable, &json!({"tenant": "b"})).is_ok());
    refused(&selectable, &json!({"tenant": "c"}), "tenant");
    let locked = Granted {
        policies: vec![policy("tenant", Kind::Select, Mode::Locked, &[json!("a")])],
        ..granted(&[], &json!({}))
    };
    assert_eq!(decided(&locked, &json!({})).unwrap()[1], ("tenant".into(), json!("a")));
    refused(&locked, &json!({"tenant": "a"}), "tenant");
}

#[test]
fn what_contradicts_itself_is_told_when_a_token_is_made() {
    flawed(&granted(&["nothing"], &json!({})), "/allowed_params/0");
    flawed(&granted(&[], &json!({"no/thing": 1})), "/fixed_params/no~1thing");
    flawed(&granted(&["period_start"], &json!({})), "/allowed_params");
    flawed(&granted(&["period_end"], &json!({"period_start": "2024-01-01"})), "/allowed_params");
    flawed(&granted(&[], &json!({"tenant": null})), "/fixed_params/tenant");
    flawed(&granted(&[], &json!({"tags": "x"})), "/fixed_params/tags");
    flawed(&granted(&[], &json!({"tags": []})), "/fixed_params/tags");
    flawed(&granted(&[], &json!({"period_start": "2024-02-30"})), "/fixed_params/period");
    let required =
        |names: &[&str]| Granted { required_params: self::names(names), ..granted(&["city"], &json!({})) };
    flawed(&required(&["tenant"]), "/required_params/0");
    let with = |allowed: &[&str], policies: Vec<Policy>| Granted { policies, ..granted(allowed, &json!({})) };
    let locked = || policy("tenant", Kind::Select, Mode::Locked, &[json!("a")]);
    flawed(&with(&["tenant"], vec![locked()]), "/share_filter_policies/0");
    flawed(&with(&[], vec![policy("tenant", Kind::Select, Mode::Open, &[])]), "/share_filter_policies/0");
    flawed(&with(&[], vec![locked(), locked()]), "/share_filter_policies/1");
    flawed(&with(&[], vec![policy("gone", Kind::Select, Mode::Disabled, &[])]), "/share_filter_policies/0");
    flawed(&with(&[], vec![policy("tenant", Kind::Text, Mode::Disabled, &[])]), "/share_filter_policies/0");
    let fixed = Granted { policies: vec![locked()], ..granted(&[], &json!({"tenant": "t7"})) };
    flawed(&fixed, "/share_filter_policies/0");
}

#[test]
fn a_filter_that_needs_a_value_must_get_one() {
    let needy = [Filter { required: true, ..filter("tenant", Kind::Select, None) }];
    assert!(granted(&[], &json!({})).rules(&needy).is_err());
    assert!(granted(&["tenant"], &json!({})).rules(&needy).is_ok());
    assert!(granted(&[], &json!({"tenant": "a"})).rules(&needy).is_ok());
}

#[test]
fn a_token_that_fits_no_more_closes() {
    let token = granted(&["city"], &json!({"tenant": "t7"}));
    let without = &filters()[1..];
    match token.apply(without, &Map::new()) {
        Err(Error::Policy { slug, .. }) => assert_eq!(slug, ""),
        other => panic!("{other:?}"),
    }
    // A name that only let the viewer set something is no reason to close.
    assert!(granted(&["city", "gone"], &json!({})).apply(&filters(), &Map::new()).is_ok());
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(names(&["tenant", "tags", "city", "period_start", "period_end", "period", "gone"]))
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!("t7")),
        Just(json!("t8")),
        Just(json!(["x"])),
        Just(json!("2024-01-01")),
        Just(json!({"start": "2024-01-01"})),
        Just(json!(null)),
    ]
}

proptest! {
    /// Whatever a viewer asks: a parameter that was not allowed changes nothing, and what is fixed stays.
    #[test]
    fn no_request_widens_a_token(
        allowed in prop::collection::vec(name(), 0..5),
        fixed in prop::collection::btree_map(name(), value(), 0..3),
        asked in prop::collection::btree_map(name(), value(), 0..5),
    ) {
        let token = Granted {
            allowed_params: allowed.clone(),
            fixed_params: fixed.clone().into_iter().collect(),
            ..Granted::default()
        };
        let asked: Map<String, Value> = asked.into_iter().collect();
        if let Ok(parameters) = token.apply(&filters(), &asked) {
            let whole_range = ["period_start", "period_end"].iter().all(|end| allowed.iter().any(|name| name == end));
            for name in asked.keys() {
                prop_assert!(allowed.contains(name) || (name == "period" && whole_range), "{name}");
            }
            for (name, value) in &fixed {
                let filter = filters().into_iter().find(|filter| filter.parameters().contains(name)).unwrap();
                let decided = parameters.get(&filter.slug).cloned();
                let expected = match name.strip_prefix("period_") {
                    Some(side) => decided.as_ref().map(|range| range.to_json()[side] == *value),
                    None => Some(Typed::read(filter.kind, value).ok() == decided),
                };
                prop_assert_eq!(expected, Some(true), "{}", name);
            }
        }
    }
}
