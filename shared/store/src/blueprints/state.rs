//! The states of a blueprint: how far its upload came.

use serde::{Deserialize, Serialize};
use windlass_core::db::Value;
use windlass_core::{Error, Result};

/// How far an upload came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(
    missing_docs,
    reason = "the names are the states of the table in `name`"
)]
pub enum State {
    Pending,
    Uploading,
    Extracting,
    Parsing,
    Uploaded,
    Validating,
    FailedUploading,
    FailedExtracting,
    FailedParsing,
    FailedExtractingToFileServer,
    Invalid,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::Pending,
        Self::Uploading,
        Self::Extracting,
        Self::Parsing,
        Self::Uploaded,
        Self::Validating,
        Self::FailedUploading,
        Self::FailedExtracting,
        Self::FailedParsing,
        Self::FailedExtractingToFileServer,
        Self::Invalid,
    ];

    /// The word in the API and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Uploading => "uploading",
            Self::Extracting => "extracting",
            Self::Parsing => "parsing",
            Self::Uploaded => "uploaded",
            Self::Validating => "validating",
            Self::FailedUploading => "failed_uploading",
            Self::FailedExtracting => "failed_extracting",
            Self::FailedParsing => "failed_parsing",
            Self::FailedExtractingToFileServer => "failed_extracting_to_file_server",
            Self::Invalid => "invalid",
        }
    }

    /// Reads a state.
    ///
    /// # Errors
    /// 400, naming all of them.
    pub fn parse(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|known| known.name() == text)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name);
                Error::bad_parameters(format!(
                    "Invalid state: `{text}`. Valid blueprint state values are: {}",
                    windlass_core::python::list(names)
                ))
            })
    }

    /// Whether the upload failed, so that another of the same id may replace it.
    pub const fn is_failed(self) -> bool {
        match self {
            Self::FailedUploading
            | Self::FailedExtracting
            | Self::FailedParsing
            | Self::FailedExtractingToFileServer
            | Self::Invalid => true,
            Self::Pending
            | Self::Uploading
            | Self::Extracting
            | Self::Parsing
            | Self::Uploaded
            | Self::Validating => false,
        }
    }

    /// Whether the upload is still on its way.
    pub const fn is_under_way(self) -> bool {
        match self {
            Self::Pending | Self::Uploading | Self::Extracting | Self::Parsing => true,
            Self::Uploaded
            | Self::Validating
            | Self::FailedUploading
            | Self::FailedExtracting
            | Self::FailedParsing
            | Self::FailedExtractingToFileServer
            | Self::Invalid => false,
        }
    }

    /// Whether deployments can be made from the blueprint.
    pub fn is_usable(self) -> bool {
        self == Self::Uploaded
    }

    /// The words of all states of a kind, as the JSON list that a statement looks into.
    pub(super) fn names(is_of_kind: impl Fn(Self) -> bool) -> serde_json::Value {
        let states = Self::ALL.into_iter().filter(|state| is_of_kind(*state));
        states.map(Self::name).collect()
    }
}

impl From<State> for Value {
    fn from(state: State) -> Self {
        Self::from(state.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_by_name() {
        for state in State::ALL {
            assert_eq!(State::parse(state.name()).unwrap(), state);
            let json = serde_json::to_value(state).unwrap();
            assert_eq!(json, state.name(), "the database and JSON use one word");
            assert!(!(state.is_failed() && state.is_usable()));
        }
        let refusal = State::parse("done").unwrap_err();
        assert!(
            refusal.message().starts_with(
                "Invalid state: `done`. Valid blueprint state values are: ['pending',"
            )
        );
    }
}
