//! The oracle's corpus of embed tokens against the Worker: what is forged or opens nothing looks all the same, wherever it stands in a
//! request, and good tokens open in every spelling. What this costs is in `alone`.

use crate::dead::bare;
use crate::share::Share;
use crate::tenant::Tenant;
use oracle::embed::forge::{Case, Fate, Scene, corpus};
use serde_json::json;
use shared::model::grant::{self, Grant};
use shared::model::key::KeyRing;
use std::thread;
use tests::{Client, Reply, Stack, signed};
use uuid::Uuid;

crate::tests![forged_tokens_look_alike, good_tokens_open_in_every_spelling];

const CLIENTS: usize = 4;

/// The corpus for a dashboard of an installation.
pub struct Corpus {
    cases: Vec<Case>,
    edge: Client,
}

/// How a token came, and what the answer was.
pub struct Answer<'c> {
    case: &'c Case,
    way: &'static str,
    reply: Reply,
}

impl Corpus {
    /// Makes it for a dashboard that is embedded.
    #[track_caller]
    pub fn create(stack: &Stack) -> Self {
        Self { cases: corpus(&scene(stack)), edge: stack.edge() }
    }

    /// Answers to all tokens of a fate, each in the path, in the header and on the page.
    pub fn answers(&self, fate: Fate) -> Vec<Answer<'_>> {
        let cases: Vec<&Case> = self.cases.iter().filter(|case| case.fate == fate).collect();
        thread::scope(|scope| {
            let part = |client| {
                let cases: Vec<_> = cases.iter().enumerate().skip(client).step_by(CLIENTS).collect();
                scope.spawn(move || {
                    cases.into_iter().flat_map(|(at, case)| self.ask(case, at)).collect::<Vec<_>>()
                })
            };
            let clients: Vec<_> = (0..CLIENTS).map(part).collect();
            clients.into_iter().flat_map(|client| client.join().expect("its answers")).collect()
        })
    }

    fn ask<'c>(&self, case: &'c Case, at: usize) -> Vec<Answer<'c>> {
        let mut answers = Vec::new();
        let mut keep = |way, reply| answers.push(Answer { case, way, reply });
        if let Some(token) = in_path(&case.token) {
            keep("info, in the path", self.edge.get(&format!("/api/embed/d/{token}/info")));
            keep("page", self.edge.get(&format!("/embed/d/{token}")));
        }
        if is_header(&case.token) {
            let authorization = format!("Bearer {}", case.token);
            let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
            let (way, method, verb) = [
                ("info, in the header", "GET", "info"),
                ("execute, in the header", "POST", "execute"),
                ("options, in the header", "GET", "filters/location/options"),
            ][at % 3];
            let body = (method == "POST").then_some(&b"{}"[..]);
            keep(way, self.edge.send(method, &format!("/api/embed/d/self/{verb}"), &headers, body));
        }
        answers
    }
}

/// A tenant's dashboard, and everything else that opens something.
fn scene(stack: &Stack) -> Scene {
    let tenant = Tenant::create(stack);
    let path = format!("/api/v1/embed/dashboards/{}", tenant.dashboard);
    let minted = tenant.admin.post(&path, &json!({})).expect(200).json();
    assert_eq!(minted["effective"], "live", "{minted}");
    let (organization, key_generation) =
        minted["kid"].as_str().and_then(|kid| kid.split_once('.')).expect("the name of a key");
    let mut root = [0; 32];
    hex::decode_to_slice(stack.root_key(), &mut root).expect("a root key");
    let ring = KeyRing { current: stack.keys(), previous: None };
    let dashboard = Uuid::parse_str(&tenant.dashboard).expect("an id");
    let unlocked = Grant { share: dashboard, generation: 1, version: 1 };
    Scene {
        root,
        organization: organization.to_owned(),
        key_generation: key_generation.parse().expect("a number"),
        generation: minted["generation"].as_u64().expect("a number"),
        now: signed::now().0.unsigned_abs() / 1_000,
        filter: "location",
        value: "Seattle",
        credentials: vec![
            ("share token", Share::create(stack).token),
            ("unlock grant", grant::issue(&ring, unlocked, signed::now()).expect("a grant")),
            ("API key", stack.described("api_key").to_owned()),
            ("record key", shared::model::token::RecordKey::of_embed(dashboard, 1).as_str().to_owned()),
        ],
        dashboard: tenant.dashboard,
    }
}

/// The token as a part of a path. None for one that a path loses on its way.
fn in_path(token: &str) -> Option<String> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~=+,;:@!$&'()*%".contains(byte);
    let part = |byte: u8| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    (!matches!(token, "." | "..")).then(|| token.bytes().map(part).collect())
}

/// Can it stand in a header? Spaces around it would be lost.
fn is_header(token: &str) -> bool {
    token.trim() == token && token.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

fn forged_tokens_look_alike(stack: &Stack) {
    let corpus = Corpus::create(stack);
    let mut answers = corpus.answers(Fate::Refused);
    let forged = answers.len();
    answers.extend(corpus.answers(Fate::Dead));
    let wrong: Vec<_> = answers.iter().filter(|answer| answer.reply.status != status(answer.way)).collect();
    for Answer { case, way, reply } in &wrong {
        eprintln!("{way} is {}: {case}", reply.status);
    }
    assert!(wrong.is_empty(), "{} of {}", wrong.len(), answers.len());
    for page in [true, false] {
        let mut alike = answers.iter().filter(|answer| (answer.way == "page") == page);
        let first = alike.next().expect("an answer");
        if page {
            assert_eq!(bare(&first.reply), bare(&stack.edge().get("/no/such/page")));
        } else {
            first.reply.expect_error(401, "TOKEN_INVALID");
        }
        for Answer { case, way, reply } in alike {
            assert_eq!(bare(reply), bare(&first.reply), "{way} of {case}");
        }
    }
    println!("{forged} answers to forged tokens, {} to tokens of nothing", answers.len() - forged);
}

fn status(way: &str) -> u16 {
    if way == "page" { 404 } else { 401 }
}

fn good_tokens_open_in_every_spelling(stack: &Stack) {
    let answers = Corpus::create(stack);
    let answers = answers.answers(Fate::Opens);
    assert!(answers.len() > 200, "{}", answers.len());
    for Answer { case, way, reply } in &answers {
        // A token may ask for a parameter that is not given here, or show no such filter.
        let is_judged = way.starts_with("execute") || way.starts_with("options");
        let is_open = reply.status == 200 || (is_judged && matches!(reply.status, 400 | 403 | 404));
        assert!(is_open, "{way} is {} {}: {case}", reply.status, reply.text());
    }
}
