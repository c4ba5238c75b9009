//! Failures: declared once, rendered by the family.
//!
//! An [`Error`] carries a kind (status and code), the text for the client and, apart from it,
//! what only the log may say. Handlers and store functions return it and know no envelope;
//! nothing prints both texts.

use serde_json::{Map, Value};
use std::borrow::Cow;

/// What went wrong, as clients tell failures apart.
///
/// The codes are Conductor's (its clients compare them); the other families render the status
/// and the message only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the names are the codes of the table in `wire`"
)]
pub enum Kind {
    AmbiguousName,
    BadParameters,
    BlueprintInUse,
    Conflict,
    ConstraintViolation,
    DependentExists,
    DeploymentCapabilitiesEvaluation,
    DeploymentCreation,
    DeploymentEnvironmentCreationInProgress,
    DeploymentEnvironmentCreationPending,
    DeploymentInputEvaluation,
    DeploymentOutputsEvaluation,
    DeploymentParentNotFound,
    DeploymentModificationAlreadyEnded,
    DeploymentPluginNotFound,
    EnteringMaintenanceMode,
    ExistingRunningExecution,
    ExistingStartedDeploymentModification,
    FailedDependency,
    Forbidden,
    ForbiddenWhileCancelling,
    FunctionsEvaluation,
    IllegalAction,
    IllegalExecutionParameters,
    Internal,
    InvalidBlueprint,
    InvalidExceptionStatusUpdate,
    InvalidFernetTokenFormat,
    InvalidFilterRule,
    InvalidPlugin,
    InvalidWorkflowAvailabilityRule,
    InvalidYamlFormat,
    LogBundleAction,
    MaintenanceModeActive,
    MethodNotAllowed,
    MissingRequiredDeploymentInput,
    NoSuchIncludeField,
    NonexistentWorkflow,
    NotFound,
    OnlyDeploymentUpdate,
    PayloadTooLarge,
    PluginInUse,
    PluginsUpdateFailed,
    SnapshotAction,
    TooManyRequests,
    Unauthorized,
    UnavailableWorkflow,
    UnknownAction,
    UnknownDeploymentInput,
    UnknownDeploymentSecret,
    Unavailable,
    UnprocessableEntity,
    UnsupportedContentType,
    UnverifiedCloudifyLicense,
}

impl Kind {
    /// Status and code: the only place where either is written down.
    pub const fn wire(self) -> (u16, &'static str) {
        match self {
            Self::AmbiguousName => (409, "ambiguous_name"),
            Self::BadParameters => (400, "bad_parameters_error"),
            Self::BlueprintInUse => (405, "blueprint_in_use"),
            Self::Conflict => (409, "conflict_error"),
            Self::ConstraintViolation => (400, "constraint_error"),
            Self::DependentExists => (400, "dependent_exists_error"),
            Self::DeploymentCapabilitiesEvaluation => {
                (400, "deployment_capabilities_evaluation_error")
            }
            Self::DeploymentCreation => (400, "deployment_creation_error"),
            Self::DeploymentEnvironmentCreationInProgress => {
                (400, "deployment_environment_creation_in_progress_error")
            }
            Self::DeploymentEnvironmentCreationPending => {
                (400, "deployment_environment_creation_pending_error")
            }
            Self::DeploymentInputEvaluation => (400, "deployment_input_evaluation_error"),
            Self::DeploymentOutputsEvaluation => (400, "deployment_outputs_evaluation_error"),
            Self::DeploymentParentNotFound => (404, "deployment_parent_not_found_error"),
            Self::DeploymentModificationAlreadyEnded => {
                (400, "deployment_modification_already_ended_error")
            }
            Self::DeploymentPluginNotFound => (400, "deployment_plugin_not_found"),
            Self::EnteringMaintenanceMode => (503, "entering_maintenance_mode"),
            Self::ExistingRunningExecution => (400, "existing_running_execution_error"),
            Self::ExistingStartedDeploymentModification => {
                (400, "existing_started_deployment_modification_error")
            }
            Self::FailedDependency => (400, "failed_dependency"),
            Self::Forbidden => (403, "forbidden_error"),
            Self::ForbiddenWhileCancelling => (403, "forbidden_while_cancelling"),
            Self::FunctionsEvaluation => (400, "functions_evaluation_error"),
            Self::IllegalAction => (400, "illegal_action_error"),
            Self::IllegalExecutionParameters => (400, "illegal_execution_parameters_error"),
            Self::Internal => (500, "internal_server_error"),
            Self::InvalidBlueprint => (400, "invalid_blueprint_error"),
            Self::InvalidExceptionStatusUpdate => (400, "invalid_exception_status_update"),
            Self::InvalidFernetTokenFormat => (500, "invalid_fernet_token_format_error"),
            Self::InvalidFilterRule => (400, "invalid_filter_rule"),
            Self::InvalidPlugin => (400, "invalid_plugin_error"),
            Self::InvalidWorkflowAvailabilityRule => {
                (400, "invalid_workflow_availability_rule_error")
            }
            Self::InvalidYamlFormat => (400, "invalid_yaml_format"),
            Self::LogBundleAction => (400, "log_bundle_action_error"),
            Self::MaintenanceModeActive => (503, "maintenance_mode_active"),
            Self::MethodNotAllowed => (405, "method_not_allowed_error"),
            Self::MissingRequiredDeploymentInput => {
                (400, "missing_required_deployment_input_error")
            }
            Self::NoSuchIncludeField => (400, "no_such_include_field_error"),
            Self::NonexistentWorkflow => (400, "nonexistent_workflow_error"),
            Self::NotFound => (404, "not_found_error"),
            Self::OnlyDeploymentUpdate => (403, "only_deployment_update"),
            Self::PayloadTooLarge => (413, "bad_parameters_error"),
            Self::PluginInUse => (405, "plugin_in_use"),
            Self::PluginsUpdateFailed => (400, "plugins_update_failed"),
            Self::SnapshotAction => (400, "snapshot_action_error"),
            Self::TooManyRequests => (429, "too_many_requests_error"),
            Self::Unauthorized => (401, "unauthorized_error"),
            Self::UnavailableWorkflow => (400, "unavailable_workflow_error"),
            Self::UnknownAction => (400, "unknown_action"),
            Self::UnknownDeploymentInput => (400, "unknown_deployment_input_error"),
            Self::UnknownDeploymentSecret => (400, "unknown_deployment_secret_error"),
            Self::Unavailable => (503, "service_unavailable_error"),
            Self::UnprocessableEntity => (422, "unprocessable_entity_error"),
            Self::UnsupportedContentType => (415, "unsupported_content_type_error"),
            Self::UnverifiedCloudifyLicense => (400, "unverified_cloudify_license"),
        }
    }
}

