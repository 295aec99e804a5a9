//! Share contexts, their members, and what they may open.

use super::share::Row as ShareRow;
use super::{Listed, Page, Session, document, execute, fault, id, millis, outbox, query, signed, unsigned};
use shared::model::address::{Address, Domain, Invited};
use shared::model::context::{Bound, MAX_DASHBOARDS};
use shared::model::dashboard::Definition;
use shared::model::portal::Membership;
use shared::model::share::Share;
use shared::model::token::RecordKey;
use shared::time::Millis;
use shared::{Error, Result};
use uuid::Uuid;

/// A context, as its owner knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Context {
    /// Its id.
    pub(crate) id: Uuid,
    /// Its name.
    pub(crate) name: String,
    /// Its description, maybe empty.
    pub(crate) description: String,
    /// How many members it has.
    pub(crate) members: u64,
    /// How many shares in force are bound to it.
    pub(crate) shares: u64,
    /// Has the edge yet to learn of a change?
    pub(crate) pending: bool,
    /// When it was made.
    pub(crate) created_at: Millis,
    /// When its name or description changed.
    pub(crate) updated_at: Millis,
}

#[derive(sqlx::FromRow)]
struct ContextRow {
    id: String,
    name: String,
    description: String,
    members: i64,
    shares: i64,
    pending: i64,
    created_at: i64,
    updated_at: i64,
}

impl ContextRow {
    fn into_domain(self) -> Result<Context> {
        Ok(Context {
            id: id(&self.id)?,
            name: self.name,
            description: self.description,
            members: unsigned(self.members),
            shares: unsigned(self.shares),
            pending: self.pending > 0,
            created_at: Millis(self.created_at),
            updated_at: Millis(self.updated_at),
        })
    }
}

/// Query of [`ContextRow`]s.
macro_rules! select_context {
    ($which:literal) => {
        concat!(
            "SELECT c.id, c.name, c.description, c.members, c.created_at, c.updated_at,
                (SELECT COUNT(*) FROM share b WHERE b.context_id = c.id AND b.state = 'live') AS shares,
                (SELECT COUNT(*) FROM share s JOIN share_token t ON t.share_id = s.id
                    JOIN outbox o ON o.record_key = t.record_key
                    WHERE s.target_id = c.id AND s.share_type = 'portal') AS pending
            FROM share_context c WHERE c.organization_id = $1 AND c.deleted_at IS NULL ",
            $which
        )
    };
}

/// Saves a new context; the share that opens it is saved by the caller.
pub(crate) async fn insert(
    session: &mut Session,
    organization: Uuid,
    (id, name, description): (Uuid, &str, &str),
    now: Millis,
) -> Result<()> {
    const SQL: &str =
        "INSERT INTO share_context (id, organization_id, name, description, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $5)";
    execute!(session, SQL, id.to_string(), organization.to_string(), name, description, now.0)
        .map_err(fault)?;
    Ok(())
}

/// Saves name and description.
pub(crate) async fn update(
    session: &mut Session,
    context: Uuid,
    (name, description): (&str, &str),
    now: Millis,
) -> Result<()> {
    const SQL: &str = "UPDATE share_context SET name = $1, description = $2, updated_at = $3 WHERE id = $4";
    execute!(session, SQL, name, description, now.0, context.to_string()).map_err(fault)?;
    Ok(())
}

/// Lets go of a context; its members go with it.
pub(crate) async fn delete(session: &mut Session, context: Uuid, now: Millis) -> Result<()> {
    const MEMBERS: &str = "DELETE FROM member WHERE context_id = $1";
    const CONTEXT: &str = "UPDATE share_context SET deleted_at = $1, members = 0 WHERE id = $2";
    execute!(&mut *session, MEMBERS, context.to_string()).map_err(fault)?;
    execute!(session, CONTEXT, now.0, context.to_string()).map_err(fault)?;
    Ok(())
}

/// Was there such a context?
pub(crate) async fn was_deleted(session: &mut Session, organization: Uuid, context: Uuid) -> Result<bool> {
    const SQL: &str = "SELECT COUNT(*) FROM share_context
        WHERE id = $1 AND organization_id = $2 AND deleted_at IS NOT NULL";
    let (context, organization) = (context.to_string(), organization.to_string());
    let (count,) = query!(session, fetch_one, (i64,), SQL, context, organization).map_err(fault)?;
    Ok(count > 0)
}

