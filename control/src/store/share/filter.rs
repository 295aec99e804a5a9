//! Shares that a [`ShareFilter`] is true of. The SQL is fixed: what the filter does not name is bound as NULL.

use super::{Stored, StoredRow, folded, select_stored, type_name};
use crate::store::{Listed, Page, Session, fault, id, query, unsigned};
use shared::Result;
use shared::face::dashboard::manage::{ProtectionKind, ShareFilter, ShareStatus};
use shared::model::share::TargetKind;
use shared::time::Millis;
use uuid::Uuid;

macro_rules! of_organization {
    () => {
        "WHERE s.organization_id = $1 AND s.target_kind <> 'context' AND ($11 IS NULL OR s.target_kind = $11)
            AND ($2 IS NULL OR s.target_id = $2) "
    };
}

/// By the index on targets, and not by that on organizations: no index knows the organization as it is written here.
macro_rules! of_target {
    () => {
        "WHERE s.target_id = $2 AND s.organization_id || '' = $1 AND s.target_kind <> 'context'
            AND ($11 IS NULL OR s.target_kind = $11) "
    };
}

/// The status is told as `ShareStatus::of` tells it. Only counted shares are looked up among the tokens.
macro_rules! conditions {
    () => {
        "AND ($3 IS NULL OR $3 = CASE
                WHEN s.state <> 'live' THEN 'revoked'
                WHEN s.closed <> 0 THEN 'closed'
                WHEN s.expires_at <= $8 THEN 'expired'
                WHEN s.not_before > $8 THEN 'scheduled'
                WHEN s.max_access_count IS NOT NULL AND s.max_access_count <= (SELECT t.accesses FROM share_token t
                    WHERE t.share_id = s.id AND t.generation = s.generation) THEN 'spent'
                ELSE 'active' END)
        AND ($4 IS NULL OR $4 = CASE
                WHEN s.password_hash IS NOT NULL THEN 'password'
                WHEN s.max_access_count IS NOT NULL THEN 'counted'
                ELSE 'none' END)
        AND ($5 IS NULL OR s.name_folded LIKE $5 ESCAPE '!')
        AND ($6 IS NULL OR s.created_at < $6)
        AND ($7 IS NULL OR s.created_at >= $7)
        AND ($9 = 0 OR s.state = 'live')
        AND ($10 IS NULL OR s.share_type = $10) "
    };
}

/// What a page ends with.
macro_rules! newest_first {
    () => {
        "AND s.id < $12 ORDER BY s.id DESC LIMIT $13"
    };
}

/// A query with all that the conditions bind, and more.
macro_rules! matching {
    ($session:expr, $fetch:ident, $row:ty, $sql:expr, $wanted:expr $(, $bind:expr)* $(,)?) => {
        query!(
            $session,
            $fetch,
            $row,
            $sql,
            $wanted.organization.to_string(),
            $wanted.target.map(|id| id.to_string()),
            $wanted.filter.status.map(ShareStatus::name),
            $wanted.filter.protection.map(ProtectionKind::name),
            $wanted.filter.name_contains.as_deref().map(pattern),
            $wanted.filter.created_before.map(|at| at.0),
            $wanted.filter.created_after.map(|at| at.0),
            $wanted.now.0,
            i64::from($wanted.live_only),
            $wanted.filter.share_type.map(type_name),
            $wanted.kind.map(TargetKind::name)
            $(, $bind)*
        )
    };
}

/// Counted when they were made: see `store::share::insert`.
const COUNT_OF_ALL: &str = "SELECT CAST(COALESCE(SUM(shares), 0) AS BIGINT) FROM dashboard
    WHERE organization_id = $1 AND ($2 IS NULL OR id = $2)";
const COUNT_OF_ORGANIZATION: &str =
    concat!("SELECT COUNT(*) FROM share s ", of_organization!(), conditions!());
const COUNT_OF_TARGET: &str = concat!("SELECT COUNT(*) FROM share s ", of_target!(), conditions!());
const PAGE_OF_ORGANIZATION: &str =
    concat!(select_stored!(), of_organization!(), conditions!(), newest_first!());
