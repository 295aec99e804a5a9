//! Links in the operation dialect: what makes and ends one, and how it is told to its owner.

use super::fields::{Fields, uuid};
use crate::face::dashboard::manage::effective;
use crate::model::limits::Limits;
use crate::model::meter::MAX_BUDGET;
use crate::model::password::Typed;
use crate::model::share::{Permission, Share, TargetKind, check_expiry};
use crate::model::usage::Usage;
use crate::time::Millis;
use crate::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

/// How the ids of links begin. Another dialect's are none here.
const LINK_PREFIX: &str = "lnk_";

/// Most seconds until a link expires whose organization sets no cap: 365 days. API.md 2.d.
const MAX_LIFE_SECONDS: u64 = 365 * 24 * 3_600;

/// `share.link.create`, of the right shape.
#[derive(Debug, Clone, PartialEq)]
pub struct NewLink {
    /// An item or a collection.
    pub kind: TargetKind,
    /// Its id. What has not the shape of one names nothing.
    pub target: Option<Uuid>,
    /// What visitors may do.
    pub permission: Permission,
    /// As it was typed.
    pub password: Typed,
    /// See [`Self::check`].
    pub expires_at: Millis,
    /// An extension: tiles that the link gives a day.
    pub tile_budget: Option<u64>,
}

impl NewLink {
    /// Reads one.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming each field that is wrong.
    pub fn read(body: &Map<String, Value>) -> Result<Self> {
        let mut fields = Fields::of(body);
        let kind = fields.required("target_type", "Input should be 'item' or 'collection'", |value| {
            match value.as_str()? {
                "item" => Some(TargetKind::Item),
                "collection" => Some(TargetKind::Collection),
                _ => None,
            }
        });
        let target = fields.required("target_id", "Input should be a valid string", |value| {
            value.as_str().map(|_| uuid(value))
        });
        let permission = fields
            .optional("permission", "Input should be 'view' or 'download'", |value| {
                Permission::parse(value.as_str()?)
            })
            .unwrap_or_default();
        let password = fields.required("password", "String should have at least 8 characters", |value| {
            value.as_str().filter(|text| text.chars().count() >= TargetKind::Item.min_password_chars())
        });
        let instant = "Input should be a date-time of RFC 3339, with its offset";
        let expires_at =
            fields.required("expires_at", instant, |value| Millis::parse_rfc3339(value.as_str()?));
        let tile_budget = fields.optional("tile_budget", "Input should be 1 to 1000000000", |value| {
            value.as_u64().filter(|budget| (1..=MAX_BUDGET).contains(budget))
        });
        let made = (|| {
            let password = Typed(password?.to_owned());
            Some(Self {
                kind: kind?,
                target: target?,
                permission,
                password,
                expires_at: expires_at?,
                tile_budget,
            })
        })();
        fields.done(made)
    }

    /// May it be made now? `limits` are the organization's; without a cap of theirs a link lives for 365 days at most.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the expiry.
    pub fn check(&self, limits: &Limits, now: Millis) -> Result<()> {
        let limits =
            Limits { max_life_seconds: limits.max_life_seconds.or(Some(MAX_LIFE_SECONDS)), ..*limits };
        check_expiry(Some(self.expires_at), now)?;
        limits.check_expiry(Some(self.expires_at), now)
    }
}

/// Answer of `share.link.create`.
#[derive(Debug, Serialize)]
pub struct LinkOut {
    /// Its id.
    pub id: String,
    /// The link's token; in this answer alone.
    pub token: Option<String>,
    /// `item` or `collection`.
    pub target_type: &'static str,
    /// Its id.
    pub target_id: Uuid,
    /// What visitors may do.
    pub permission: &'static str,
    /// Who shares.
    pub organization_id: Uuid,
    /// The project of what is shared.
    pub project_id: Uuid,
    /// RFC 3339.
    pub expires_at: Option<String>,
    /// RFC 3339, or null.
    pub revoked_at: Option<String>,
    /// Right passwords.
    pub access_count: u64,
    /// RFC 3339, or null.
    pub last_accessed_at: Option<String>,
    /// Who made it.
    pub created_by: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// An extension: the page.
    pub url: Option<String>,
    /// An extension: `live` when the edge serves the link.
    pub effective: String,
}

impl LinkOut {
    /// Renders a link with its token and page.
    pub fn new(
        share: &Share,
        project_id: Uuid,
        link: Option<(String, String)>,
        (pending, usage): (bool, &Usage),
        created_by: String,
    ) -> Self {
        let (token, url) = link.unzip();
        Self {
            id: link_id(share.id),
            token,
            target_type: share.target.kind.name(),
            target_id: share.target.id,
            permission: share.permission.name(),
            organization_id: share.organization_id,
            project_id,
            expires_at: share.expires_at.map(Millis::to_rfc3339),
            revoked_at: share.revoked_at.map(Millis::to_rfc3339),
            access_count: usage.accesses,
            last_accessed_at: usage.last_opened_at.map(Millis::to_rfc3339),
            created_by: Some(created_by),
            created_at: share.created_at.to_rfc3339(),
            url,
            effective: effective(pending),
        }
    }
}

