//! One-time codes: who gets one, how many are sent, and what they are worth.

use super::*;

#[tokio::test]
async fn whoever_asks_gets_the_same_answer_and_only_members_get_mail() {
    for world in World::all().await {
        let context = context(&world, "Customers").await;
        add(&world, &context, EMAIL).await;
        world.key("globex", &crate::auth::Scope::ALL).await;
        for (network, email) in (1..).zip([
            "stranger@company.com",
            "customer+a@company.com",
            "customer@mail.company.com",
            "\u{441}ustomer@company.com",
            "customer@company.com\r\nBcc: x@y.com",
            "customer@company.com,x@y.com",
            "\"customer\"@company.com",
            "no address",
            "customer@company.com\0",
        ]) {
            ask(&world, network, email).await;
        }
        let other = json!({"company_slug": "globex", "email": EMAIL});
        assert_eq!(from(&world, 20, "request", &other).await.status, 202);
        for nobody in ["nobody", "acme\0", "ACME", "acme "] {
            let body = json!({"company_slug": nobody, "email": EMAIL});
            assert_eq!(from(&world, 20, "request", &body).await.status, 202);
            let body = json!({"company_slug": nobody, "email": EMAIL, "code": "1234-5678\0"});
            from(&world, 20, "verify", &body).await.refused(401, "TOKEN_INVALID");
        }
        assert_eq!(mails(&world).await, []);
        ask(&world, 9, " Customer@COMPANY.com ").await;
        let mails = mails(&world).await;
        assert_eq!(mails.len(), 1);
        // To the address that was stored, whatever was typed.
        assert_eq!(mails[0].0, EMAIL);
        assert!(!mails[0].1.contains("Bcc"));
        for bad in [json!({}), json!({"company_slug": "acme"}), json!({"company_slug": "acme", "email": 5})] {
            from(&world, 30, "request", &bad).await.refused(422, "VALIDATION_ERROR");
        }
    }
}

#[tokio::test]
async fn sending_keeps_its_limits_exactly() {
    for world in World::all().await {
        let context = context(&world, "Customers").await;
        add(&world, &context, EMAIL).await;
        let sent = async || mails(&world).await.len();
        // Sixty-four at once from as many networks.
        join_all((0..64).map(|network| ask(&world, 1_000 + network, EMAIL))).await;
        assert_eq!(sent().await, 1);
        world.pass(Duration::from_millis(29_999));
        ask(&world, 1, EMAIL).await;
        assert_eq!(sent().await, 1);
        for expected in 2..=5 {
            world.pass(Duration::from_secs(30));
            ask(&world, 1, EMAIL).await;
            assert_eq!(sent().await, expected);
        }
        world.pass(Duration::from_mins(1));
        ask(&world, 2, EMAIL).await;
        assert_eq!(sent().await, 5, "a sixth one within the hour");
        for expected in 6..=10 {
            world.pass(Duration::from_hours(1));
            ask(&world, 1, EMAIL).await;
            assert_eq!(sent().await, expected);
        }
        world.pass(Duration::from_hours(1));
        ask(&world, 1, EMAIL).await;
        assert_eq!(sent().await, 10, "an eleventh one within the day");
        world.pass(Duration::from_hours(24));
        ask(&world, 1, EMAIL).await;
        assert_eq!(sent().await, 11);
    }
}

#[tokio::test]
async fn a_network_asks_ten_times_a_minute() {
    for world in World::all().await {
        let body = json!({"company_slug": "acme", "email": EMAIL});
        let answers = join_all((0..64).map(|_| from(&world, 1, "request", &body))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 202).count(), 10);
        let refused = answers.iter().find(|answer| answer.status != 202).unwrap();
        refused.refused(429, "RATE_LIMITED");
        assert_eq!(refused.headers["retry-after"], "60");
        assert_eq!(from(&world, 2, "request", &body).await.status, 202);
        world.pass(Duration::from_mins(1));
        assert_eq!(from(&world, 1, "request", &body).await.status, 202);
    }
}

#[tokio::test]
async fn a_code_works_once_in_ten_minutes_and_five_tries() {
    for world in World::all().await {
        let context = context(&world, "Customers").await;
        add(&world, &context, EMAIL).await;
        add(&world, &context, "other@company.com").await;
        ask(&world, 1, EMAIL).await;
        let code = last_code(&world).await;
        let wrong = if code == "0000-0000" { "0000-0001" } else { "0000-0000" };
        let refusals = [
            verify(&world, 1, EMAIL, wrong).await,
            verify(&world, 1, EMAIL, "x").await,
            verify(&world, 1, "other@company.com", &code).await,
            verify(&world, 1, "stranger@company.com", &code).await,
            from(&world, 1, "verify", &json!({"company_slug": "nobody", "email": EMAIL, "code": code})).await,
        ];
        for refusal in &refusals {
            refusal.refused(401, "TOKEN_INVALID");
            assert_eq!(refusal.body["error"], refusals[0].body["error"]);
        }
        let plain = code.replace('-', "");
        verify(&world, 1, "CUSTOMER@company.com", &plain).await.ok(200);
        verify(&world, 1, EMAIL, &code).await.refused(401, "TOKEN_INVALID");

        world.pass(Duration::from_secs(30));
        ask(&world, 1, EMAIL).await;
        let code = last_code(&world).await;
        world.pass(Duration::from_secs(30));
        ask(&world, 1, EMAIL).await;
        verify(&world, 1, EMAIL, &code).await.refused(401, "TOKEN_INVALID");
        let code = last_code(&world).await;
        world.pass(Duration::from_mins(10));
        verify(&world, 1, EMAIL, &code).await.refused(401, "TOKEN_INVALID");

        ask(&world, 1, EMAIL).await;
        let code = last_code(&world).await;
        for _ in 0..5 {
            verify(&world, 1, EMAIL, wrong).await.refused(401, "TOKEN_INVALID");
        }
        verify(&world, 1, EMAIL, &code).await.refused(401, "TOKEN_INVALID");
    }
}

#[tokio::test]
async fn of_sixty_four_right_codes_at_once_one_signs_in() {
    for world in World::all().await {
        let context = context(&world, "Customers").await;
        add(&world, &context, EMAIL).await;
        ask(&world, 1, EMAIL).await;
        let code = last_code(&world).await;
        let answers = join_all((0..64).map(|network| verify(&world, network, EMAIL, &code))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 401)), "{answers:?}");
    }
}

#[tokio::test]
async fn a_right_code_among_a_thousand_wrong_ones_is_compared_among_the_first_five_or_not() {
    for world in World::all().await {
        let context = context(&world, "Customers").await;
        add(&world, &context, EMAIL).await;
        ask(&world, 1, EMAIL).await;
        let code = last_code(&world).await;
        let number: u32 = code.replace('-', "").parse().unwrap();
        let wrong = (1..=1_000).map(|step| format!("{:08}", (number + step) % 100_000_000));
        let tries = wrong.enumerate().map(|(place, wrong)| {
            let world = &world;
            async move { verify(world, u32::try_from(place).unwrap(), EMAIL, &wrong).await.status }
        });
        let compared = async || {
            let mut session = world.app.service.store.read().await.unwrap();
            let sql = "SELECT tries FROM one_time_code";
            crate::store::query!(&mut session, fetch_one, (i64,), sql).unwrap().0
        };
        assert!(join_all(tries).await.iter().all(|status| *status == 401 || *status == 503));
        assert_eq!(compared().await, 5);
        verify(&world, 5_000, EMAIL, &code).await.refused(401, "TOKEN_INVALID");
    }
}
