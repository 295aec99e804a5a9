//! `/internal/...`: what the edge asks, signed with a key that only it and this program can derive. The
//! edge's word is still not enough to read rows: the share's state and rules are looked up again here.

use super::{Rejection, Reply, read};
use crate::auth;
use crate::limit::Peer;
use crate::manage;
use crate::service::Service;
use crate::store::data_source::DataSource;
use crate::store::{self, Session, outbox};
use axum::body::Body;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::json;
use serde_json::value::to_raw_value;
use sha2::{Digest, Sha256};
use shared::call::{
    AccessReport, CACHEABLE_HEADER, DataCall, DownloadCall, Healed, KeyCall, KeyFound, PageCall, RecordCall,
    SIGNATURE_HEADER, UsageReport, WINDOW, verify,
};
use shared::face::{Answer, MAX_BODY_BYTES};
use shared::model::access::in_time;
use shared::model::dashboard::{Definition, View};
use shared::model::data_product;
use shared::model::embed::Embed;
use shared::model::embed::token::verify as verify_token;
use shared::model::policy::{self, Rules};
use shared::model::portal::{self, PortalToken};
use shared::model::share::{Share, ShareType, State as ShareState, Target, TargetKind};
use shared::model::token::RecordKey;
use shared::{Error, Result};
use std::sync::Arc;
use uuid::Uuid;

/// Longest body of a call: a visitor's own, and what stands around it.
const MAX_CALL_BYTES: usize = 2 * MAX_BODY_BYTES;

/// A body whose signature was checked, over its exact bytes.
pub(crate) struct Signed<T>(T);

impl<T: DeserializeOwned> FromRequest<Arc<Service>> for Signed<T> {
    type Rejection = Rejection;

    async fn from_request(request: Request<Body>, service: &Arc<Service>) -> Result<Self, Rejection> {
        let (parts, body) = request.into_parts();
        let body = read(body, MAX_CALL_BYTES).await?;
        let signature = parts.headers.get(HeaderName::from_static(SIGNATURE_HEADER));
        let signature = signature.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let keys = service.ring.iter().map(|keys| &keys.origin);
        let call = (parts.method.as_str(), parts.uri.path(), body.as_ref());
        if !verify(keys, signature, call, service.clock.now()) {
            return Err(Error::Unauthenticated.into());
        }
        let value = serde_json::from_slice(&body).map_err(|error| Error::Malformed(error.to_string()))?;
        Ok(Self(value))
    }
}

/// Runs the widgets' queries.
pub(crate) async fn execute(
    State(service): State<Arc<Service>>,
    Signed(call): Signed<DataCall>,
) -> Result<Response, Refusal> {
    let Found { definition, source, view, rules, place } = find(&service, &call).await?;
    let parameters = policy::apply(&view.filters, &rules, &call.parameters)?;
    let now = service.clock.now();
    let executed = service.data.execute(place, &source, &definition, &parameters, now).await;
    let cacheable = executed.panels.iter().all(|panel| panel.error.is_none());
    let answer = Answer::json(200, &executed).with(CACHEABLE_HEADER, if cacheable { "1" } else { "0" });
    Ok(Reply(answer).into_response())
}

/// Runs a filter's options query.
pub(crate) async fn options(
    State(service): State<Arc<Service>>,
    Signed(call): Signed<DataCall>,
) -> Result<Response, Refusal> {
    let Found { definition, source, view, rules, place } = find(&service, &call).await?;
    let parameters = policy::constraints(&view.filters, &rules)?;
    let slug = call.filter_slug.as_deref().unwrap_or_default();
    let search = call.search.as_deref();
    let found = service.data.options(place, &source, &definition, &parameters, (slug, search)).await?;
    Ok(Reply(Answer::json(200, &found)).into_response())
}

/// A page of a data product.
pub(crate) async fn page(
    State(service): State<Arc<Service>>,
    Signed(call): Signed<PageCall>,
) -> Result<Response, Refusal> {
    let (_, view) = find_product(&service, call.share_id, call.revision).await?;
    if !call.asked.fits(&view.table.columns) {
        return Err(Error::invalid("/asked", "does not fit the data product").into());
    }
    let rows = match service.products.page(&view, &call.asked, &service.ring).await {
        // A newer version has just taken the place of this one: then the look-up says so.
        Err(error @ Error::Unavailable(_)) => {
            find_product(&service, call.share_id, call.revision).await?;
            return Err(error.into());
        }
        rows => rows?,
    };
    Ok(Reply(Answer::json(200, &rows)).into_response())
}

