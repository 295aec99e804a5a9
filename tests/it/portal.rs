//! The e-mail portal over HTTP, with a real mail server: contexts, codes, what members open, and that whoever is taken out is out when
//! the call returns.

use crate::share::rows;
use crate::tenant::Tenant;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tests::{
    Client, Reply, Stack,
    stack::{eventually, within},
};

crate::tests![
    the_guides_flow_by_mail,
    a_removed_member_is_out_when_the_call_returns,
    each_context_has_its_own_rules,
    a_context_must_be_one_of_the_members_own,
    a_link_for_members_leads_to_the_portal,
    strangers_see_the_same_whatever_is_wrong,
    owners_read_who_opened_what,
];

/// Each person comes from a network of their own: networks have limits, and all tests are on one machine.
fn network() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("10.77.{}.{}", number / 250, number % 250 + 1)
}

/// A context of a tenant's, with its dashboard.
pub struct Context<'a> {
    tenant: &'a Tenant,
    pub id: String,
}

impl<'a> Context<'a> {
    #[track_caller]
    pub fn create(tenant: &'a Tenant, name: &str) -> Self {
        let made = tenant.admin.post("/api/v1/share-contexts", &json!({ "name": name })).expect(201).json();
        Self { tenant, id: made["id"].as_str().expect("an id").to_owned() }
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/share-contexts/{}{rest}", self.id)
    }

    /// Adds a person and tells their id.
    #[track_caller]
    pub fn add(&self, email: &str) -> String {
        let member = json!({ "member_type": "external_email", "email": email });
        let made = self.tenant.admin.post(&self.path("/members"), &member).expect(201).json();
        made["id"].as_str().expect("an id").to_owned()
    }

    #[track_caller]
    fn remove(&self, member: &str) {
        let removed = self.tenant.admin.delete(&self.path(&format!("/members/{member}"))).expect(200).json();
        assert_eq!((&removed["removed"], &removed["effective"]), (&json!(true), &json!("live")));
    }

    /// Binds the tenant's dashboard to it, under these policies.
    #[track_caller]
    pub fn bind(&self, policies: &Value) -> Value {
        let share = json!({ "name": "Customer portal", "share_type": "link", "share_context_id": self.id,
            "share_filter_policies": policies });
        let path = format!("/api/v1/dashboards/{}/shares", self.tenant.dashboard);
        self.tenant.admin.post(&path, &share).expect(201).json()
    }
}

/// Somebody who signs in.
pub struct Person {
    edge: Client,
    slug: String,
    network: String,
    pub email: String,
    tokens: Value,
}

impl Person {
    pub fn new(stack: &Stack, tenant: &Tenant, name: &str) -> Self {
        let (edge, slug) = (stack.edge(), tenant.slug.clone());
        let email = format!("{name}.{}@example.com", tenant.slug);
        Self { edge, slug, network: network(), email, tokens: Value::Null }
    }

    fn auth(&self, verb: &str, body: &Value) -> Reply {
        let headers = [("content-type", "application/json"), ("cf-connecting-ip", self.network.as_str())];
        let path = format!("/api/v1/share-auth/{verb}");
        self.edge.send("POST", &path, &headers, Some(body.to_string().as_bytes()))
    }

    pub fn ask(&self) -> Reply {
        self.auth("request", &json!({ "company_slug": self.slug, "email": self.email }))
    }

    pub fn verify(&self, code: &str) -> Reply {
        self.auth("verify", &json!({ "company_slug": self.slug, "email": self.email, "code": code }))
    }

    /// The codes that arrived so far.
    pub fn codes(&self, stack: &Stack) -> Vec<String> {
        let mails = stack.mail().mails().expect("the mailbox");
        let is_own = |mail: &&Value| mail["to"].to_string().contains(&self.email);
        mails.iter().filter(|mail| is_own(mail)).map(code_in).collect()
    }

    /// Signs in by the mail.
    #[track_caller]
    pub fn sign_in(mut self, stack: &Stack) -> Self {
        let before = self.codes(stack).len();
        assert_eq!(self.ask().expect(202).json(), json!({ "status": "sent" }));
        let code = eventually("a mail", || self.codes(stack).get(before).cloned());
        self.tokens = self.verify(&code).expect(200).json();
        self
    }