/// One field of a request that was refused, for the families that answer per field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name, dotted when nested.
    pub field: String,
    /// What was wrong with it.
    pub message: String,
}

/// A failure on its way to the client.
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: Kind,
    message: Cow<'static, str>,
    context: Option<String>,
    fields: Vec<FieldError>,
    extra: Map<String, Value>,
    retry_after: u32,
    allow: Option<String>,
}

/// The result of everything that can be refused.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of this kind; `message` is for the client.
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            context: None,
            fields: Vec::new(),
            extra: Map::new(),
            retry_after: 1,
            allow: None,
        }))
    }

    /// Adds what only the log may say.
    #[must_use]
    pub fn context(mut self, context: impl ToString) -> Self {
        self.0.context = Some(context.to_string());
        self
    }

    /// Adds a refused field, for the families that answer per field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.0.fields.push(FieldError {
            field: field.into(),
            message: message.into(),
        });
        self
    }

    /// Adds a key to the answer's envelope, such as `err_filter_rule`.
    #[must_use]
    pub fn extra(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.extra.insert(key.to_owned(), value.into());
        self
    }

    /// Says when another try makes sense, in seconds from now: 503 and 429 carry it.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = seconds;
        self
    }

    /// When another try makes sense, in seconds from now.
    pub fn seconds_to_wait(&self) -> u32 {
        self.0.retry_after
    }

    /// What went wrong.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The text for the client.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What only the log may say.
    pub fn log_context(&self) -> Option<&str> {
        self.0.context.as_deref()
    }

    /// Both texts, the public and the private one: for logs and for what only operators read.
    /// There is no `Display`, so that no text for clients can hold the private one by accident.
    pub fn for_log(&self) -> String {
        match &self.0.context {
            Some(context) => format!("{} ({context})", self.0.message),
            None => self.0.message.to_string(),
        }
    }

    /// Says which methods a path has, for the header `allow` of a 405.
    #[must_use]
    pub fn allowing(mut self, methods: &[&str]) -> Self {
        self.0.allow = Some(methods.join(", "));
        self
    }

    /// The value of the header `allow`.
    pub fn allow(&self) -> Option<&str> {
        self.0.allow.as_deref()
    }

    /// The refused fields.
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// More keys of the answer's envelope.
    pub fn extras(&self) -> &Map<String, Value> {
        &self.0.extra
    }

    /// An unexpected failure: the client learns nothing but that.
    pub fn internal(context: impl ToString) -> Self {
        Self::new(
            Kind::Internal,
            "Internal error occurred in the manager REST server",
        )
        .context(context)
    }

    /// 400: an argument that is missing or not usable.
    pub fn bad_parameters(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::BadParameters, message)
    }

    /// 400: not allowed in this state.
    pub fn illegal_action(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::IllegalAction, message)
    }

    /// 409: it exists already, or somebody was faster.
    pub fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    /// 422: read, but not of the shape that was asked for.
    pub fn unprocessable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::UnprocessableEntity, message)
    }

    /// 403: known, but not allowed.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Forbidden, message)
    }

    /// 401 with the prefix that Conductor's clients know.
    pub fn unauthorized(reason: impl std::fmt::Display) -> Self {
        Self::new(Kind::Unauthorized, format!("User unauthorized: {reason}"))
    }

    /// 404 for a resource: `what` is its type as clients know it, such as `Blueprint`.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(
            Kind::NotFound,
            format!("Requested `{what}` with ID `{id}` was not found"),
        )
    }

    /// 400 for a key that a request must carry.
    pub fn missing(key: &str) -> Self {
        Self::bad_parameters(format!("Missing {key} in json request body"))
            .field(key, "This field is required.")
    }

    /// 400 for a value of the wrong type, in the words of the original API.
    pub fn wrong_type(key: &str, expected: &str, got: &Value) -> Self {
        let got = windlass_python::type_name(got);
        let text =
            format!("{key} parameter is expected to be of type {expected} but is of type {got}");
        Self::bad_parameters(text).field(key, format!("expected {expected}, got {got}"))
    }

    /// Whether something was not stored because there is no room for it.
    pub fn is_out_of_room(&self) -> bool {
        self.kind() == Kind::Unavailable
            && self
                .log_context()
                .is_some_and(|text| text.contains("disk is full"))
    }

    /// Whether a statement failed because a unique index already holds the row.
    pub fn is_unique_violation(&self) -> bool {
        self.0
            .context
            .as_deref()
            .is_some_and(|text| text.contains("UNIQUE constraint failed"))
    }
}
