//! How a provider is reached: its parameters, checked before anything is sent.

use crate::{cloudify, failed, vault};
use serde_json::{Map, Value};
use std::time::Duration;
use windlass_core::outbound::{Outbound, OutboundRequest, OutboundResponse, address};
use windlass_core::{Error, Result};
use windlass_store::secrets::unseal;
use windlass_store::secrets_providers::{Provider, ProviderType};

/// How long a provider may take: somebody waits for the value.
const PATIENCE: Duration = Duration::from_secs(10);

/// A provider that can be asked.
#[derive(Clone, Debug)]
pub struct Connection {
    /// What it is called, for refusals.
    pub(crate) name: String,
    kind: ProviderType,
    parameters: Map<String, Value>,
}

impl Connection {
    /// A connection with these parameters.
    ///
    /// # Errors
    /// 400 when one is missing or of another type than text.
    pub fn new(name: &str, kind: ProviderType, parameters: Map<String, Value>) -> Result<Self> {
        let is_there = |name: &&&str| match parameters.get(**name) {
            Some(Value::String(text)) => !text.is_empty(),
            _ => false,
        };
        let missing: Vec<&str> = (kind.parameters().iter())
            .filter(|name| !is_there(name))
            .copied()
            .collect();
        if !missing.is_empty() {
            return Err(Error::bad_parameters(format!(
                "A secrets provider of the type {} needs the connection parameters: {}",
                kind.name(),
                missing.join(", ")
            )));
        }
        Ok(Self {
            name: name.to_owned(),
            kind,
            parameters,
        })
    }

    /// The connection of a stored provider.
    ///
    /// # Errors
    /// 500 for parameters that no known key opens.
    pub async fn open(provider: &Provider) -> Result<Self> {
        let parameters = match &provider.connection_parameters {
            Some(sealed) => unseal(sealed).await?,
            None => Value::Null,
        };
        let parameters = match parameters {
            Value::Object(parameters) => parameters,
            _ => Map::new(),
        };
        Self::new(&provider.name, provider.kind, parameters)
    }

    /// The value that the provider has for a key.
    ///
    /// # Errors
    /// 404 when it has none; 400 `failed_dependency` when it does not answer.
    pub async fn value(
        &self,
        key: &str,
        options: &Map<String, Value>,
        outbound: &impl Outbound,
    ) -> Result<Value> {
        match self.kind {
            ProviderType::Local => Err(Error::internal("what is local is not fetched")),
            ProviderType::Vault => vault::value(self, key, options, outbound).await,
            ProviderType::Cloudify => cloudify::value(self, key, options, outbound).await,
        }
    }

    /// Whether the provider answers and takes the credentials.
    ///
    /// # Errors
    /// 400 `failed_dependency`.
    pub async fn test(&self, outbound: &impl Outbound) -> Result<()> {
        match self.kind {
            ProviderType::Local => Ok(()),
            ProviderType::Vault => vault::test(self, outbound).await,
            ProviderType::Cloudify => cloudify::test(self, outbound).await,
        }
    }

    /// A parameter; empty for one that is not needed and was not given.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        let value = self.parameters.get(name).and_then(Value::as_str);
        value.unwrap_or_default()
    }

    /// Asks for a URL, which users chose: the outbound rule decides whether it may be.
    pub(crate) async fn get(
        &self,
        url: String,
        headers: Vec<(String, String)>,
        outbound: &impl Outbound,
    ) -> Result<OutboundResponse> {
        let allow_private = address::allows_private().await;
        address::check(&url, allow_private).map_err(|why| failed(&self.name, why))?;
        let request = OutboundRequest {
            method: "GET".into(),
            url,
            headers,
            body: Vec::new(),
            timeout: Some(PATIENCE),
        };
        let answer = outbound.send(request).await;
        answer.map_err(|why| failed(&self.name, why))
    }

    /// The JSON of an answer, by its status.
    ///
    /// # Errors
    /// 404 when what was asked for is not there, else 400 `failed_dependency`. What it answered is not
    /// told: there may be values in it.
    pub(crate) fn read(&self, key: &str, answer: &OutboundResponse) -> Result<Value> {
        match answer.status {
            200 => serde_json::from_slice(&answer.body)
                .map_err(|_| failed(&self.name, "its answer is no JSON")),
            404 => Err(self.has_no(key)),
            status => Err(failed(&self.name, format_args!("it answered {status}"))),
        }
    }

    /// 404: the provider has no value for a key.
    pub(crate) fn has_no(&self, key: &str) -> Error {
        Error::not_found(
            "Secret",
            format_args!("{key}` of the provider `{}", self.name),
        )
    }
}