    pub fn refresh(&mut self) -> Reply {
        let reply = self.auth("refresh", &json!({ "refresh_token": self.tokens["refresh_token"] }));
        if reply.status == 200 {
            self.tokens = reply.json();
        }
        reply
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let bearer = format!("Bearer {}", self.tokens["access_token"].as_str().unwrap_or_default());
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let path = format!("/api/v1/share-portal/{}/dashboards{path}", self.slug);
        let body = body.map(Value::to_string);
        self.edge.send(method, &path, &headers, body.as_deref().map(str::as_bytes))
    }

    pub fn dashboards(&self) -> Reply {
        self.call("GET", "", None)
    }

    pub fn resolve(&self, context: &str) -> Reply {
        self.call("GET", &format!("/weather?context_id={context}"), None)
    }

    pub fn execute(&self, context: &str, parameters: &Value) -> Reply {
        let body = json!({ "context_id": context, "parameters": parameters });
        self.call("POST", "/weather/execute", Some(&body))
    }

    fn options(&self, context: &str, filter: &str) -> Reply {
        self.call("GET", &format!("/weather/filters/{filter}/options?context_id={context}"), None)
    }

    #[track_caller]
    fn is_out(&self, context: &str) {
        self.resolve(context).expect_error(401, "TOKEN_INVALID");
        self.execute(context, &json!({})).expect_error(401, "TOKEN_INVALID");
        self.options(context, "weather").expect_error(401, "TOKEN_INVALID");
    }
}

fn code_in(mail: &Value) -> String {
    let text = mail["text"].as_str().expect("a text part");
    let is_code = |word: &&str| word.len() == 9 && word.as_bytes()[4] == b'-';
    text.split_whitespace().find(is_code).expect("a code").to_owned()
}

fn the_guides_flow_by_mail(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let context = Context::create(&tenant, "External customers");
    let person = Person::new(stack, &tenant, "customer");
    context.add(&person.email);
    let policy = json!([{ "filter_slug": "weather", "filter_kind": "multi_select", "mode": "selectable",
        "allowed_values": ["sun", "rain"] }]);
    let share = context.bind(&policy);
    let mut person = person.sign_in(stack);
    assert_eq!(person.tokens["token_type"], "share_access");
    assert_eq!(person.tokens["contexts"], json!([{ "id": context.id, "name": "External customers" }]));

    let listed = person.dashboards().expect(200).json();
    assert_eq!((&listed["total"], &listed["quantity"]), (&json!(1), &json!(1)));
    let record = &listed["records"][0];
    assert_eq!((&record["slug"], &record["context"]["id"]), (&json!("weather"), &json!(context.id)));
    assert_eq!(record["share"]["id"], share["id"]);
    let resolved = person.resolve(&context.id).expect(200).json();
    assert_eq!(resolved["share"]["requires_auth"], true);
    assert_eq!(resolved["dashboard"]["slug"], "weather");
    let executed = person.execute(&context.id, &json!({ "weather": ["sun"] })).expect(200).json();
    assert!(rows(&executed, "days")[0][0].as_u64().is_some_and(|days| days > 0), "{executed}");
    person
        .execute(&context.id, &json!({ "weather": ["snow"] }))
        .expect_error(400, "SHARE_FILTER_POLICY_VIOLATION");
    let options = person.options(&context.id, "weather").expect(200).json();
    assert_eq!(options["source"], "policy");
    person.refresh().expect(200);
    person.execute(&context.id, &json!({})).expect(200);
    let token = json!({ "refresh_token": person.tokens["refresh_token"] });
    person.auth("logout", &token).expect(204);
    person.is_out(&context.id);
    person.refresh().expect_error(401, "TOKEN_INVALID");
}