pub(crate) async fn find(session: &mut Session, organization: Uuid, context: Uuid) -> Result<Context> {
    const SQL: &str = select_context!("AND c.id = $2");
    query!(session, fetch_optional, ContextRow, SQL, organization.to_string(), context.to_string())
        .map_err(fault)?
        .ok_or(Error::NotFound("context"))?
        .into_domain()
}

/// The organization's contexts, newest first.
pub(crate) async fn list(session: &mut Session, organization: Uuid, page: &Page) -> Result<Listed<Context>> {
    const COUNT: &str =
        "SELECT COUNT(*) FROM share_context WHERE organization_id = $1 AND deleted_at IS NULL";
    const SQL: &str = select_context!("AND c.id < $2 ORDER BY c.id DESC LIMIT $3");
    let organization = organization.to_string();
    let (total,) = query!(&mut *session, fetch_one, (i64,), COUNT, &organization).map_err(fault)?;
    let rows =
        query!(session, fetch_all, ContextRow, SQL, &organization, page.before_text(), i64::from(page.limit))
            .map_err(fault)?;
    let records = rows.into_iter().map(ContextRow::into_domain).collect::<Result<_>>()?;
    Ok(Listed { total: unsigned(total), records })
}

/// Holds a context until the session ends, with the share that opens it: members and shares of one context change one after the other.
pub(crate) async fn lock(session: &mut Session, organization: Uuid, context: Uuid) -> Result<Share> {
    const CONTEXT: &str = "UPDATE share_context SET members = members
        WHERE id = $1 AND organization_id = $2 AND deleted_at IS NULL";
    const SHARE: &str = "UPDATE share SET revision = revision
        WHERE target_id = $1 AND share_type = 'portal' AND state = 'live' RETURNING *";
    let context = context.to_string();
    let held = execute!(&mut *session, CONTEXT, &context, organization.to_string()).map_err(fault)?;
    if held == 0 {
        return Err(Error::NotFound("context"));
    }
    query!(session, fetch_optional, ShareRow, SHARE, &context)
        .map_err(fault)?
        .ok_or_else(|| Error::Internal(format!("context {context} has no share")))?
        .into_domain()
}

/// Has the edge learn what is bound to these contexts now.
pub(crate) async fn touch(
    session: &mut Session,
    contexts: impl IntoIterator<Item = Uuid>,
    now: Millis,
) -> Result<Vec<String>> {
    const SQL: &str = "UPDATE share SET revision = revision + 1
        WHERE target_id = $1 AND share_type = 'portal' AND state = 'live'";
    let mut contexts: Vec<Uuid> = contexts.into_iter().collect();
    // In one order, whoever does it: two that wait for one another would both fail.
    contexts.sort();
    contexts.dedup();
    let mut keys = Vec::new();
    for context in contexts {
        execute!(&mut *session, SQL, context.to_string()).map_err(fault)?;
        keys.extend(outbox::enqueue_all(session, context, now).await?);
    }
    Ok(keys)
}

/// The contexts that shares in force of a dashboard are bound to.
pub(crate) async fn of_dashboard(session: &mut Session, dashboard: Uuid) -> Result<Vec<Uuid>> {
    const SQL: &str = "SELECT DISTINCT context_id FROM share
        WHERE target_id = $1 AND context_id IS NOT NULL AND state = 'live'";
    let rows = query!(session, fetch_all, (String,), SQL, dashboard.to_string()).map_err(fault)?;
    rows.iter().map(|(context,)| id(context)).collect()
}

/// The shares in force that are bound to a context, and the dashboards that they open, by dashboard.
pub(crate) async fn shares(session: &mut Session, context: Uuid) -> Result<Vec<(Uuid, Uuid)>> {
    const SQL: &str =
        "SELECT target_id, id FROM share WHERE context_id = $1 AND state = 'live' ORDER BY target_id, id";
    let rows = query!(session, fetch_all, (String, String), SQL, context.to_string()).map_err(fault)?;
    rows.iter().map(|(dashboard, share)| Ok((id(share)?, id(dashboard)?))).collect()
}

