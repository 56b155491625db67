//! `/api/local/config`: what an admin may change while the box runs (B16).

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storebox_core::command::{Actor, Command, Rejection, Request};
use storebox_core::limits::URL_CHARS;
use storebox_core::people::Permission;
use storebox_core::retention::Policy;
use storebox_core::settings::{Mode, Settings};
use storebox_core::text::Name;
use storebox_core::throttle::Rate;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::answer::json;
use super::auth::Terminal;
use super::body::Body;
use super::openapi::{ReadProblems, WriteProblems};
use super::pair::LimitsBody;
use super::problem::Problem;
use crate::config::options::{CHOICES, Choice, Holds};
use crate::config::{Config, Layers, PriceOverride, Source, WrongOption};
use crate::store::{Store, SubmitError};

/// The routes of this subject.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(show_config, change_config))
}

/// What holds now of the configuration.
pub struct InForce {
    /// The store's settings.
    pub settings: Settings,
    /// The box's part among the boxes of the store.
    pub mode: Mode,
    /// How often each terminal may ask.
    pub device_rate: Rate,
    /// What terminals are asked to hold themselves to.
    pub limits: LimitsBody,
    /// How long things are kept.
    pub retention: Policy,
    /// What is done when a terminal asks for another price than the catalogue's.
    pub price_override: PriceOverride,
}

impl InForce {
    fn of(config: &Config) -> Self {
        Self {
            settings: config.settings(),
            mode: config.lan.mode,
            device_rate: config.device_rate(),
            limits: LimitsBody::new(&config.lan),
            retention: config.retention(),
            price_override: config.store.price_override,
        }
    }
}

/// The configuration, and how it is changed.
pub struct Configuration {
    in_force: RwLock<Arc<InForce>>,
    /// Held while it is changed, so that memory, store and file agree on who came last.
    layers: tokio::sync::Mutex<Layers>,
    /// What the box was started with.
    at_start: Layers,
    state_dir: PathBuf,
}

impl Configuration {
    /// What a box is started with.
    pub fn new(layers: Layers, config: &Config) -> Self {
        Self {
            in_force: RwLock::new(Arc::new(InForce::of(config))),
            at_start: layers.clone(),
            layers: tokio::sync::Mutex::new(layers),
            state_dir: config.store.state_dir.clone(),
        }
    }
}

/// The options.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ConfigBody {
    /// Every option an admin may change, in the order of the documentation.
    options: Vec<OptionBody>,
    /// Whether something was changed that holds only after the box's next start.
    needs_restart: bool,
}

/// An option.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OptionBody {
    /// Its name: section and key of the configuration file.
    key: &'static str,
    /// What it is; null if it is absent.
    #[schema(value_type = Option<Object>, required)]
    value: Value,
    /// What holds if nobody says otherwise; null if it is absent then.
    #[schema(value_type = Option<Object>, required)]
    default: Value,
    /// Who said so.
    said_by: SaidBy,
    /// What it may be.
    range: &'static str,
    /// What it does.
    meaning: &'static str,
    /// Whether a change holds from the box's next start on; others hold at once.
    needs_restart: bool,
}

/// Who said what an option is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SaidBy {
    /// Nobody: it is the default.
    Default,
    /// The configuration file.
    File,
    /// The installer's file.
    Installer,
    /// An admin, here.
    Admin,
    /// The cloud: an admin cannot change it here.
    Cloud,
    /// The store has it written down; it can no longer be otherwise.
    Store,
}

impl From<Source> for SaidBy {
    fn from(source: Source) -> Self {
        match source {
            Source::File => Self::File,
            Source::Installer => Self::Installer,
            Source::Admin => Self::Admin,
            Source::Cloud => Self::Cloud,
            Source::Store => Self::Store,
        }
    }
}

