//! `POST /plugins`: from an archive to a plugin, or to several.
//!
//! Nothing is installed by it: whoever runs operations takes the wagon when it needs it.

use crate::package::{self, Found, invalid};
use serde_json::{Map, Value, json};
use windlass_blueprint::archive::{ArchiveError, Limits};
use windlass_core::db::{Db, KeptDb};
use windlass_core::list::ListQuery;
use windlass_core::outbound::download::{self, ArchiveUrl, Problem};
use windlass_core::stream::BodyStream;
use windlass_core::{
    Body, Context, Error, Kind, Permission, Response, Result, Scope, Timestamp, ids, log,
};
use windlass_store::blobs::{self, Arrived, Incoming, LooseBlobs};
use windlass_store::config;
use windlass_store::plugins::{self, NewPlugin, PLUGINS};
use windlass_store::resource::New;

/// The setting for how large an archive may be.
const SIZE_SETTING: &str = "plugin_archive_max_size_mb";

/// What an archive may unpack to, as a multiple of what it may have itself.
const EXPANSION: u64 = 4;

/// `POST /plugins`: upload a wagon, a zip of a wagon and its YAML files, or a bundle of these.
pub async fn upload(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::PluginUpload)?;
    ctx.include(&PLUGINS)?;
    let request = UploadRequest::read(ctx, &scope).await?;
    plugins::demand_no_snapshot(&ctx.db).await?;
    let work = async |blobs: &LooseBlobs| store(ctx, &scope, &request, blobs).await;
    let stored = blobs::tidy_after(&ctx.db, work).await;
    if let Err(error) = blobs::sweep(&ctx.db, Timestamp::now()).await {
        log::error("the sweep of blobs failed", &error);
    }
    match stored? {
        Stored::One(id) => ctx.show(&PLUGINS, &scope, &id, 201).await,
        Stored::Several(ids) => {
            let mut query = ListQuery::parse(&PLUGINS, &ctx.request, &PARAMETERS)?;
            let condition = "t.id in (select value from json_each({}))";
            query.and(condition, [(&json!(ids)).into()]);
            let mut response = ctx.page(&PLUGINS, &scope, &query).await?;
            response.status = 201;
            Ok(response)
        }
    }
}

/// What the query may hold besides the parameters of lists.
const PARAMETERS: [&str; 7] = [
    "plugin_archive_url",
    "title",
    "visibility",
    "private_resource",
    "id",
    "uploaded_at",
    "created_by",
];

/// An upload as the query asks for it.
struct UploadRequest {
    url: Option<String>,
    title: Option<String>,
    new: New,
}