/// How many shares in force are bound to a context.
pub(crate) async fn share_count(session: &mut Session, context: Uuid) -> Result<usize> {
    const SQL: &str = "SELECT COUNT(*) FROM share WHERE context_id = $1 AND state = 'live'";
    let (count,) = query!(session, fetch_one, (i64,), SQL, context.to_string()).map_err(fault)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// What the members of a context may open: shares in force that fit their dashboards.
pub(crate) async fn bound(session: &mut Session, context: &str) -> Result<Vec<Bound>> {
    const SQL: &str =
        "SELECT t.record_key, s.id AS share_id, s.name, d.slug, d.definition, s.not_before, s.expires_at
        FROM share s
        JOIN share_token t ON t.share_id = s.id AND t.retired_at IS NULL
        JOIN dashboard d ON d.id = s.target_id
        WHERE s.context_id = $1 AND s.state = 'live' AND s.closed = 0 AND s.target_kind = 'dashboard'
        ORDER BY s.id LIMIT $2";
    let most = i64::try_from(MAX_DASHBOARDS).unwrap_or(i64::MAX);
    let rows = query!(session, fetch_all, BoundRow, SQL, context, most).map_err(fault)?;
    rows.into_iter().map(BoundRow::into_domain).collect()
}

#[derive(sqlx::FromRow)]
struct BoundRow {
    record_key: String,
    share_id: String,
    name: String,
    slug: String,
    definition: String,
    not_before: Option<i64>,
    expires_at: Option<i64>,
}

impl BoundRow {
    fn into_domain(self) -> Result<Bound> {
        let record = RecordKey::parse(&self.record_key)
            .ok_or_else(|| Error::Internal(format!("stored record key {:?}", self.record_key)))?;
        let Definition { title, description, .. } = document(&self.definition)?;
        Ok(Bound {
            record,
            share: id(&self.share_id)?,
            name: self.name,
            slug: self.slug,
            title,
            description,
            not_before: millis(self.not_before),
            expires_at: millis(self.expires_at),
        })
    }
}

/// A member of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its id.
    pub(crate) id: Uuid,
    /// Who it is.
    pub(crate) invited: Invited,
    /// Since when.
    pub(crate) created_at: Millis,
}

const fn kind_name(invited: &Invited) -> &'static str {
    match invited {
        Invited::Person(_) => "person",
        Invited::Domain(_) => "domain",
    }
}

#[derive(sqlx::FromRow)]
struct MemberRow {
    id: String,
    kind: String,
    address: String,
    created_at: i64,
}

impl MemberRow {
    fn into_domain(self) -> Result<Member> {
        let invited = match self.kind.as_str() {
            "person" => Address::parse(&self.address).map(Invited::Person),
            "domain" => Domain::parse(&self.address).map(Invited::Domain),
            _ => None,
        };
        let invited = invited.ok_or_else(|| Error::Internal(format!("stored member {}", self.id)))?;
        Ok(Member { id: id(&self.id)?, invited, created_at: Millis(self.created_at) })
    }
}

/// Adds a member; `false` when there is such a one already. Whoever does so holds the context.
pub(crate) async fn add_member(session: &mut Session, context: Uuid, member: &Member) -> Result<bool> {
    const MEMBER: &str = "INSERT INTO member (id, context_id, kind, address, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let (kind, address) = (kind_name(&member.invited), member.invited.as_str());
    let (id, context) = (member.id.to_string(), context.to_string());
    let added = execute!(session, MEMBER, id, context, kind, address, member.created_at.0).map_err(fault)?;
    Ok(added > 0)
}

/// Counts members that were added or removed.
pub(crate) async fn count_members(session: &mut Session, context: Uuid, change: i64) -> Result<u64> {
    const SQL: &str = "UPDATE share_context SET members = members + $1 WHERE id = $2 RETURNING members";
    let (members,) = query!(session, fetch_one, (i64,), SQL, change, context.to_string()).map_err(fault)?;
    Ok(unsigned(members))
}