impl OptionBody {
    fn new(choice: &'static Choice, layers: &Layers) -> Self {
        let &Choice { key, range, meaning, holds, default } = choice;
        let default = default.and_then(|default| format!("value = {default}").parse::<toml::Table>().ok());
        let default = default.as_ref().and_then(|table| table.get("value")).map(json).unwrap_or_default();
        let (value, said_by) = match layers.said(key) {
            Some((source, said)) => (json(said), source.into()),
            None => (default.clone(), SaidBy::Default),
        };
        Self { key, value, default, said_by, range, meaning, needs_restart: holds == Holds::AfterRestart }
    }
}

/// What is to be changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "set": { "offline.payment_limit": 50.0, "store.name": null } }))]
struct ConfigChange {
    /// Options by name. What is null is again what the file says, or the default; what is left out stays as it is.
    #[schema(value_type = BTreeMap<String, OptionValue>)]
    set: BTreeMap<String, Value>,
    /// The idempotency key, for clients that cannot set headers.
    #[serde(rename = "_idempotencyKey", default)]
    #[schema(min_length = 1, max_length = 255, pattern = r"^[\x21\x23-\x7e]+$")]
    _idempotency_key: Option<String>,
}

/// What an option may be set to: text, a number or a switch, or null. Its `range` says more.
struct OptionValue;

impl ToSchema for OptionValue {}

impl PartialSchema for OptionValue {
    fn schema() -> RefOr<Schema> {
        let of = |kind| ObjectBuilder::new().schema_type(kind);
        let most = OPTION_VALUE_MAX;
        OneOfBuilder::new()
            .item(of(Type::String).max_length(Some(URL_CHARS)))
            .item(of(Type::Number).minimum(Some(-most)).maximum(Some(most)))
            .item(of(Type::Boolean))
            .item(of(Type::Null))
            .into()
    }
}

/// No option is a greater number.
const OPTION_VALUE_MAX: i32 = 1_000_000_000;

/// Show the configuration
///
/// For an admin.
#[utoipa::path(
    get, path = "/api/local/config", tag = "config",
    responses((status = 200, body = ConfigBody, description = "Every option"), ReadProblems)
)]
async fn show_config(State(api): State<Arc<Api>>, terminal: Terminal) -> Result<Json<ConfigBody>, Problem> {
    terminal.must(Permission::ConfigureSettings)?;
    let layers = api.configuration.layers.lock().await;
    Ok(Json(api.configuration.body(&layers)))
}

/// Change the configuration
///
/// For an admin. All of it is changed, or nothing. Doing it twice does no more than doing it once.
#[utoipa::path(
    put, path = "/api/local/config", tag = "config", request_body = ConfigChange,
    responses((status = 200, body = ConfigBody, description = "The configuration as it is now"), WriteProblems)
)]
async fn change_config(
    State(api): State<Arc<Api>>,
    terminal: Terminal,
    body: Body<ConfigChange>,
) -> Result<Json<ConfigBody>, Problem> {
    terminal.must(Permission::ConfigureSettings)?;
    let (change, _) = body.split();
    let mut layers = api.configuration.layers.lock().await;
    let mut changed = layers.clone();
    let mut notes = Vec::new();
    for (key, value) in &change.set {
        if let Some((Source::Cloud, _)) = changed.said(key) {
            return Err(Problem::invalid(format!("set.{key}"), "the cloud says what this is: change it there"));
        }
        let before = changed.said_by(Source::Admin, key).cloned();
        changed = match value {
            Value::Null => changed.without(Source::Admin, key),
            value => toml::Value::try_from(value)
                .map_err(|error| WrongOption { key: key.clone(), why: error.to_string() })
                .and_then(|value| changed.with(Source::Admin, key, value)),
        }
        .map_err(|error| Problem::invalid(format!("set.{}", error.key), error.why))?;
        if changed.said_by(Source::Admin, key) != before.as_ref() {
            let now = if value.is_null() { "as before".to_owned() } else { value.to_string() };
            notes.push(Name::cut(&format!("{key} = {now}")));
        }
    }
    if notes.is_empty() {
        return Ok(Json(api.configuration.body(&layers)));
    }
    api.configuration
        .put_in_force(&api.store, &mut layers, changed, Source::Admin, Some(terminal.actor()))
        .await
        .map_err(|error| match error {
            NotInForce::Wrong(why) => Problem::invalid("set", why),
            NotInForce::Refused(rejection) => api.refusal(&rejection),
            NotInForce::Unanswered(error) => error.into(),
            NotInForce::NotKept(error) => {
                log::error!("what an admin changed cannot be kept: {error}");
                Problem::unavailable("the change cannot be written to the box's disk; nothing was changed")
            }
        })?;
    // It is kept: whatever becomes of the notes, it holds.
    for about in notes {
        log::info!("an admin changed {about}");
        api.note(Some(terminal.actor()), "config.changed", &about).await?;
    }
    Ok(Json(api.configuration.body(&layers)))
}