fn a_removed_member_is_out_when_the_call_returns(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let context = Context::create(&tenant, "Customers");
    context.bind(&json!([]));
    let (removed, stays) = (Person::new(stack, &tenant, "removed"), Person::new(stack, &tenant, "stays"));
    let member = context.add(&removed.email);
    context.add(&stays.email);
    let (mut removed, mut stays) = (removed.sign_in(stack), stays.sign_in(stack));
    // In use, so that each isolate holds leases.
    let load = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let begun = Instant::now();
            let mut served = 0;
            while begun.elapsed() < Duration::from_secs(6) {
                stays.execute(&context.id, &json!({})).expect(200);
                served += 1;
            }
            served
        });
        for _ in 0..5 {
            removed.execute(&context.id, &json!({})).expect(200);
        }
        context.remove(&member);
        for _ in 0..20 {
            removed.is_out(&context.id);
            removed.dashboards().expect_error(401, "TOKEN_INVALID");
        }
        load.join().expect("nobody else notices")
    });
    assert!(load > 20, "{load}");
    removed.refresh().expect_error(401, "TOKEN_INVALID");
    stays.refresh().expect(200);
    stays.execute(&context.id, &json!({})).expect(200);
    // Rotated: members go on, also those who hold an older token.
    let path = format!("/api/v1/dashboards/{}/shares?limit=1", tenant.dashboard);
    let share = tenant.admin.get(&path).expect(200).json()["records"][0]["id"].clone();
    let share = format!("/api/v1/dashboard-shares/{}", share.as_str().expect("an id"));
    tenant.admin.post(&format!("{share}/rotate"), &json!({})).expect(200);
    stays.execute(&context.id, &json!({})).expect(200);
    // Revoked: it is gone, and the person is not.
    tenant.admin.delete(&share).expect(200);
    stays.execute(&context.id, &json!({})).expect_error(404, "NOT_FOUND");
    assert_eq!(stays.dashboards().expect(200).json()["total"], 0);
    tenant.admin.delete(&context.path("")).expect(200);
    stays.dashboards().expect_error(401, "TOKEN_INVALID");
    stays.is_out(&context.id);
}

fn each_context_has_its_own_rules(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let (one, two) = (Context::create(&tenant, "One"), Context::create(&tenant, "Two"));
    let locked = |place: &str| json!([{ "filter_slug": "location", "filter_kind": "select", "mode": "locked", "allowed_values": [place] }]);
    one.bind(&locked("Seattle"));
    two.bind(&locked("New York"));
    let person = Person::new(stack, &tenant, "both");
    one.add(&person.email);
    two.add(&person.email);
    let person = person.sign_in(stack);
    assert_eq!(person.dashboards().expect(200).json()["total"], 2);
    let places =
        |context: &Context<'_>| person.resolve(&context.id).expect(200).json()["filters"][0]["value"].clone();
    assert_eq!((places(&one), places(&two)), (json!("Seattle"), json!("New York")));
    let contradicted = person.execute(&one.id, &json!({ "location": "New York" }));
    contradicted.expect_error(400, "SHARE_FILTER_POLICY_VIOLATION");
    person.execute(&two.id, &json!({ "location": "New York" })).expect(200);
}

fn a_context_must_be_one_of_the_members_own(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let (own, other) = (Context::create(&tenant, "Own"), Context::create(&tenant, "Other"));
    own.bind(&json!([]));
    other.bind(&json!([]));
    let person = Person::new(stack, &tenant, "one");
    own.add(&person.email);
    let person = person.sign_in(stack);
    let stranger = Tenant::create(stack);
    let foreign = Context::create(&stranger, "Foreign");
    let mut bodies = Vec::new();
    for context in ["", "x", "00000000-0000-0000-0000-000000000000", &other.id, &foreign.id] {
        bodies.push(person.execute(context, &json!({})).expect_error(400, "INVALID_CONTEXT_ID"));
        person.resolve(context).expect_error(400, "INVALID_CONTEXT_ID");
        person.options(context, "weather").expect_error(400, "INVALID_CONTEXT_ID");
    }
    for body in [json!({}), json!({ "context_id": null }), json!({ "context_id": [own.id] })] {
        let refused = person.call("POST", "/weather/execute", Some(&body));
        bodies.push(refused.expect_error(400, "INVALID_CONTEXT_ID"));
    }
    for body in &bodies {
        assert_eq!(body["error"], bodies[0]["error"]);
    }
    // Another company's portal is none of theirs.
    let elsewhere = Person {
        slug: stranger.slug.clone(),
        edge: stack.edge(),
        network: network(),
        email: person.email.clone(),
        tokens: person.tokens.clone(),
    };
    elsewhere.dashboards().expect_error(401, "TOKEN_INVALID");
    elsewhere.execute(&foreign.id, &json!({})).expect_error(401, "TOKEN_INVALID");
    let missing = json!({ "context_id": own.id, "parameters": {} });
    person.call("POST", "/nothing/execute", Some(&missing)).expect_error(404, "NOT_FOUND");
}

