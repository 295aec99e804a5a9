use super::*;
use proptest::prelude::*;
use serde_json::json;

fn filter(slug: &str, kind: Kind) -> Filter {
    let choices = matches!(kind, Kind::Select | Kind::MultiSelect).then(|| {
        Choices::Static(vec![
            Choice { label: "Active".into(), value: json!("active") },
            Choice { label: "Pending".into(), value: json!("pending") },
            Choice { label: "Closed".into(), value: json!("closed") },
        ])
    });
    Filter { slug: slug.into(), label: slug.into(), kind, required: false, default: None, choices }
}

fn policy(slug: &str, kind: Kind, mode: Mode, allowed: Value) -> Policy {
    let Value::Array(allowed_values) = allowed else { panic!("allowed values are a list") };
    Policy { filter_slug: slug.into(), filter_kind: kind, mode, allowed_values, default: None, hidden: false }
}

fn ask(filter: &Filter, rules: &Rules, asked: Value) -> Result<Value> {
    let Value::Object(asked) = asked else { panic!("parameters are an object") };
    apply(std::slice::from_ref(filter), rules, &asked)
        .map(|parameters| parameters.to_json().remove(&filter.slug).unwrap_or_default())
}

fn check_table(kind: Kind, policy_of: Option<(Mode, Value)>, rows: &[(Value, Option<Value>)]) {
    let filter = filter("f", kind);
    let policies = policy_of.into_iter().map(|(mode, allowed)| policy("f", kind, mode, allowed)).collect();
    let rules = Rules { policies, ..Rules::default() };
    for (asked, expected) in rows {
        let got = ask(&filter, &rules, asked.clone());
        match expected {
            Some(value) => assert_eq!(got.as_ref(), Ok(value), "{kind:?} {asked}"),
            None => assert!(
                matches!(&got, Err(Error::Policy { slug, .. }) if slug == "f"),
                "{kind:?} {asked}: {got:?}"
            ),
        }
    }
}

#[test]
fn open_takes_any_value_of_the_kind() {
    check_table(
        Kind::MultiSelect,
        None,
        &[
            (json!({}), Some(json!(null))),
            (json!({"f": null}), Some(json!(null))),
            (json!({"f": []}), Some(json!(null))),
            (json!({"f": ["x"]}), Some(json!(["x"]))),
            (json!({"f": "x"}), None),
        ],
    );
}

#[test]
fn locked_takes_only_its_own_value() {
    check_table(
        Kind::Select,
        Some((Mode::Locked, json!(["active"]))),
        &[
            (json!({}), Some(json!("active"))),
            (json!({"f": "active"}), Some(json!("active"))),
            (json!({"f": ["active"]}), Some(json!("active"))),
            (json!({"f": null}), None),
            (json!({"f": "ACTIVE"}), None),
            (json!({"f": "active "}), None),
            (json!({"f": "closed"}), None),
        ],
    );
    check_table(
        Kind::MultiSelect,
        Some((Mode::Locked, json!(["active", "pending"]))),
        &[
            (json!({}), Some(json!(["active", "pending"]))),
            (json!({"f": ["pending", "active"]}), Some(json!(["active", "pending"]))),
            (json!({"f": ["active"]}), None),
            (json!({"f": []}), None),
        ],
    );
}

#[test]
fn a_hidden_filter_cannot_be_guessed() {
    let tenant = filter("f", Kind::Select);
    let hidden = Policy { hidden: true, ..policy("f", Kind::Select, Mode::Locked, json!(["active"])) };
    let rules = Rules { policies: vec![hidden], ..Rules::default() };
    let parameters = apply(std::slice::from_ref(&tenant), &rules, &Map::new()).unwrap();
    assert_eq!(parameters.get("f").map(Typed::to_json), Some(json!("active")));
    assert_eq!(parameters.to_json(), Map::new());
    let unknown = ask(&tenant, &Rules::default(), json!({"g": 1})).unwrap_err();
    let Error::Policy { message: expected, .. } = unknown else { panic!("{unknown:?}") };
    for guess in ["active", "closed"] {
        assert_eq!(ask(&tenant, &rules, json!({"f": guess})), Err(Error::policy("f", expected)));
    }
}

#[test]
fn selectable_takes_only_allowed_values() {
    check_table(
        Kind::MultiSelect,
        Some((Mode::Selectable, json!(["active", "pending"]))),
        &[
            (json!({}), Some(json!(["active", "pending"]))),
            (json!({"f": ["active"]}), Some(json!(["active"]))),
            (json!({"f": []}), Some(json!([]))),
            (json!({"f": null}), None),
            (json!({"f": ["active", "closed"]}), None),
            (json!({"f": ["Active"]}), None),
        ],
    );
    check_table(
        Kind::Number,
        Some((Mode::Selectable, json!([1, 2]))),
        &[
            (json!({}), Some(json!(1))),
            (json!({"f": 2.0}), Some(json!(2))),
            (json!({"f": "2"}), None),
            (json!({"f": true}), None),
        ],
    );
}

