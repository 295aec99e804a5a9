use super::*;

fn share() -> Share {
    Share {
        id: Uuid::from_u128(1),
        organization_id: Uuid::from_u128(2),
        target: Target::dashboard(Uuid::from_u128(3)),
        share_type: ShareType::Link,
        permission: Permission::View,
        tile_budget: None,
        name: "Sales".into(),
        state: State::Live,
        generation: 1,
        revision: 1,
        nonce: [0; 16],
        key_epoch: "aa".into(),
        rules: Rules::default(),
        closed: false,
        protection: Protection::default(),
        context: None,
        notify: None,
        not_before: None,
        expires_at: None,
        created_at: Millis(0),
        issued_at: Millis(0),
        revoked_at: None,
        frame_origins: Vec::new(),
        revoked_tokens: Vec::new(),
    }
}

#[test]
fn rotation_changes_the_token_and_nothing_else() {
    let (before, mut after) = (share(), share());
    after.rotate([1; 16], "bb", Millis(5)).unwrap();
    assert_eq!((after.generation, after.revision, after.issued_at), (2, 2, Millis(5)));
    let rest = Share {
        generation: 1,
        revision: 1,
        nonce: [0; 16],
        key_epoch: "aa".into(),
        issued_at: Millis(0),
        ..after
    };
    assert_eq!(rest, before);
}

#[test]
fn revoking_is_for_good_and_idempotent() {
    let mut share = share();
    assert!(share.revoke(Millis(5)));
    let revoked = share.clone();
    assert!(!share.revoke(Millis(6)));
    assert!(share.rotate([1; 16], "bb", Millis(7)).is_err());
    assert!(share.amend(Amendment::default(), &[], &Limits::default(), Millis(7)).is_err());
    assert_eq!(share, revoked);
}

#[test]
fn an_expiry_lies_in_the_future() {
    let mut share = share();
    let expiry = |at| Amendment { expires_at: Some(Some(Millis(at))), ..Amendment::default() };
    assert!(share.amend(expiry(10), &[], &Limits::default(), Millis(10)).is_err());
    assert!(share.amend(expiry(11), &[], &Limits::default(), Millis(10)).is_ok());
    assert_eq!(share.expires_at, Some(Millis(11)));
    share
        .amend(
            Amendment { expires_at: Some(None), ..Amendment::default() },
            &[],
            &Limits::default(),
            Millis(10),
        )
        .unwrap();
    assert_eq!(share.expires_at, None);
}

#[test]
fn a_share_begins_before_it_ends() {
    let mut share = share();
    let times = |begin: Option<i64>, end: Option<i64>| Amendment {
        not_before: begin.map(|at| Some(Millis(at))),
        expires_at: end.map(|at| Some(Millis(at))),
        ..Amendment::default()
    };
    let mut amend = |change| share.amend(change, &[], &Limits::default(), Millis(10));
    assert!(amend(times(Some(20), Some(20))).is_err());
    assert!(amend(times(Some(20), Some(21))).is_ok());
    assert!(amend(times(Some(21), None)).is_err());
    assert!(amend(times(None, Some(15))).is_err());
    assert!(amend(times(Some(5), None)).is_ok());
}

#[test]
fn a_password_begins_a_version_and_counts_guesses_anew() {
    let mut share = share();
    let hashed = Hashed { hash: "x".into(), key_epoch: "aa".into() };
    share.set_password(Some(hashed.clone()), &Limits::default()).unwrap();
    assert_eq!((share.protection.version, share.protection.resets, share.revision), (1, 1, 2));
    share.rotate([1; 16], "bb", Millis(5)).unwrap();
    assert_eq!(share.protection.password, Some(hashed), "a rotation keeps it");
    share.reset_attempts().unwrap();
    assert_eq!((share.protection.version, share.protection.resets), (1, 2));
    share.set_password(None, &Limits::default()).unwrap();
    assert_eq!((share.protection.version, share.protection.need()), (2, None));
    let demanding = Limits { password_required: true, ..Limits::default() };
    assert!(matches!(share.set_password(None, &demanding), Err(Error::Conflict(_))));
}

#[test]
fn counts_are_bounded() {
    for (count, good) in [(0, false), (1, true), (MAX_ACCESS_COUNT, true), (MAX_ACCESS_COUNT + 1, false)] {
        assert_eq!(check_max_access_count(Some(count)).is_ok(), good, "{count}");
    }
}

#[test]
fn rules_that_do_not_fit_change_nothing() {
    let mut share = share();
    let policy = Policy {
        filter_slug: "gone".into(),
        filter_kind: crate::model::filter::Kind::Text,
        mode: crate::model::policy::Mode::Disabled,
        allowed_values: Vec::new(),
        default: None,
        hidden: false,
    };
    let change = Amendment { name: Some("New".into()), policies: Some(vec![policy]), ..Amendment::default() };
    let before = share.clone();
    assert!(matches!(share.amend(change, &[], &Limits::default(), Millis(1)), Err(Error::Invalid(_))));
    assert_eq!(share, before);
    let closed = Amendment { default_mode: Some(DefaultMode::Disabled), ..Amendment::default() };
    share.amend(closed, &[], &Limits::default(), Millis(1)).unwrap();
    assert_eq!((share.rules.default_mode, share.revision), (DefaultMode::Disabled, 2));
}

#[test]
fn names_are_bounded() {
    for bad in ["", "  ", "a\u{0}b", "a\nb", &"x".repeat(201)] {
        assert!(check_name(bad).is_err(), "{bad:?}");
    }
    assert!(check_name(&"é".repeat(200)).is_ok());
}
