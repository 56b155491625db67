//! The pages for the cloud's own people: the fleet, and claims. They work without scripts.
//!
//! Whoever has the admin's token signs in with it. What a form changes is changed only if it was sent from one of these
//! pages, as the browser says, with a token that only they hold.

mod session;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::Markup;
use serde::Deserialize;
use storebox_core::id::StoreId;
use storebox_core::text::Name;
use storebox_provisioning::identity::BoxId;
use storebox_provisioning::site::Intent;

use self::session::{Session, is_same_origin};
use self::view::Line;
use super::answer::Refusal;
use super::claim::{self, NewClaim};
use super::{Cloud, admin};
use crate::clock::now;
use crate::database::DatabaseError;
use crate::fleet::alerts::{Alerts, NotAnAddress};
use crate::fleet::{self, Rows, State as BoxState};

const STYLE: &str = include_str!("page/fleet.css");
/// Nothing of another host is loaded, framed or sent anything, and no script runs.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The pages' routes.
pub(super) fn routes() -> Router<Arc<Cloud>> {
    Router::new()
        .route("/", get(show))
        .route("/fleet.css", get(style))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/claims", get(claim_form).post(make_claim))
        .route("/claims/file", post(claim_file))
        .route("/boxes/{id}/{what}", post(serve))
}

/// What a form is refused for.
enum Trouble {
    /// Nobody is signed in.
    NobodySignedIn,
    /// The form is not of these pages.
    Foreign,
    /// There is nothing of that name.
    NotFound,
    /// What was filled in cannot be.
    Invalid(String),
    /// The database failed, and the log says how.
    Away,
}

impl From<DatabaseError> for Trouble {
    fn from(error: DatabaseError) -> Self {
        log::error!("{error}");
        Self::Away
    }
}

impl From<FormRejection> for Trouble {
    fn from(rejection: FormRejection) -> Self {
        Self::Invalid(rejection.body_text())
    }
}

impl From<QueryRejection> for Trouble {
    fn from(rejection: QueryRejection) -> Self {
        Self::Invalid(rejection.body_text())
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(why) => Self::Invalid(why.into_owned()),
            Refusal::NotFound => Self::NotFound,
            Refusal::NotAdmitted => Self::NobodySignedIn,
            Refusal::Database(error) => error.into(),
            Refusal::Problem(problem) => Self::Invalid(problem.title().to_owned()),
        }
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let (status, title, detail) = match &self {
            Self::NobodySignedIn => return answer(StatusCode::FORBIDDEN, view::sign_in(false)),
            Self::Foreign => {
                (StatusCode::FORBIDDEN, "Not from here", "Nothing was changed: the form was not sent from these pages.")
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "Not found", "There is no such box or store."),
            Self::Invalid(why) => (StatusCode::UNPROCESSABLE_ENTITY, "That cannot be", why.as_str()),
            Self::Away => {
                (StatusCode::SERVICE_UNAVAILABLE, "The cloud is busy", "Its database does not answer. Try again soon.")
            }
        };
        answer(status, view::trouble(title, detail))
    }
}

/// A page, with what browsers are told about it.
fn answer(status: StatusCode, page: Markup) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        // With none at all, a browser would not say where a form comes from.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, page.into_string()).into_response()
}

/// Has the browser ask for a page anew, so that loading it again does nothing twice.
fn go_to(path: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response()
}

/// The style sheet, a file of its own so that pages need no inline style.
async fn style() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, STYLE).into_response()
}

fn signed_in(cloud: &Cloud, headers: &HeaderMap) -> Result<Session, Trouble> {
    Session::of(headers, &cloud.admin_token, now()).ok_or(Trouble::NobodySignedIn)
}

/// Whoever is signed in, if this form is theirs.
fn own_form(cloud: &Cloud, headers: &HeaderMap, uri: &Uri, form_token: &str) -> Result<Session, Trouble> {
    let session = signed_in(cloud, headers)?;
    if is_same_origin(headers, uri) && session.has_made(form_token) { Ok(session) } else { Err(Trouble::Foreign) }
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    find: String,
}

/// The fleet, or where to sign in.
async fn show(
    State(cloud): State<Arc<Cloud>>,
    headers: HeaderMap,
    search: Result<Query<Search>, QueryRejection>,
) -> Result<Response, Trouble> {
    let Ok(session) = signed_in(&cloud, &headers) else { return Ok(answer(StatusCode::OK, view::sign_in(false))) };
    let Query(Search { find }) = search?;
    let (stores, boxes) = cloud.database.look(|rows| Ok((rows.stores()?, rows.devices()?))).await?;
    let at = now();
    let stores: BTreeMap<_, _> = stores.into_iter().collect();
    let mut lines = Vec::new();
    for (id, row) in boxes {
        let Some(store) = stores.get(&row.store) else { continue };
        let state = BoxState::of(id, &row, Some(store), &cloud.terms, at);
        lines.push(Line::new(row.store, store, Some((id, row, state))));
    }
    let with_box: std::collections::BTreeSet<_> = lines.iter().map(|line| line.store).collect();
    let without = stores.iter().filter(|(id, _)| !with_box.contains(id));
    lines.extend(without.map(|(id, store)| Line::new(*id, store, None)));
    // A store's box comes before those it has had.
    lines.sort_by_cached_key(|line| {
        let state = line.device.as_ref().map(|(id, row, state)| (*state, std::cmp::Reverse(row.epoch), *id));
        (line.name.as_str().to_lowercase(), line.store, state)
    });
    Ok(answer(StatusCode::OK, view::fleet(&lines, find.trim(), &session.form_token(), at)))
}

#[derive(Deserialize)]
struct SignIn {
    token: String,
}