#[test]
fn a_value_that_is_allowed_twice_is_one_value() {
    check_table(
        Kind::MultiSelect,
        Some((Mode::Selectable, json!(["active", 1, "active", 1.0]))),
        &[
            (json!({}), Some(json!(["active", 1]))),
            (json!({"f": [1, "active", 1]}), Some(json!([1, "active"]))),
        ],
    );
}

#[test]
fn a_selectable_range_bounds_the_days() {
    check_table(
        Kind::DateRange,
        Some((Mode::Selectable, json!([{"start": "2024-01-01", "end": "2024-12-31"}]))),
        &[
            (json!({}), Some(json!({"start": "2024-01-01", "end": "2024-12-31"}))),
            (
                json!({"f_start": "2024-03-01", "f_end": "2024-03-31"}),
                Some(json!({"start": "2024-03-01", "end": "2024-03-31"})),
            ),
            (json!({"f_start": "2024-03-01"}), None),
            (json!({"f_start": "2023-12-31", "f_end": "2024-03-31"}), None),
            (json!({"f_start": "2024-03-01", "f_end": "2025-01-01"}), None),
        ],
    );
}

#[test]
fn disabled_takes_nothing() {
    check_table(
        Kind::Text,
        Some((Mode::Disabled, json!([]))),
        &[(json!({}), Some(json!(null))), (json!({"f": "x"}), None), (json!({"f": null}), None)],
    );
    let rules = Rules { default_mode: DefaultMode::Disabled, policies: Vec::new() };
    assert!(ask(&filter("f", Kind::Text), &rules, json!({"f": "x"})).is_err());
}

#[test]
fn a_range_is_given_one_way_or_the_other() {
    check_table(
        Kind::DateRange,
        None,
        &[
            (
                json!({"f_start": "2024-01-01", "f_end": "2024-02-01"}),
                Some(json!({"start": "2024-01-01", "end": "2024-02-01"})),
            ),
            (json!({"f": {"start": "2024-01-01"}}), Some(json!({"start": "2024-01-01", "end": null}))),
            (json!({"f_start": null, "f_end": null}), Some(json!(null))),
            (json!({"f": {"start": "2024-01-01"}, "f_end": "2024-02-01"}), None),
            (json!({"f_start": "yesterday"}), None),
        ],
    );
}

#[test]
fn defaults_fill_what_is_absent_and_null_clears_it() {
    let mut open = filter("f", Kind::Select);
    open.default = Some(json!("active"));
    let rules = Rules::default();
    assert_eq!(ask(&open, &rules, json!({})), Ok(json!("active")));
    assert_eq!(ask(&open, &rules, json!({"f": null})), Ok(json!(null)));
    open.required = true;
    assert!(ask(&open, &rules, json!({"f": null})).is_err());
}

#[test]
fn a_filters_default_never_widens_what_the_share_allows() {
    let mut narrowed = filter("f", Kind::Select);
    narrowed.default = Some(json!("closed"));
    let rules = Rules {
        policies: vec![policy("f", Kind::Select, Mode::Selectable, json!(["active", "pending"]))],
        ..Rules::default()
    };
    assert_eq!(ask(&narrowed, &rules, json!({})), Ok(json!("active")));
}

#[test]
fn undeclared_names_are_refused_by_name() {
    let error = ask(&filter("f", Kind::Text), &Rules::default(), json!({"g": 1})).unwrap_err();
    assert_eq!(error, Error::policy("g", "is not a parameter of this dashboard"));
    assert!(ask(&filter("f", Kind::Text), &Rules::default(), json!({"f_start": "2024-01-01"})).is_err());
}

#[test]
fn a_policy_that_no_longer_fits_closes() {
    let rules = Rules {
        policies: vec![policy("f", Kind::Select, Mode::Locked, json!(["active"]))],
        ..Rules::default()
    };
    assert!(ask(&filter("f", Kind::Text), &rules, json!({})).is_err());
}