/// Why a configuration is not put in force.
#[derive(Debug)]
pub enum NotInForce {
    /// It is wrong.
    Wrong(String),
    /// The store refuses it.
    Refused(Rejection),
    /// The store gives no answer.
    Unanswered(SubmitError),
    /// It cannot be written to the disk.
    NotKept(std::io::Error),
}

impl fmt::Display for NotInForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(why) => f.write_str(why),
            Self::Refused(rejection) => write!(f, "the store refuses it: {rejection:?}"),
            Self::Unanswered(error) => write!(f, "the store gives no answer: {error:?}"),
            Self::NotKept(error) => write!(f, "it cannot be kept: {error}"),
        }
    }
}

impl Configuration {
    /// Takes all of what a source says now, as far as it is understood. A store with orders goes on in its own currency.
    ///
    /// # Errors
    /// [`NotInForce`]; what held before holds still.
    pub async fn take_over<'v>(
        &self,
        store: &Store,
        source: Source,
        said: impl IntoIterator<Item = (&'v str, toml::Value)>,
    ) -> Result<(), NotInForce> {
        let mut layers = self.layers.lock().await;
        let changed = layers.saying(source, said);
        let outcome = self.put_in_force(store, &mut layers, changed.clone(), source, None).await;
        let Err(NotInForce::Refused(Rejection::CurrencyFixed { stored })) = outcome else { return outcome };
        log::error!("the store counts in {} and has orders: it goes on in that currency", stored.code());
        let fixed = changed.with(Source::Store, "store.currency", stored.code().into());
        let fixed = fixed.map_err(|error| NotInForce::Wrong(error.to_string()))?;
        self.put_in_force(store, &mut layers, fixed, source, None).await
    }

    /// Has the store, the disk and everybody who asks go by `changed`, in which `source` says something else than before.
    async fn put_in_force(
        &self,
        store: &Store,
        layers: &mut Layers,
        changed: Layers,
        source: Source,
        actor: Option<Actor>,
    ) -> Result<(), NotInForce> {
        let config = changed.config().map_err(|error| NotInForce::Wrong(error.message().to_owned()))?;
        let new = InForce::of(&config);
        let apply = |settings: &Settings| Command::ApplySettings(settings.clone());
        // Asked first: the store knows whether the currency may still change.
        let request = Request { actor, key: None, received: None, command: apply(&new.settings) };
        let answer = store.submit(request).await.map_err(NotInForce::Unanswered)?;
        answer.result.map_err(NotInForce::Refused)?;
        if let Err(error) = changed.keep(source, &self.state_dir) {
            store.note(apply(&self.in_force().settings));
            return Err(NotInForce::NotKept(error));
        }
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        *layers = changed;
        Ok(())
    }

    fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn body(&self, layers: &Layers) -> ConfigBody {
        let differs = |choice: &&Choice| layers.said(choice.key) != self.at_start.said(choice.key);
        ConfigBody {
            options: CHOICES.iter().map(|choice| OptionBody::new(choice, layers)).collect(),
            needs_restart: CHOICES
                .iter()
                .filter(|choice| choice.holds == Holds::AfterRestart)
                .any(|choice| differs(&choice)),
        }
    }
}

impl Api {
    /// What holds now of the configuration.
    pub fn in_force(&self) -> Arc<InForce> {
        self.configuration.in_force()
    }
}