/// A link's id as this dialect writes it.
pub fn link_id(share: Uuid) -> String {
    format!("{LINK_PREFIX}{}", share.simple())
}

/// The link that a `share.link.revoke` names.
///
/// # Errors
/// [`Error::Invalid`] without a text, [`Error::NotFound`] for what has not the shape of an id of ours.
pub fn parse_revoke(body: &Map<String, Value>) -> Result<Uuid> {
    let mut fields = Fields::of(body);
    let id = fields.required("link_id", "Input should be a valid string", Value::as_str);
    let text = fields.done(id)?;
    let digits = text.strip_prefix(LINK_PREFIX).filter(|digits| {
        digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    });
    digits.and_then(|digits| Uuid::try_parse(digits).ok()).ok_or(Error::NotFound("link"))
}

/// Answer of `share.link.revoke`.
#[derive(Debug, Serialize)]
pub struct RevokedOut {
    /// Always.
    pub ok: bool,
    /// The link.
    pub id: String,
    /// An extension: `live` when no request that begins now is served, `pending` while the edge is out of reach.
    pub effective: String,
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::{body, places};
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    fn link(change: &[(&str, Value)]) -> Result<NewLink> {
        let mut fields = body(json!({
            "target_type": "item", "target_id": "00000000-0000-0000-0000-00000000000b",
            "password": "correct horse", "expires_at": "1970-01-01T00:00:10Z",
        }));
        for (name, value) in change {
            fields.insert((*name).to_owned(), value.clone());
        }
        fields.retain(|_, value| *value != json!("absent"));
        NewLink::read(&fields)
    }

    #[test]
    fn a_link_is_read_and_each_mistake_is_named() {
        let read = link(&[]).unwrap();
        assert_eq!(
            (read.kind, read.permission, read.tile_budget),
            (TargetKind::Item, Permission::View, None)
        );
        assert_eq!(link(&[("target_id", json!("nonsense"))]).unwrap().target, None);
        assert_eq!(link(&[("surplus", json!(1))]).unwrap(), read);
        let wrong: [(&str, Value); 11] = [
            ("target_type", json!("dashboard")),
            ("target_type", json!("absent")),
            ("target_id", json!(7)),
            ("permission", json!("edit")),
            ("password", json!("seven77")),
            ("password", json!(12_345_678)),
            ("password", json!("absent")),
            ("expires_at", json!("tomorrow")),
            ("expires_at", json!("absent")),
            ("tile_budget", json!(0)),
            ("tile_budget", json!(1.5)),
        ];
        for (name, value) in wrong {
            assert_eq!(places(link(&[(name, value.clone())])), [format!("/{name}")], "{value}");
        }
        let empty = places(NewLink::read(&Map::new()));
        assert_eq!(empty, ["/target_type", "/target_id", "/password", "/expires_at"]);
    }

    #[test]
    fn a_link_ends_within_a_year_unless_its_organization_says_otherwise() {
        let (now, day) = (Millis(5_000), Duration::from_hours(24));
        let ends = |expires_at: Millis, limits: &Limits| {
            link(&[("expires_at", json!(expires_at.to_rfc3339()))]).unwrap().check(limits, now)
        };
        let none = Limits::default();
        assert!(ends(now, &none).is_err(), "in the past");
        assert_eq!(ends(Millis(6_000), &none), Ok(()));
        assert_eq!(ends(now.plus(day * 365), &none), Ok(()));
        assert_eq!(places(ends(now.plus(day * 366), &none)), ["/expires_at"]);
        let longer = Limits { max_life_seconds: Some(day.as_secs() * 1_000), ..none };
        assert_eq!(ends(now.plus(day * 1_000), &longer), Ok(()));
        let shorter = Limits { max_life_seconds: Some(60), ..none };
        assert_eq!(places(ends(now.plus(day), &shorter)), ["/expires_at"]);
    }

    #[test]
    fn only_ids_of_this_dialect_name_a_link() {
        let id = Uuid::from_u128(7);
        let read = |id: &str| parse_revoke(&body(json!({ "link_id": id })));
        assert_eq!(read(&link_id(id)), Ok(id));
        let (psl, upper) = (link_id(id).replace("lnk_", "psl_"), link_id(id).to_uppercase());
        for foreign in ["", "lnk_", &id.to_string(), &psl, &upper, &format!("lnk_{id}"), "lnk_../../x"] {
            assert_eq!(read(foreign), Err(Error::NotFound("link")), "{foreign}");
        }
        assert_eq!(places(parse_revoke(&body(json!({ "link_id": 7 })))), ["/link_id"]);
    }
}