impl UploadRequest {
    async fn read(ctx: &Context<impl Db>, scope: &Scope) -> Result<Self> {
        let value = |name: &str| {
            let text = ctx.request.query_value(name);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let mut given = Map::new();
        for (name, parameter) in [
            ("visibility", "visibility"),
            ("private_resource", "private_resource"),
            ("created_at", "uploaded_at"),
            ("created_by", "created_by"),
        ] {
            given.insert(
                name.to_owned(),
                value(parameter).map_or(Value::Null, Value::from),
            );
        }
        let given = Body::from(given);
        let id = value("id");
        // Ids that are given are those of plugins that are restored: UUIDs, which need no letter first.
        if let Some(id) = &id {
            ids::check_characters("id", id)?;
        }
        let chosen = format!("p-{}", ids::new_uuid());
        let mut new = New::read(&ctx.db, scope, ("id", &chosen), &given).await?;
        new.id = id.unwrap_or_else(ids::new_uuid);
        new.visibility.demand_permitted(scope)?;
        let url = value("plugin_archive_url");
        url.as_deref()
            .map_or(Ok(()), download::demand_no_user_info)?;
        let title = value("title");
        if title
            .as_ref()
            .is_some_and(|title| title.chars().count() > ids::MAX_LENGTH)
        {
            return Err(Error::bad_parameters(format!(
                "The `title` argument is too long. Maximum allowed length is {} characters",
                ids::MAX_LENGTH
            )));
        }
        Ok(Self { url, title, new })
    }
}

/// The ids of what was stored.
enum Stored {
    One(String),
    Several(Vec<String>),
}

async fn store(
    ctx: &Context<impl Db>,
    scope: &Scope,
    request: &UploadRequest,
    blobs: &LooseBlobs,
) -> Result<Stored> {
    let limits = UploadLimits::read(&ctx.db).await?;
    let arrived = receive(ctx, request, &limits, blobs).await?;
    let found = package::read(&ctx.db, blobs, arrived, &limits).await?;
    let titled = |mut plugin: NewPlugin| {
        plugin.title = request.title.clone();
        plugin
    };
    let (plugins, is_one) = match found {
        Found::One(plugin) => (vec![(request.new.clone(), titled(*plugin))], true),
        // One title and one id cannot be those of several.
        Found::Several(plugins) => {
            let new = || New {
                id: ids::new_uuid(),
                ..request.new.clone()
            };
            (
                plugins.into_iter().map(|plugin| (new(), plugin)).collect(),
                false,
            )
        }
    };
    ctx.db
        .transaction(async |tx| {
            plugins::demand_no_snapshot(tx).await?;
            for (new, plugin) in &plugins {
                plugins::insert(tx, scope, new, plugin).await?;
            }
            Ok(())
        })
        .await?;
    let mut ids = plugins.into_iter().map(|(new, _)| new.id);
    Ok(match ids.next() {
        Some(id) if is_one => Stored::One(id),
        first => Stored::Several(first.into_iter().chain(ids).collect()),
    })
}

/// Takes the archive from the body, or from the server that has it.
async fn receive(
    ctx: &Context<impl Db>,
    request: &UploadRequest,
    limits: &UploadLimits,
    blobs: &LooseBlobs,
) -> Result<Arrived> {
    let mut incoming = Incoming::new(&ctx.db, blobs, limits.bytes(), limits.too_large());
    match &request.url {
        None if ctx.request.body.is_empty() => incoming.add_all(&ctx.request.stream).await?,
        None => {
            let body = BodyStream::of_bytes(ctx.request.body.clone());
            incoming.add_all(&body).await?;
        }
        Some(url) => {
            let failed = |why: String| {
                Error::bad_parameters(format!("The plugin archive could not be downloaded: {why}"))
            };
            let url = ArchiveUrl::parse(url).await.map_err(failed)?;
            let downloading = url.download(download::WHILE_WAITED_FOR, &mut incoming);
            downloading.await.map_err(|problem| match problem {
                Problem::Server(reason) => failed(reason),
                Problem::Here(error) => error,
            })?;
        }
    }
    let arrived = incoming.finish().await?;
    arrived.ok_or_else(|| Error::bad_parameters("The request carries no plugin archive"))
}

/// How large an archive may be, as it is set now.
#[derive(Clone, Copy, Debug)]
pub struct UploadLimits {
    megabytes: u64,
}

impl UploadLimits {
    async fn read(db: &impl Db) -> Result<Self> {
        let size = config::integer(db, SIZE_SETTING).await?;
        let positive = |size: i64| u64::try_from(size).ok().filter(|size| *size > 0);
        Ok(Self {
            megabytes: size.and_then(positive).unwrap_or(500),
        })
    }

    fn bytes(&self) -> u64 {
        self.megabytes.saturating_mul(1 << 20)
    }

    /// The limits for reading one to its end. Of texts no more is kept than a table of contents needs.
    pub fn unpacking(&self) -> Limits {
        Limits {
            max_files: 20_000,
            max_unpacked_bytes: self.bytes().saturating_mul(EXPANSION),
            ..Limits::default()
        }
    }

    fn too_large(&self) -> Error {
        Error::new(
            Kind::PayloadTooLarge,
            format!(
                "The plugin archive is larger than the allowed {} MB (setting {SIZE_SETTING})",
                self.megabytes
            ),
        )
    }

    /// What is said about an archive that was refused.
    pub fn refusal(&self, error: &ArchiveError) -> Error {
        match error {
            ArchiveError::TooLarge(_) => invalid(format!(
                "The plugin archive unpacks to more than the allowed {} MB, {EXPANSION} times the setting \
                 {SIZE_SETTING}",
                self.megabytes.saturating_mul(EXPANSION)
            )),
            error => invalid(error.to_string()),
        }
    }
}
