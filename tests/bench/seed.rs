//! Records as the control plane would push them, and tokens that open them.

use crate::load::{Connection, Request};
use crate::workerd::{ROOT_KEY, Workerd};
use anyhow::{Context, Result, bail};
use serde_json::value::to_raw_value;
use shared::call::{self, SIGNATURE_HEADER};
use shared::model::dashboard::{Panel, View};
use shared::model::embed::token::sign;
use shared::model::embed::{Embed, Granted, Terms};
use shared::model::filter::{Choice, Choices, Filter, Kind};
use shared::model::grant::Grant;
use shared::model::item::{ArchiveView, Item, Profile};
use shared::model::key::{KeyRing, Keys};
use shared::model::meter::MAX_BUDGET;
use shared::model::origin::Origin;
use shared::model::password::{self, Password, Scheme};
use shared::model::policy::Rules;
use shared::model::protection::Protection;
use shared::model::share::{Permission, ShareType};
use shared::model::ticket::{self, Ticket};
use shared::model::token::{RecordKey, Token};
use shared::model::usage::Usage;
use shared::replica::{
    Change, EMBED_SCHEMA, Live, MAX_CHANGES, Organization, PUSH_PATH, Push, Record, SCHEMA, ShareView,
    TargetView,
};
use uuid::Uuid;

/// The password of protected shares here.
pub const PASSWORD: &str = "open sesame";

/// Every map here.
const MAP: Uuid = Uuid::from_u128(4);
/// And its profile.
const PROFILE: &str = "vector";

/// A share with its token.
pub struct Share {
    /// The token.
    pub token: String,
    key: String,
    record: Record,
}

/// Keys of everything that is measured.
///
/// # Errors
/// Never: the key is strong.
pub fn keys() -> Result<Keys> {
    Ok(ring()?.current)
}

/// As [`keys`], for what may have been made by an older root key too.
pub fn ring() -> Result<KeyRing> {
    Ok(KeyRing::parse(ROOT_KEY, None)?)
}

/// Public shares, numbered from `first`.
pub fn public(first: u128, count: u128) -> Result<Vec<Share>> {
    let keys = keys()?;
    Ok((first..first + count).map(|number| share(&keys, number, Protection::default())).collect())
}

/// A share with [`PASSWORD`].
pub fn protected(number: u128) -> Result<Share> {
    let keys = keys()?;
    let Ok(word) = Password::new(PASSWORD.to_owned()) else { bail!("not a password") };
    let hashed = password::hash(&word, &keys, Scheme::Argon2id, [7; 16]);
    Ok(share(&keys, number, Protection { password: hashed, version: 1, ..Protection::default() }))
}

/// A map with [`PASSWORD`], whose one profile is this archive.
pub fn map(number: u128, archive: ArchiveView) -> Result<Share> {
    let mut share = protected(number)?;
    if let Some(live) = &mut share.record.live {
        live.share.tile_budget = Some(MAX_BUDGET);
        live.target = TargetView::Item(Item {
            id: MAP,
            project_id: Uuid::from_u128(2),
            name: "World".to_owned(),
            attribution: None,
            profiles: vec![Profile {
                name: PROFILE.to_owned(),
                key: "acme/archive.pmtiles".to_owned(),
                archive,
            }],
        });
    }
    Ok(share)
}

/// What a visitor of a map has its tiles by, for a quarter of an hour.
pub fn ticket(map: &Share) -> Result<String> {
    let live = map.record.live.as_ref().context("a map")?;
    let grant =
        Grant { share: live.share.id, generation: live.share.generation, version: live.protection.version };
    let key = RecordKey::parse(&map.key).context("a record key")?;
    let ticket = Ticket { key, grant, item: MAP, profile: PROFILE.to_owned() };
    ticket::issue(&ring()?, ticket::Kind::Tiles, &ticket, tests::signed::now()).context("a ticket")
}

/// Records of embeds, of dashboards numbered from 0.
pub fn embedded(count: u128) -> Vec<Share> {
    let embed = |number: u128| {
        let id = Uuid::from_u128(number);
        let mut record = record(number, Protection::default());
        record.schema = EMBED_SCHEMA;
        if let Some(live) = &mut record.live
            && let TargetView::Dashboard(view) = &mut live.target
        {
            view.id = id;
            live.share.share_type = ShareType::Embed;
            live.embed = Some(Terms { keys: vec![1], ..Terms::default() });
        }
        Share { key: RecordKey::of_embed(id, 1).as_str().to_owned(), token: String::new(), record }
    };
    (0..count).map(embed).collect()
}