const PAGE_OF_TARGET: &str = concat!(select_stored!(), of_target!(), conditions!(), newest_first!());
const ONE: &str = concat!(select_stored!(), of_organization!(), conditions!(), "AND s.id = $12");

const PENDING_OF_REVOKED: &str = concat!(
    "SELECT s.id, o.record_key FROM outbox o
        JOIN share_token token ON token.record_key = o.record_key
        JOIN share s ON s.id = token.share_id ",
    of_organization!(),
    conditions!(),
    "AND s.state <> 'live' ORDER BY s.id DESC, token.generation"
);

/// Which shares. The filter's `ids` are the caller's business: see [`one`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Whose.
    pub(crate) organization: Uuid,
    /// What they open; `None` for anything but contexts.
    pub(crate) kind: Option<TargetKind>,
    /// Which of these. The filter's own `dashboard_id` is not looked at.
    pub(crate) target: Option<Uuid>,
    /// What is true of them.
    pub(crate) filter: &'a ShareFilter,
    /// Leave out what is revoked, whatever the filter says.
    pub(crate) live_only: bool,
    /// For the status.
    pub(crate) now: Millis,
}

impl Wanted<'_> {
    /// Are these all shares of the organization's dashboards, or of one of them?
    fn is_counted(&self) -> bool {
        let filter = ShareFilter { dashboard_id: None, ..self.filter.clone() };
        filter.is_empty() && !self.live_only && self.kind == Some(TargetKind::Dashboard)
    }
}

/// A page of them, and how many there are.
pub(crate) async fn list(session: &mut Session, wanted: &Wanted<'_>, page: &Page) -> Result<Listed<Stored>> {
    let (count, sql) = match wanted.target {
        None => (COUNT_OF_ORGANIZATION, PAGE_OF_ORGANIZATION),
        Some(_) => (COUNT_OF_TARGET, PAGE_OF_TARGET),
    };
    let (total,) = if wanted.is_counted() {
        let (organization, dashboard) = (wanted.organization, wanted.target);
        let dashboard = dashboard.map(|id| id.to_string());
        query!(&mut *session, fetch_one, (i64,), COUNT_OF_ALL, organization.to_string(), dashboard)
    } else {
        matching!(&mut *session, fetch_one, (i64,), count, wanted)
    }
    .map_err(fault)?;
    let (before, limit) = (page.before_text(), i64::from(page.limit));
    let rows = matching!(session, fetch_all, StoredRow, sql, wanted, &before, limit).map_err(fault)?;
    let records = rows.into_iter().map(StoredRow::into_domain).collect::<Result<_>>()?;
    Ok(Listed { total: unsigned(total), records })
}

/// Record keys of revoked shares that the edge has yet to learn about, with the share. The status is not asked: it was
/// another one before.
pub(crate) async fn pending_of_revoked(
    session: &mut Session,
    wanted: &Wanted<'_>,
) -> Result<Vec<(Uuid, String)>> {
    let filter = ShareFilter { status: None, ..wanted.filter.clone() };
    let wanted = Wanted { filter: &filter, live_only: false, ..*wanted };
    let rows = matching!(session, fetch_all, (String, String), PENDING_OF_REVOKED, wanted).map_err(fault)?;
    let rows = rows.into_iter().map(|(share, key)| Ok((id(&share)?, key)));
    rows.filter(|row| match (row, &filter.ids) {
        (Ok((share, _)), Some(ids)) => ids.contains(share),
        _ => true,
    })
    .collect()
}

/// The share of this id, if it is one of them.
pub(crate) async fn one(session: &mut Session, wanted: &Wanted<'_>, share: Uuid) -> Result<Option<Stored>> {
    let share = share.to_string();
    let row = matching!(session, fetch_optional, StoredRow, ONE, wanted, &share).map_err(fault)?;
    row.map(StoredRow::into_domain).transpose()
}

/// A LIKE pattern for names that have this part; `%` and `_` in it stand for themselves.
fn pattern(part: &str) -> String {
    let mut pattern = "%".to_owned();
    for letter in folded(part).chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_themselves() {
        assert_eq!(pattern("50%_OFF!"), "%50!%!_off!!%");
    }
}