#[test]
fn rules_that_fit_only_in_part_close_as_a_whole() {
    let filters = [filter("f", Kind::Select), filter("g", Kind::Select)];
    let open = policy("f", Kind::Select, Mode::Open, json!([]));
    let tenant = policy("f", Kind::Select, Mode::Locked, json!(["active"]));
    for policies in [
        // The filter of the tenant is gone, and with it what narrows the others.
        vec![policy("gone", Kind::Select, Mode::Locked, json!(["active"]))],
        // Which of two comes first must not matter.
        vec![open.clone(), tenant.clone()],
        vec![tenant, open.clone()],
        // What would narrow is there, but the mode says otherwise.
        vec![Policy { allowed_values: vec![json!("active")], ..open.clone() }],
        vec![Policy { mode: Mode::Disabled, allowed_values: vec![json!("active")], ..open.clone() }],
        vec![Policy { hidden: true, ..open.clone() }],
        vec![Policy { filter_kind: Kind::Text, ..open.clone() }],
        vec![Policy { filter_kind: Kind::Text, mode: Mode::Disabled, ..open }],
    ] {
        let rules = Rules { policies, ..Rules::default() };
        let closed =
            |result: Result<Parameters>| matches!(result, Err(Error::Policy { slug, .. }) if slug.is_empty());
        assert!(closed(apply(&filters, &rules, &Map::new())), "{rules:?}");
        assert!(closed(constraints(&filters, &rules)), "{rules:?}");
        for slug in ["f", "g"] {
            assert!(
                matches!(options(&filters, &rules, slug), Err(Error::FilterDisabled { .. })),
                "{rules:?}"
            );
        }
    }
}

#[test]
fn options_follow_the_policy() {
    let filters = [filter("f", Kind::Select), filter("t", Kind::Text)];
    let rules = |policies| Rules { policies, ..Rules::default() };
    let open = rules(Vec::new());
    let found = |rules: &Rules| match options(&filters, rules, "f") {
        Ok(OptionSource::Known { choices, source }) => {
            (choices.into_iter().map(|choice| choice.label).collect::<Vec<_>>(), source)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(
        found(&open),
        (vec!["Active".into(), "Pending".into(), "Closed".into()], ChoiceSource::Static)
    );
    let selectable = rules(vec![policy("f", Kind::Select, Mode::Selectable, json!(["pending", "gone"]))]);
    assert_eq!(found(&selectable), (vec!["Pending".into(), "gone".into()], ChoiceSource::Policy));
    let mut hidden = policy("f", Kind::Select, Mode::Locked, json!(["active"]));
    hidden.hidden = true;
    for (rules, slug) in [
        (rules(vec![policy("f", Kind::Select, Mode::Disabled, json!([]))]), "f"),
        (rules(vec![hidden]), "f"),
        (open.clone(), "t"),
        (open, "unknown"),
    ] {
        assert!(matches!(options(&filters, &rules, slug), Err(Error::FilterDisabled { .. })), "{slug}");
    }
}

#[test]
fn rules_are_checked_against_the_filters() {
    let filters = [filter("s", Kind::Select), filter("m", Kind::MultiSelect), filter("t", Kind::Text)];
    let flaws = |policies: Vec<Policy>| {
        let rules = Rules { policies, ..Rules::default() };
        rules.flaws(&filters).into_iter().map(|flaw| flaw.pointer).collect::<Vec<_>>()
    };
    let good = || policy("s", Kind::Select, Mode::Locked, json!(["active"]));
    assert_eq!(
        flaws(vec![good(), policy("m", Kind::MultiSelect, Mode::Selectable, json!(["a", "b"]))]),
        Vec::<String>::new()
    );
    let bad = [
        policy("gone", Kind::Select, Mode::Locked, json!(["a"])),
        policy("s", Kind::Text, Mode::Locked, json!(["a"])),
        policy("s", Kind::Select, Mode::Locked, json!([])),
        policy("s", Kind::Select, Mode::Locked, json!(["a", "b"])),
        policy("s", Kind::Select, Mode::Selectable, json!([{"a": 1}])),
        policy("t", Kind::Text, Mode::Open, json!(["a"])),
        policy("t", Kind::Text, Mode::Disabled, json!(["a"])),
        Policy { hidden: true, ..policy("s", Kind::Select, Mode::Selectable, json!(["a"])) },
        Policy { default: Some(json!("z")), ..policy("s", Kind::Select, Mode::Selectable, json!(["a"])) },
        Policy { default: Some(json!("a")), ..policy("s", Kind::Select, Mode::Locked, json!(["a"])) },
        Policy { default: Some(json!(1)), ..policy("t", Kind::Text, Mode::Open, json!([])) },
    ];
    for policy in bad {
        assert_eq!(flaws(vec![policy.clone()]), ["/share_filter_policies/0"], "{policy:?}");
    }
    assert_eq!(flaws(vec![good(), good()]), ["/share_filter_policies/1"]);
}

#[test]
fn constraints_hold_what_the_share_imposes_and_nothing_else() {
    let mut open = filter("open", Kind::Select);
    open.default = Some(json!("active"));
    let filters = [filter("tenant", Kind::Select), filter("status", Kind::MultiSelect), open];
    let policies = vec![
        policy("tenant", Kind::Select, Mode::Locked, json!(["active"])),
        Policy {
            default: Some(json!(["pending"])),
            ..policy("status", Kind::MultiSelect, Mode::Selectable, json!(["pending", "closed"]))
        },
    ];
    let constraints = constraints(&filters, &Rules { policies, ..Rules::default() }).unwrap();
    assert_eq!(
        Value::Object(constraints.to_json()),
        json!({"tenant": "active", "status": ["pending", "closed"]})
    );
}

/// Values that confuse types: texts that look like numbers, Unicode twins, containers.
fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        (-3.0..3.0).prop_map(|number: f64| json!(number)),
        prop::sample::select(vec![
            "active",
            "Active",
            "active ",
            "pending",
            "closed",
            "1",
            "true",
            "",
            "ａｃｔｉｖｅ",
            "2024-01-01",
            "2024-06-30",
            "2025-01-01",
            "2024-02-30",
            "' OR 1=1 --",
        ])
        .prop_map(Value::from),
    ];
    scalar.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map(prop::sample::select(vec!["start", "end", "$ne"]), inner, 0..3)
                .prop_map(|sides| Value::Object(
                    sides.into_iter().map(|(side, value)| (side.to_owned(), value)).collect()
                )),
        ]
    })
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![
        Kind::Select,
        Kind::MultiSelect,
        Kind::Text,
        Kind::Number,
        Kind::Date,
        Kind::DateRange,
        Kind::Boolean,
    ])
}

