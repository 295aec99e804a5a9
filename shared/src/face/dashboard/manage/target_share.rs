//! Shares of whatever they open, in the words of one list. API.md X2.

use super::{ShareOut, ShareStatus};
use crate::face::operation::link::link_id;
use crate::model::meter::DEFAULT_BUDGET;
use crate::model::share::{Permission, Share, ShareType};
use crate::model::usage::Usage;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A share of a dashboard, a data product, a map item or a collection, as its owner sees it. Each dialect has more to say of its
/// own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TargetShareOut {
    /// Its id.
    pub id: Uuid,
    /// `lnk_...`: its id in the operation dialect; null for what is no link to a map.
    pub link_id: Option<String>,
    /// `dashboard`, `data_product`, `item` or `collection`.
    pub target_type: String,
    /// What it opens.
    pub target_id: Uuid,
    /// Its name.
    pub name: String,
    /// A link, or an embed, which has no token and page of its own.
    pub share_type: ShareType,
    /// The context whose members alone may open it; null for everybody who has the link.
    pub share_context_id: Option<Uuid>,
    /// What visitors of a map may do: only look, or take its archive, too.
    pub permission: Permission,
    /// Does its link open it?
    pub status: ShareStatus,
    /// Null when the share is revoked, and for an embed.
    pub token: Option<String>,
    /// The page; null when there is no token.
    pub url: Option<String>,
    /// Grows with each rotation.
    pub generation: u64,
    /// Grows with each change.
    pub revision: u64,
    /// `live` when the edge serves this revision, `pending` while it has yet to learn it.
    pub effective: String,
    /// RFC 3339, or null.
    pub not_before: Option<String>,
    /// RFC 3339, or null.
    pub expires_at: Option<String>,
    /// Must visitors give a password?
    pub has_password: bool,
    /// RFC 3339: nobody may guess the password before this instant. Null when guessing is possible.
    pub password_locked_until: Option<String>,
    /// How often the current link may be opened; null for any number.
    pub max_access_count: Option<u64>,
    /// How often it was: right passwords, and deliberate openings of counted links. A rotation begins anew.
    pub access_count: u64,
    /// How often somebody looked at what the share opens, under any of its links; at least.
    pub open_count: u64,
    /// RFC 3339: when somebody last did, some seconds late; null for never.
    pub last_opened_at: Option<String>,
    /// Tiles that a link to a map gives a day; null for what has none.
    pub tile_budget: Option<u64>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339: when the current token was issued.
    pub token_issued_at: String,
    /// RFC 3339, or null.
    pub revoked_at: Option<String>,
}

impl TargetShareOut {
    /// As [`ShareOut::new`].
    pub fn new(
        share: &Share,
        link: Option<(String, String)>,
        (pending, usage): (bool, &Usage),
        now: Millis,
    ) -> Self {
        let is_map = share.target.kind.is_map();
        let common = ShareOut::new(share, link, (pending, usage), now);
        Self {
            id: common.id,
            link_id: is_map.then(|| link_id(share.id)),
            target_type: share.target.kind.name().to_owned(),
            target_id: share.target.id,
            name: common.name,
            share_type: common.share_type,
            share_context_id: common.share_context_id,
            permission: share.permission,
            status: common.status,
            token: common.token,
            url: common.url,
            generation: common.generation,
            revision: common.revision,
            effective: common.effective,
            not_before: common.not_before,
            expires_at: common.expires_at,
            has_password: common.has_password,
            password_locked_until: common.password_locked_until,
            max_access_count: common.max_access_count,
            access_count: common.access_count,
            open_count: common.open_count,
            last_opened_at: common.last_opened_at,
            tile_budget: is_map.then(|| share.tile_budget.unwrap_or(DEFAULT_BUDGET)),
            created_at: common.created_at,
            token_issued_at: common.token_issued_at,
            revoked_at: common.revoked_at,
        }
    }
}
