//! Sessions of members: how they go on, and what ends them.

use super::*;

#[tokio::test]
async fn a_removed_member_is_out_and_nobody_else() {
    for world in World::all().await {
        let (one, two) = (context(&world, "One").await, context(&world, "Two").await);
        let member = add(&world, &one, EMAIL).await;
        add(&world, &two, EMAIL).await;
        add(&world, &one, "other@company.com").await;
        let dashboard = world.dashboard().await;
        let share = bind(&world, &dashboard, &one).await;
        let tokens = sign_in(&world, 1, EMAIL).await;
        let others = sign_in(&world, 2, "other@company.com").await;
        assert!(is_in(&world, &tokens, &one) && is_in(&world, &tokens, &two) && is_in(&world, &others, &one));
        let path = format!("{CONTEXTS}/{one}/members/{member}");
        let removed = world.delete(&path).await.ok(200).body;
        assert_eq!(removed, json!({"removed": true, "id": member, "effective": "live"}));
        assert!(
            !is_in(&world, &tokens, &one) && is_in(&world, &tokens, &two) && is_in(&world, &others, &one)
        );
        let token = tokens["access_token"].as_str().unwrap();
        assert_eq!(rows(&world, &share, Some(token)).await.status, 410);
        rows(&world, &share, others["access_token"].as_str()).await.ok(200);
        assert_eq!(world.delete(&path).await.ok(200).body["removed"], false);
        // A new token says that they are in the other one alone.
        let refreshed =
            from(&world, 1, "refresh", &json!({"refresh_token": tokens["refresh_token"]})).await.ok(200).body;
        assert_eq!(refreshed["contexts"], json!([{"id": two, "name": "Two"}]));
        // Whoever comes back is let in again.
        add(&world, &one, EMAIL).await;
        let again = from(&world, 1, "refresh", &json!({"refresh_token": refreshed["refresh_token"]}))
            .await
            .ok(200)
            .body;
        assert!(is_in(&world, &again, &one));
        assert!(!is_in(&world, &tokens, &one), "the old token stays dead");
    }
}

#[tokio::test]
async fn more_removals_than_a_record_names_end_all_tokens_and_no_session() {
    for world in World::all().await {
        let context = context(&world, "Customers").await;
        add(&world, &context, EMAIL).await;
        let members: Vec<Value> = (0..1_000)
            .map(|number| json!({"member_type": "external_email", "email": format!("m{number}@company.com")}))
            .collect();
        let path = format!("{CONTEXTS}/{context}/members");
        let added = world.post(&format!("{path}/bulk"), json!({"members": members})).await.ok(200).body;
        assert_eq!(added, json!({"added": 1_000, "unchanged": 0}));
        let again = world.post(&format!("{path}/bulk"), json!({"members": members})).await.ok(200).body;
        assert_eq!(again, json!({"added": 0, "unchanged": 1_000}));
        let tokens = sign_in(&world, 1, EMAIL).await;
        // As many as a record names are ended in the database, without a thousand calls.
        let mut session = world.app.service.store.write().await.unwrap();
        let organization = said(&world, &tokens).organization;
        let id = Uuid::parse_str(&context).unwrap();
        let mut opens = crate::store::context::lock(&mut session, organization, id).await.unwrap();
        for _ in 0..1_000 {
            opens.end_access(Uuid::now_v7(), world.app.service.clock.now()).unwrap();
        }
        crate::store::share::update(&mut session, &opens).await.unwrap();
        session.commit().await.unwrap();
        let first = world.get(&path).await.ok(200).body["records"][0]["id"].as_str().unwrap().to_owned();
        world.delete(&format!("{path}/{first}")).await.ok(200);
        assert!(!is_in(&world, &tokens, &context), "the record before is a tombstone");
        let refreshed =
            from(&world, 1, "refresh", &json!({"refresh_token": tokens["refresh_token"]})).await.ok(200).body;
        assert!(is_in(&world, &refreshed, &context));
    }
}

#[tokio::test]
async fn a_domain_lets_in_whoever_has_an_address_there() {
    for world in World::all().await {
        let context = context(&world, "Company").await;
        let path = format!("{CONTEXTS}/{context}/members");
        let body = json!({"member_type": "email_domain", "domain": "Company.com"});
        let member = world.post(&path, body.clone()).await.ok(201).body;
        assert_eq!(
            (&member["member_type"], &member["domain"]),
            (&json!("email_domain"), &json!("company.com"))
        );
        assert_eq!(world.post(&path, body).await.ok(201).body["id"], member["id"]);
        ask(&world, 1, "a@mail.company.com").await;
        assert_eq!(mails(&world).await, []);
        let tokens = sign_in(&world, 2, "anybody@company.com").await;
        assert!(is_in(&world, &tokens, &context));
        assert_eq!(mails(&world).await[0].0, "anybody@company.com");
        world.delete(&format!("{path}/{}", member["id"].as_str().unwrap())).await.ok(200);
        assert!(!is_in(&world, &tokens, &context));
        from(&world, 2, "refresh", &json!({"refresh_token": tokens["refresh_token"]}))
            .await
            .refused(401, "TOKEN_INVALID");
    }
}