fn any_case() -> impl Strategy<Value = (Filter, Rules, Map<String, Value>)> {
    let modes = prop::sample::select(vec![Mode::Open, Mode::Locked, Mode::Selectable, Mode::Disabled]);
    let filter = (any_kind(), prop::option::of(any_value()), any::<bool>());
    let rule = prop::option::of((any_kind(), modes, prop::collection::vec(any_value(), 0..3), any::<bool>()));
    let asked = prop::collection::hash_map(
        prop::sample::select(vec!["f", "f_start", "f_end", "F", "g"]),
        any_value(),
        0..3,
    );
    (filter, rule, asked).prop_map(|((kind, default, required), rule, asked)| {
        let mut filter = filter_of(kind);
        filter.default = default;
        filter.required = required;
        let policies = rule
            .map(|(other_kind, mode, allowed, same_kind)| {
                policy("f", if same_kind { kind } else { other_kind }, mode, Value::Array(allowed))
            })
            .into_iter()
            .collect();
        let asked = asked.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        (filter, Rules { policies, ..Rules::default() }, asked)
    })
}

fn filter_of(kind: Kind) -> Filter {
    filter("f", kind)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn deciding_twice_is_deciding_once((filter, rules, asked) in any_case()) {
        let filters = [filter];
        if let Ok(parameters) = apply(&filters, &rules, &asked) {
            prop_assert_eq!(apply(&filters, &rules, &parameters.to_json()), Ok(parameters));
        }
    }

    #[test]
    fn nothing_outside_the_allowed_values_is_ever_decided((filter, rules, asked) in any_case()) {
        let filters = [filter];
        let Ok(parameters) = apply(&filters, &rules, &asked) else { return Ok(()) };
        let Some(policy) = rules.policy("f") else { return Ok(()) };
        let listed = |value: &Value| policy.allowed_values.iter().any(|allowed| {
            Scalar::read(allowed) == Scalar::read(value)
                || matches!(allowed, Value::Array(one) if matches!(one.as_slice(), [only] if Scalar::read(only) == Scalar::read(value)))
        });
        match (policy.mode, parameters.get("f")) {
            (Mode::Open, _) => {}
            (Mode::Disabled, value) => prop_assert_eq!(value, None),
            (_, None) => prop_assert!(false, "a narrowed filter without a value reads every row"),
            (_, Some(Typed::One(scalar))) => prop_assert!(listed(&scalar.to_json())),
            (_, Some(Typed::Many(scalars))) => prop_assert!(scalars.iter().all(|scalar| listed(&scalar.to_json()))),
            (_, Some(Typed::Range { start, end })) => {
                let inside = policy.allowed_values.iter().any(|range| {
                    let side = |name: &str| range.get(name).and_then(Value::as_str).map(str::to_owned);
                    let after = side("start").is_none_or(|from| start.as_ref().is_some_and(|start| *start >= from));
                    let before = side("end").is_none_or(|to| end.as_ref().is_some_and(|end| *end <= to));
                    after && before
                });
                prop_assert!(inside);
            }
        }
    }
}