/// All of a data product. The share is looked up again while the bytes are on their way.
pub(crate) async fn download(
    State(service): State<Arc<Service>>,
    Signed(call): Signed<DownloadCall>,
) -> Result<Response, Refusal> {
    let (begun, view) = find_product(&service, call.share_id, call.revision).await?;
    let owner = Arc::clone(&service);
    let is_open = move || {
        let (service, begun) = (Arc::clone(&owner), begun.clone());
        async move { still_open(&service, &begun).await }
    };
    let body = match service.products.download(&view, call.asked, call.share_id, is_open).await {
        Err(error @ Error::Unavailable(_)) => {
            find_product(&service, call.share_id, call.revision).await?;
            return Err(error.into());
        }
        body => body?,
    };
    let name = call.asked.file_name(&view.name);
    let headers = [
        (header::CONTENT_TYPE, call.asked.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, body).into_response())
}

/// Is the link the same that a download began with, and open? A database that cannot be asked ends no download: nothing
/// can be revoked then either.
async fn still_open(service: &Service, begun: &Share) -> bool {
    let found = async {
        let mut session = service.store.read().await?;
        store::share::any(&mut session, begun.id).await
    };
    match found.await {
        Ok(Some(share)) => {
            is_open(service, &share)
                && share.generation == begun.generation
                && share.protection.version == begun.protection.version
        }
        Ok(None) => false,
        Err(_) => true,
    }
}

/// The record of a token, and what was counted of it, for a gate that has lost them.
pub(crate) async fn record(
    State(service): State<Arc<Service>>,
    Signed(call): Signed<RecordCall>,
) -> Result<Reply, Rejection> {
    let key = RecordKey::parse(&call.key).ok_or(Error::NotFound("record"))?;
    let mut session = service.store.read().await?;
    let record = outbox::record(&mut session, key.as_str()).await?.ok_or(Error::NotFound("record"))?;
    let usage = store::usage::find(&mut session, key.as_str()).await?.unwrap_or_default();
    let record = to_raw_value(&record).map_err(|error| Error::Internal(format!("record: {error}")))?;
    Ok(Reply(Answer::json(200, &Healed { record, usage })))
}