/// The member that is this person or domain.
pub(crate) async fn member_like(
    session: &mut Session,
    context: Uuid,
    invited: &Invited,
) -> Result<Option<Member>> {
    const SQL: &str = "SELECT id, kind, address, created_at FROM member
        WHERE context_id = $1 AND kind = $2 AND address = $3";
    let (kind, address) = (kind_name(invited), invited.as_str());
    query!(session, fetch_optional, MemberRow, SQL, context.to_string(), kind, address)
        .map_err(fault)?
        .map(MemberRow::into_domain)
        .transpose()
}

/// Removes a member; `false` when there was none.
pub(crate) async fn remove_member(session: &mut Session, context: Uuid, member: Uuid) -> Result<bool> {
    const SQL: &str = "DELETE FROM member WHERE id = $1 AND context_id = $2";
    let removed = execute!(session, SQL, member.to_string(), context.to_string()).map_err(fault)?;
    Ok(removed > 0)
}

/// The members of a context, newest first.
pub(crate) async fn members(session: &mut Session, context: Uuid, page: &Page) -> Result<Listed<Member>> {
    const COUNT: &str = "SELECT members FROM share_context WHERE id = $1";
    const SQL: &str = "SELECT id, kind, address, created_at FROM member
        WHERE context_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    let context = context.to_string();
    let (total,) = query!(&mut *session, fetch_one, (i64,), COUNT, &context).map_err(fault)?;
    let limit = i64::from(page.limit);
    let rows =
        query!(session, fetch_all, MemberRow, SQL, &context, page.before_text(), limit).map_err(fault)?;
    let records = rows.into_iter().map(MemberRow::into_domain).collect::<Result<_>>()?;
    Ok(Listed { total: unsigned(total), records })
}

/// What an address is a member of, with the contexts' names: the oldest context first, each once. A person counts before their domain.
pub(crate) async fn memberships(
    session: &mut Session,
    organization: Uuid,
    address: &Address,
) -> Result<Vec<(Membership, String)>> {
    const SQL: &str = "SELECT c.id, s.generation, m.id, c.name
        FROM member m
        JOIN share_context c ON c.id = m.context_id
        JOIN share s ON s.target_id = c.id AND s.share_type = 'portal' AND s.state = 'live'
        WHERE c.organization_id = $1 AND c.deleted_at IS NULL
            AND ((m.kind = 'person' AND m.address = $2) OR (m.kind = 'domain' AND m.address = $3))
        ORDER BY c.id, m.kind DESC";
    let (organization, domain) = (organization.to_string(), address.domain());
    let rows = query!(
        session,
        fetch_all,
        (String, i64, String, String),
        SQL,
        organization,
        address.as_str(),
        domain
    )
    .map_err(fault)?;
    let mut found: Vec<(Membership, String)> = Vec::new();
    for (context, generation, member, name) in rows {
        let membership =
            Membership { context: id(&context)?, generation: unsigned(generation), member: id(&member)? };
        if found.last().is_none_or(|(last, _)| last.context != membership.context) {
            found.push((membership, name));
        }
    }
    Ok(found)
}

/// Is that still so?
pub(crate) async fn stands(session: &mut Session, membership: &Membership) -> Result<bool> {
    const SQL: &str = "SELECT COUNT(*) FROM member m
        JOIN share s ON s.target_id = m.context_id AND s.share_type = 'portal' AND s.state = 'live'
        WHERE m.id = $1 AND m.context_id = $2 AND s.generation = $3";
    let (member, context) = (membership.member.to_string(), membership.context.to_string());
    let generation = signed(membership.generation);
    let (count,) = query!(session, fetch_one, (i64,), SQL, member, context, generation).map_err(fault)?;
    Ok(count > 0)
}

/// Record keys of a context, those before included, that the edge has yet to learn about.
pub(crate) async fn pending(session: &mut Session, context: Uuid) -> Result<Vec<String>> {
    const SQL: &str = "SELECT o.record_key FROM share s
        JOIN share_token t ON t.share_id = s.id JOIN outbox o ON o.record_key = t.record_key
        WHERE s.target_id = $1 AND s.share_type = 'portal' ORDER BY t.generation";
    let rows = query!(session, fetch_all, (String,), SQL, context.to_string()).map_err(fault)?;
    Ok(rows.into_iter().map(|(key,)| key).collect())
}
