//! Lists: what their queries may say, and how a page is answered.

use super::{Rejection, Reply};
use crate::store::{Listed, Page};
use axum::extract::{FromRequestParts, Query};
use http::Uri;
use http::request::Parts;
use shared::face::Answer;
use shared::face::dashboard::manage::{ListOut, ShareFilter};
use shared::model::share::TargetKind;
use shared::{Error, Result};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Records of a page that says no `limit`.
const DEFAULT_LIMIT: u32 = 20;

/// Query of every list.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes a query; `page` reads it")]
pub(crate) struct ListQuery {
    /// Most records in the answer.
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    limit: u32,
    /// `next_cursor` of the page before.
    #[param(format = "uuid")]
    cursor: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let mut query = parameters(&parts.uri)?;
        let page = page(&mut query)?;
        match query.keys().next() {
            None => Ok(page),
            Some(unknown) => {
                Err(Error::invalid(format!("/{unknown}"), "is no parameter: limit and cursor are").into())
            }
        }
    }
}

/// Query of a list of shares: a page of those that a filter is true of.
pub(crate) struct ShareQuery {
    /// Which page.
    pub(crate) page: Page,
    /// Of which shares.
    pub(crate) filter: ShareFilter,
}

impl<S: Send + Sync> FromRequestParts<S> for ShareQuery {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let mut query = parameters(&parts.uri)?;
        let page = page(&mut query)?;
        Ok(Self { page, filter: ShareFilter::from_query(query)? })
    }
}

/// Query of the list of shares of anything: as [`ShareQuery`], and what they open.
pub(crate) struct TargetShareQuery {
    /// Which page.
    pub(crate) page: Page,
    /// Of what, by kind and id.
    pub(crate) target: (Option<TargetKind>, Option<Uuid>),
    /// Of which shares.
    pub(crate) filter: ShareFilter,
}

impl<S: Send + Sync> FromRequestParts<S> for TargetShareQuery {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let mut query = parameters(&parts.uri)?;
        let page = page(&mut query)?;
        let kind = query.remove("target_type").map(|name| {
            TargetKind::parse(&name).filter(|kind| TargetKind::SHARED.contains(kind)).ok_or_else(|| {
                Error::invalid("/target_type", "must be dashboard, data_product, item or collection")
            })
        });
        let id = query.remove("target_id").map(|text| {
            Uuid::parse_str(&text).map_err(|_| Error::invalid("/target_id", "must be the id of something"))
        });
        if query.contains_key("dashboard_id") {
            return Err(Error::invalid("/dashboard_id", "is no parameter: target_id is").into());
        }
        Ok(Self {
            page,
            target: (kind.transpose()?, id.transpose()?),
            filter: ShareFilter::from_query(query)?,
        })
    }
}

/// The parameters of a query, each once.
fn parameters(uri: &Uri) -> Result<BTreeMap<String, String>> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| Error::invalid("", "has a query that cannot be read"))?;
    let mut query = BTreeMap::new();
    for (name, value) in pairs {
        if query.contains_key(&name) {
            return Err(Error::invalid(format!("/{name}"), "is given twice"));
        }
        query.insert(name, value);
    }
    Ok(query)
}

/// Takes `limit` and `cursor` out of a query.
fn page(query: &mut BTreeMap<String, String>) -> Result<Page> {
    let limit = match query.remove("limit") {
        None => DEFAULT_LIMIT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=100).contains(limit))
            .ok_or_else(|| Error::invalid("/limit", "must be 1 to 100"))?,
    };
    let before = match query.remove("cursor") {
        None => None,
        Some(text) => {
            Some(Uuid::parse_str(&text).map_err(|_| Error::invalid("/cursor", "is no cursor of ours"))?)
        }
    };
    Ok(Page { limit, before })
}

/// Answers a list. `id` names the record that the next page begins after.
pub(super) fn listed<T, O: serde::Serialize>(
    page: &Page,
    listed: Listed<T>,
    id: impl Fn(&T) -> Uuid,
    render: impl Fn(T) -> O,
) -> Reply {
    let full = listed.records.len() == usize::try_from(page.limit).unwrap_or(usize::MAX);
    let next_cursor = listed.records.last().filter(|_| full).map(|last| id(last).to_string());
    let records: Vec<O> = listed.records.into_iter().map(render).collect();
    Reply(Answer::json(
        200,
        &ListOut { total: listed.total, quantity: records.len() as u64, records, next_cursor },
    ))
}