/// What a gate has counted.
pub(crate) async fn usage(
    State(service): State<Arc<Service>>,
    Signed(report): Signed<UsageReport>,
) -> Result<StatusCode, Rejection> {
    let key = RecordKey::parse(&report.key).ok_or(Error::NotFound("record"))?;
    manage::usage::report(&service, &key, report.usage, &report.tiles).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What an API key may do that a visitor of the operation dialect presented at the edge.
pub(crate) async fn key(
    State(service): State<Arc<Service>>,
    Signed(call): Signed<KeyCall>,
) -> Result<Reply, Rejection> {
    let peer = call.client.map(Peer::of).unwrap_or_default();
    let key = auth::by_hash(&service, &call.hash, peer).await?;
    let scopes = key.scopes.iter().map(|scope| scope.name().to_owned()).collect();
    Ok(Reply(Answer::json(200, &KeyFound { scopes })))
}

/// Who opened what, by the edge's word.
pub(crate) async fn accesses(
    State(service): State<Arc<Service>>,
    Signed(report): Signed<AccessReport>,
) -> Result<StatusCode, Rejection> {
    manage::portal::note_accesses(&service, &report.entries).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A share of a context has rows for its members alone: whoever holds this token must be one still.
async fn check_membership(
    service: &Service,
    session: &mut Session,
    share: &Share,
    token: Option<&PortalToken>,
) -> Result<(), Refusal> {
    let (context, token) = match (share.context, token) {
        (None, None) => return Ok(()),
        (Some(context), Some(token)) => (context, token),
        (None, Some(_)) | (Some(_), None) => return Err(Refusal::Dead),
    };
    // The edge has judged the time by its own clock; this one may differ as far as those of signed calls may.
    let found = portal::verify(&service.ring, token.expose(), service.clock.now(), WINDOW);
    let found = found.filter(|found| found.organization == share.organization_id).ok_or(Refusal::Dead)?;
    let membership = found.membership(context).ok_or(Refusal::Dead)?;
    let signed_in = store::portal::find(session, found.id, service.clock.now()).await?.is_some();
    if signed_in && store::context::stands(session, membership).await? { Ok(()) } else { Err(Refusal::Dead) }
}

/// What a call is about, looked up again in the database.
struct Found {
    definition: Definition,
    source: DataSource,
    view: View,
    rules: Rules,
    /// Whose queries wait for one another: those of a link, or of the tokens of an embed that fix the same.
    place: Uuid,
}

/// One customer's viewers must not wait for another's, though they look at one dashboard.
fn place_of(share: &Share, embed: &Embed) -> Result<Uuid> {
    let fixed = serde_json::to_vec(&(&embed.terms.fixed_params, &embed.terms.policies))
        .map_err(|error| Error::Internal(error.to_string()))?;
    let digest = Sha256::new_with_prefix(share.id.as_bytes()).chain_update(fixed).finalize();
    let (half, _) = digest.split_at(16);
    Uuid::from_slice(half).map_err(|error| Error::Internal(error.to_string()))
}

/// Why there are no rows.
pub(crate) enum Refusal {
    /// The share opens nothing.
    Dead,
    /// The edge knows another revision than the database.
    Stale,
    /// Anything else.
    Other(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code) = match self {
            Self::Dead => (410, "DEAD"),
            Self::Stale => (409, "STALE"),
            Self::Other(error) => return Rejection(error).into_response(),
        };
        Reply(Answer::json(status, &json!({ "error_code": code }))).into_response()
    }
}

/// Does a share open anything now?
fn is_open(service: &Service, share: &Share) -> bool {
    let in_time = in_time(share.not_before, share.expires_at, service.clock.now()).is_ok();
    share.state == ShareState::Live && !share.closed && in_time
}

/// The share of a call, if it is open and the edge knows it as it is.
async fn find_share(
    service: &Service,
    session: &mut Session,
    (share, revision): (Uuid, u64),
) -> Result<Share, Refusal> {
    let share = store::share::any(session, share).await?.ok_or(Refusal::Dead)?;
    if !is_open(service, &share) {
        return Err(Refusal::Dead);
    }
    if share.revision != revision {
        return Err(Refusal::Stale);
    }
    Ok(share)
}

/// The data product that a share opens.
async fn find_product(
    service: &Service,
    share: Uuid,
    revision: u64,
) -> Result<(Share, data_product::View), Refusal> {
    let mut session = service.store.read().await?;
    let share = find_share(service, &mut session, (share, revision)).await?;
    let Target { kind: TargetKind::DataProduct, id } = share.target else { return Err(Refusal::Dead) };
    let product = store::data_product::find(&mut session, share.organization_id, id).await?;
    let view = product.definition.view(product.id, product.version).ok_or(Refusal::Dead)?;
    Ok((share, view))
}

async fn find(service: &Service, call: &DataCall) -> Result<Found, Refusal> {
    let mut session = service.store.read().await?;
    let share = find_share(service, &mut session, (call.share_id, call.revision)).await?;
    let Target { kind: TargetKind::Dashboard, id: dashboard } = share.target else {
        return Err(Refusal::Dead);
    };
    let embed = match (share.share_type, &call.embed_token) {
        (ShareType::Link, None) => {
            check_membership(service, &mut session, &share, call.portal_token.as_ref()).await?;
            None
        }
        (ShareType::Embed, Some(token)) => {
            let embed = verify_token(&service.ring, token.expose()).ok_or(Refusal::Dead)?;
            let terms = store::embed::terms(&mut session, &share).await?;
            let own = (share.organization_id, dashboard, share.generation);
            embed.stands(own, &terms).map_err(|_| Refusal::Dead)?;
            // The edge has judged the time by its own clock; this one may differ as far as those of signed calls may.
            if service.clock.now() >= embed.ends().plus(WINDOW) {
                return Err(Refusal::Dead);
            }
            Some(embed)
        }
        (ShareType::Link, Some(_)) | (ShareType::Embed, None) | (ShareType::Portal, _) => {
            return Err(Refusal::Dead);
        }
    };
    let dashboard = store::dashboard::find(&mut session, share.organization_id, dashboard).await?;
    let definition = dashboard.definition;
    let source =
        store::data_source::find(&mut session, share.organization_id, definition.data_source_id).await?;
    drop(session);
    let view = definition.view(dashboard.id, dashboard.version);
    let (rules, place) = match embed {
        None => (share.rules, share.id),
        Some(embed) => (embed.terms.fitting_rules(&view.filters)?, place_of(&share, &embed)?),
    };
    Ok(Found { definition, source, view, rules, place })
}