fn a_link_for_members_leads_to_the_portal(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let context = Context::create(&tenant, "Customers");
    let share = context.bind(&json!([]));
    let token = share["token"].as_str().expect("a token");
    let edge = stack.edge();
    let refused =
        edge.get(&format!("/api/v1/public/shares/{token}/resolve")).expect_error(401, "AUTH_REQUIRED");
    let fields: Vec<&String> = refused.as_object().expect("an object").keys().collect();
    assert_eq!(fields, ["auth_url", "company_slug", "error", "error_code", "request_id"]);
    assert_eq!(refused["company_slug"], tenant.slug);
    assert_eq!(refused["auth_url"], format!("/portal/{}", tenant.slug));
    edge.post(&format!("/api/v1/public/shares/{token}/execute"), &json!({}))
        .expect_error(401, "AUTH_REQUIRED");
    edge.get(&format!("/api/v1/public/shares/{token}/filters/weather/options"))
        .expect_error(401, "AUTH_REQUIRED");
    let page = edge.get(&format!("/share/{token}")).expect(303);
    assert_eq!(page.header("location"), format!("/portal/{}", tenant.slug));
    assert!(!page.text().contains("Weather"), "{}", page.text());
}

fn strangers_see_the_same_whatever_is_wrong(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let context = Context::create(&tenant, "Customers");
    let member = Person::new(stack, &tenant, "member");
    context.add(&member.email);
    let stranger = Person::new(stack, &tenant, "stranger");
    let elsewhere = Person { slug: "no-such-company".into(), ..Person::new(stack, &tenant, "member") };
    let asked: Vec<Reply> = [&stranger, &elsewhere, &member].map(|person| person.ask().expect(202)).into();
    for reply in &asked {
        assert_eq!(reply.json(), json!({ "status": "sent" }));
    }
    let code = eventually("a mail", || member.codes(stack).first().cloned());
    let wrong = if code == "0000-0000" { "1111-1111" } else { "0000-0000" };
    let right = member.verify(&code).expect(200).json();
    assert!(right["access_token"].is_string());
    let refused: Vec<Value> = [
        member.verify(&code),
        member.verify(wrong),
        member.verify("x"),
        stranger.verify(&code),
        elsewhere.verify(&code),
    ]
    .iter()
    .map(|reply| reply.expect_error(401, "TOKEN_INVALID"))
    .collect();
    for body in &refused {
        assert_eq!(body["error"], refused[0]["error"]);
    }
    // The strangers asked before the member's mail came, and one loop gives all codes in order.
    assert!(stranger.codes(stack).is_empty());
    assert_eq!(elsewhere.codes(stack).len(), 1, "the member's own");
    for token in ["", "x", "a.b.c", tenant.key.as_str()] {
        let person =
            Person { tokens: json!({ "access_token": token }), ..Person::new(stack, &tenant, "member") };
        person.dashboards().expect_error(401, "TOKEN_INVALID");
    }
}

fn owners_read_who_opened_what(stack: &Stack) {
    let tenant = Tenant::create(stack);
    let context = Context::create(&tenant, "Customers");
    let share = json!({ "name": "Customer portal", "share_type": "link", "share_context_id": context.id,
        "notify_email": format!("owner.{}@example.com", tenant.slug) });
    let path = format!("/api/v1/dashboards/{}/shares", tenant.dashboard);
    let share = tenant.admin.post(&path, &share).expect(201).json();
    let person = Person::new(stack, &tenant, "reader");
    let member = context.add(&person.email);
    let person = person.sign_in(stack);
    person.resolve(&context.id).expect(200);
    person.execute(&context.id, &json!({})).expect(200);
    let path = format!("/api/v1/dashboard-shares/{}/accesses", share["id"].as_str().expect("an id"));
    let listed = eventually("the accesses", || {
        let listed = tenant.admin.get(&path).expect(200).json();
        (listed["total"] == 2).then_some(listed)
    });
    assert_eq!(
        (&listed["records"][1]["action"], &listed["records"][0]["action"]),
        (&json!("open"), &json!("execute"))
    );
    for record in listed["records"].as_array().expect("records") {
        assert_eq!((&record["email"], &record["member_id"]), (&json!(person.email), &json!(member)));
    }
    let owner = format!("owner.{}@example.com", tenant.slug);
    within(Duration::from_secs(40), "the mail to the owner", || {
        let mails = stack.mail().mails().ok()?;
        let is_own = |mail: &&Value| mail["to"].to_string().contains(&owner);
        (mails.iter().filter(is_own).count() == 1).then_some(())
    });
}