#[tokio::test]
async fn a_refresh_token_is_taken_once_and_a_copy_ends_the_session() {
    for world in World::all().await {
        let context = context(&world, "Customers").await;
        add(&world, &context, EMAIL).await;
        let first = sign_in(&world, 1, EMAIL).await;
        let refresh = async |tokens: &Value| {
            from(&world, 1, "refresh", &json!({"refresh_token": tokens["refresh_token"]})).await
        };
        let second = refresh(&first).await.ok(200).body;
        assert_ne!(first["refresh_token"], second["refresh_token"]);
        // Tabs that refresh at the same time all go on, by the same token.
        for _ in 0..3 {
            assert_eq!(refresh(&first).await.ok(200).body["refresh_token"], second["refresh_token"]);
        }
        let fourth = refresh(&second).await.ok(200).body;
        let real = fourth["refresh_token"].as_str().unwrap();
        let altered = format!("{}{}", &real[..83], if real.ends_with('0') { '1' } else { '0' });
        for nonsense in ["", "prt_", "x", &format!("prt_{}", "0".repeat(80)), &altered] {
            refresh(&json!({"refresh_token": nonsense})).await.refused(401, "TOKEN_INVALID");
        }
        world.pass(Duration::from_mins(1));
        assert!(is_in(&world, &fourth, &context));
        // The very first one, however often the other has refreshed since.
        refresh(&first).await.refused(401, "TOKEN_INVALID");
        assert!(!is_in(&world, &fourth, &context), "somebody holds a copy: nobody goes on");
        refresh(&fourth).await.refused(401, "TOKEN_INVALID");
    }
}

#[tokio::test]
async fn who_signs_out_is_out_at_once() {
    for world in World::all().await {
        let dashboard = world.dashboard().await;
        let context = context(&world, "Customers").await;
        add(&world, &context, EMAIL).await;
        let share = bind(&world, &dashboard, &context).await;
        let tokens = sign_in(&world, 1, EMAIL).await;
        world.pass(Duration::from_secs(30));
        let elsewhere = sign_in(&world, 2, EMAIL).await;
        let body = json!({"refresh_token": tokens["refresh_token"]});
        from(&world, 1, "logout", &body).await.ok(204);
        assert!(!is_in(&world, &tokens, &context));
        assert!(is_in(&world, &elsewhere, &context), "another session of theirs goes on");
        assert_eq!(rows(&world, &share, tokens["access_token"].as_str()).await.status, 410);
        from(&world, 1, "refresh", &body).await.refused(401, "TOKEN_INVALID");
        for again in [body, json!({}), json!({"refresh_token": "x"})] {
            from(&world, 1, "logout", &again).await.ok(204);
        }
    }
}

#[tokio::test]
async fn a_browser_keeps_its_refresh_token_in_a_cookie() {
    let world = World::new().await;
    let context = context(&world, "Customers").await;
    add(&world, &context, EMAIL).await;
    ask(&world, 1, EMAIL).await;
    let code = last_code(&world).await;
    let body = json!({"company_slug": "acme", "email": EMAIL, "code": code, "keep": "cookie"});
    let answer = from(&world, 1, "verify", &body).await.ok(200);
    assert_eq!(answer.body["refresh_token"], Value::Null);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert!(pair.starts_with("__Secure-postern-portal-acme=prt_"));
    assert_eq!(attributes, "Path=/api/v1/share-auth; Max-Age=604800; HttpOnly; Secure; SameSite=Strict");
    let path = "/api/v1/share-auth/refresh";
    let with = async |pair: &str| {
        let body = Some(r#"{"company_slug":"acme"}"#.to_owned());
        world.raw(Method::POST, path, body, &[("cookie", pair)]).await
    };
    let next = with(pair).await.ok(200);
    let next = next.headers["set-cookie"].to_str().unwrap().split_once("; ").unwrap().0.to_owned();
    with(&next).await.ok(200);
    with("a=b").await.refused(401, "TOKEN_INVALID");
    // A form of another site sends neither this type nor, since it is another site, the cookie.
    let form = [("cookie", next.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let answer = world.raw(Method::POST, path, Some("company_slug=acme".to_owned()), &form).await;
    answer.refused(415, "UNSUPPORTED_MEDIA_TYPE");
}