/// Tokens for these dashboards in turn, as a customer's server would sign them.
pub fn embed_tokens(dashboards: u128, count: usize) -> Result<Vec<String>> {
    let keys = keys()?;
    let issued_at = tests::signed::now().0 / 1_000 - 60;
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let mut tokens = Vec::new();
    for (number, dashboard) in (0..dashboards).cycle().take(count).enumerate() {
        let embed = Embed {
            organization: Uuid::from_u128(1),
            key_generation: 1,
            dashboard: Uuid::from_u128(dashboard),
            generation: 1,
            id: format!("viewer-{number}"),
            issued_at,
            expires_at: issued_at + 3_600,
            not_before: None,
            terms: Granted {
                allowed_params: names(&["filter_0", "filter_4_start", "filter_4_end"]),
                required_params: names(&["filter_0"]),
                fixed_params: [("filter_2".to_owned(), format!("tenant-{number}").into())]
                    .into_iter()
                    .collect(),
                origins: vec![Origin::parse("https://shop.example.com").map_err(anyhow::Error::msg)?],
                ..Granted::default()
            },
        };
        tokens.push(sign(&keys, &embed).context("a token")?.expose().to_owned());
    }
    Ok(tokens)
}

fn share(keys: &Keys, number: u128, protection: Protection) -> Share {
    let token = Token::derive(keys, Uuid::from_u128(number), 1, &[9; 16]);
    Share {
        key: token.record_key(keys).as_str().to_owned(),
        token: token.expose().to_owned(),
        record: record(number, protection),
    }
}

/// A dashboard of six filters and eight panels: 1.9 KB, as common ones are.
fn record(number: u128, protection: Protection) -> Record {
    let kinds = [Kind::Select, Kind::MultiSelect, Kind::Text, Kind::Number, Kind::DateRange, Kind::Boolean];
    let filters = kinds.into_iter().enumerate().map(|(at, kind)| Filter {
        slug: format!("filter_{at}"),
        label: format!("Filter number {at}"),
        kind,
        required: false,
        default: None,
        choices: matches!(kind, Kind::Select | Kind::MultiSelect).then(|| {
            let choice = |name: &str| Choice { label: name.to_owned(), value: name.into() };
            Choices::Static(["north", "east", "south", "west"].map(choice).to_vec())
        }),
    });
    let panel = |at: usize| -> Option<Panel> {
        serde_json::from_value(serde_json::json!({
            "id": format!("panel_{at}"), "title": format!("Figures of the year, part {at}"), "kind": "bar",
            "x": "day", "y": ["count"], "width": 6,
        }))
        .ok()
    };
    let target = TargetView::Dashboard(View {
        id: Uuid::from_u128(3),
        slug: "figures".to_owned(),
        title: "Figures of the year".to_owned(),
        description: None,
        version: 1,
        filters: filters.collect(),
        layout: (0..8).filter_map(panel).collect(),
    });
    let organization =
        Organization { id: Uuid::from_u128(1), slug: "acme".to_owned(), name: "Acme".to_owned() };
    let share = ShareView {
        id: Uuid::from_u128(number),
        name: "Public link".to_owned(),
        share_type: ShareType::Link,
        permission: Permission::default(),
        generation: 1,
        not_before: None,
        expires_at: None,
        frame_origins: Vec::new(),
        tile_budget: None,
    };
    let rules = Rules::default();
    let live = Live { organization, share, protection, rules, context: None, embed: None, target };
    Record { schema: SCHEMA, revision: 1, live: Some(live), closed: false }
}

/// Pushes shares to their gates, as the control plane does.
pub fn push(workerd: &Workerd, shares: &[Share]) -> Result<()> {
    let (keys, mut connection) = (keys()?, Connection::open(&workerd.address())?);
    for batch in shares.chunks(MAX_CHANGES) {
        let change = |share: &Share| {
            Ok(Change {
                key: share.key.clone(),
                record: to_raw_value(&share.record)?,
                usage: Usage::default(),
            })
        };
        let push = Push { changes: batch.iter().map(change).collect::<Result<_>>()? };
        let body = serde_json::to_vec(&push)?;
        let signature = call::sign(&keys.push, "POST", PUSH_PATH, &body, tests::signed::now());
        let header = format!("{SIGNATURE_HEADER}: {signature}\r\n");
        let (status, answer) = connection.call(&Request::send("POST", PUSH_PATH, &header, &body))?;
        if status != 200 || answer.windows(8).any(|part| part == b"\"failed\"") {
            let begin = answer.get(..300).unwrap_or(&answer);
            bail!("a push was refused: {status} {}", String::from_utf8_lossy(begin));
        }
    }
    Ok(())
}

/// Writes shares to KV alone, for a Worker without gates.
pub fn write_kv(workerd: &Workerd, shares: &[Share]) -> Result<()> {
    let mut connection = Connection::open(&workerd.kv_address())?;
    for share in shares {
        let request = Request::send("PUT", &format!("/{}", share.key), "", &share.record.to_json());
        connection.call(&request)?;
    }
    Ok(())
}