async fn sign_in(
    State(cloud): State<Arc<Cloud>>,
    headers: HeaderMap,
    uri: Uri,
    form: Result<Form<SignIn>, FormRejection>,
) -> Result<Response, Trouble> {
    let Form(SignIn { token }) = form?;
    if !is_same_origin(&headers, &uri) {
        return Err(Trouble::Foreign);
    }
    if !admin::is_admin(&cloud, token.trim()) {
        log::warn!("somebody tried to sign in with a wrong token");
        return Ok(answer(StatusCode::FORBIDDEN, view::sign_in(true)));
    }
    let cookie = Session::begin(&cloud.admin_token, now()).map_err(|_| Trouble::Away)?;
    Ok(([(header::SET_COOKIE, cookie)], go_to("/")).into_response())
}

/// What every form carries.
#[derive(Deserialize)]
struct Plain {
    form: String,
}

async fn sign_out(
    State(cloud): State<Arc<Cloud>>,
    headers: HeaderMap,
    uri: Uri,
    form: Result<Form<Plain>, FormRejection>,
) -> Result<Response, Trouble> {
    let Form(Plain { form }) = form?;
    own_form(&cloud, &headers, &uri, &form)?;
    Ok(([(header::SET_COOKIE, Session::end())], go_to("/")).into_response())
}

/// Takes a box out of service, or puts it back.
async fn serve(
    State(cloud): State<Arc<Cloud>>,
    headers: HeaderMap,
    uri: Uri,
    Path((id, what)): Path<(String, String)>,
    form: Result<Form<Plain>, FormRejection>,
) -> Result<Response, Trouble> {
    let Form(Plain { form }) = form?;
    own_form(&cloud, &headers, &uri, &form)?;
    let id: BoxId = id.parse().map_err(|_| Trouble::NotFound)?;
    let is_revoked = match what.as_str() {
        "revoke" => true,
        "restore" => false,
        _ => return Err(Trouble::NotFound),
    };
    if !cloud.database.transact(|rows| fleet::revoke(rows, id, is_revoked)).await? {
        return Err(Trouble::NotFound);
    }
    log::info!("{what}d {id}");
    Ok(go_to("/"))
}

#[derive(Deserialize)]
struct ForStore {
    store: Option<StoreId>,
}

async fn claim_form(
    State(cloud): State<Arc<Cloud>>,
    headers: HeaderMap,
    query: Result<Query<ForStore>, QueryRejection>,
) -> Result<Response, Trouble> {
    let session = signed_in(&cloud, &headers)?;
    let Query(ForStore { store }) = query?;
    let token = session.form_token();
    let Some(id) = store else {
        return Ok(answer(StatusCode::OK, view::claim_form(None, cloud.delivery.sends_mail(), &token)));
    };
    let row = cloud.database.look(|rows| rows.store(id)).await?.ok_or(Trouble::NotFound)?;
    Ok(answer(StatusCode::OK, view::claim_form(Some((id, &row)), false, &token)))
}

#[derive(Deserialize)]
struct ClaimForm {
    form: String,
    store_id: Option<StoreId>,
    store_name: Option<Name>,
    register: Option<Name>,
    intent: Intent,
    days: u64,
    /// Addresses, with commas or blanks between them.
    #[serde(default)]
    mail: String,
    /// URLs, the same.
    #[serde(default)]
    webhooks: String,
}

async fn make_claim(
    State(cloud): State<Arc<Cloud>>,
    headers: HeaderMap,
    uri: Uri,
    form: Result<Form<ClaimForm>, FormRejection>,
) -> Result<Response, Trouble> {
    let Form(filled) = form?;
    let session = own_form(&cloud, &headers, &uri, &filled.form)?;
    let alerts = Alerts { mail: listed(&filled.mail)?, webhooks: listed(&filled.webhooks)? };
    let wish = NewClaim {
        store_id: filled.store_id,
        store_name: filled.store_name,
        register: filled.register,
        configuration: BTreeMap::new(),
        intent: filled.intent,
        days: Some(filled.days),
        // Of a store there is the form does not ask.
        alerts: filled.store_id.is_none().then_some(alerts),
    };
    let made = claim::make(&cloud, &wish).await?;
    let store = cloud.database.look(|rows| rows.store(made.store_id)).await?;
    let name = store.map_or_else(|| Name::cut("the store"), |store| store.name);
    let page = view::claimed(&made, name.as_str(), wish.intent.as_str(), &session.form_token());
    Ok(answer(StatusCode::OK, page))
}

/// What somebody wrote one after the other into one field.
fn listed<T: TryFrom<String, Error = NotAnAddress>>(field: &str) -> Result<Vec<T>, Trouble> {
    let parts = field.split([',', ' ', '\n', '\r']).filter(|part| !part.is_empty());
    let parsed: Result<Vec<T>, NotAnAddress> = parts.map(|part| T::try_from(part.to_owned())).collect();
    parsed.map_err(|error| Trouble::Invalid(error.to_string()))
}

#[derive(Deserialize)]
struct FileForm {
    form: String,
    token: String,
    intent: Intent,
}

/// A claim's file, made of what the page that shows it holds: the cloud itself no longer knows the token.
async fn claim_file(
    State(cloud): State<Arc<Cloud>>,
    headers: HeaderMap,
    uri: Uri,
    form: Result<Form<FileForm>, FormRejection>,
) -> Result<Response, Trouble> {
    let Form(FileForm { form, token, intent }) = form?;
    own_form(&cloud, &headers, &uri, &form)?;
    if token.len() > 64 || !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Err(Trouble::Invalid("That is not a claim's token.".to_owned()));
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/toml")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"storebox.toml\"")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, claim::site(&cloud, &token, intent)?).into_response())
}
