//! `/snapshots/{snapshot_id}/archive`: snapshots on their way to and from other applications.

use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::outbound::download::{self, ArchiveUrl, Problem};
use windlass_core::stream::BodyStream;
use windlass_core::{
    Context, Error, Kind, Permission, Response, Result, Scope, Timestamp, ids, log,
};
use windlass_snapshot::opened::Opened;
use windlass_snapshot::snapshots::{self, SNAPSHOTS, Snapshot};
use windlass_store::blobs::{self, Incoming, LooseBlobs};
use windlass_store::{config, resource};

/// The setting for how large an archive may be.
const SIZE_SETTING: &str = "snapshot_archive_max_size_mb";

/// The longest body that can be JSON which names a URL.
const URL_BODY: usize = 8192;

/// `GET /snapshots/{snapshot_id}/archive`: the archive, a zip.
pub async fn download(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SnapshotDownload)?;
    let id = ctx.path("snapshot_id");
    let snapshot: Snapshot = resource::find(&ctx.db, &scope, id).await?;
    let archive = snapshots::archive(&ctx.db, &snapshot, "downloaded").await?;
    let name = format!("attachment; filename=\"{id}.zip\"");
    let response = Response::blob(200, "application/octet-stream", &archive.blob, archive.size);
    Ok(response.header("content-disposition", name))
}

/// `PUT /snapshots/{snapshot_id}/archive`: an archive as a snapshot, from the body or from a URL. One that
/// is there already gets the archive in the place of its own.
pub async fn upload(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SnapshotUpload)?;
    let id = ctx.path("snapshot_id");
    ids::check("snapshot_id", id)?;
    ctx.include(&SNAPSHOTS)?;
    let url = ctx.request.query_value("snapshot_archive_url");
    let work = async |blobs: &LooseBlobs| store(ctx, &scope, id, url, blobs).await;
    let is_new = blobs::tidy_after(&ctx.db, work).await;
    if let Err(error) = blobs::sweep(&ctx.db, Timestamp::now()).await {
        log::error("the sweep of blobs failed", &error);
    }
    match is_new? {
        true => ctx.show(&SNAPSHOTS, &scope, id, 201).await,
        false => Response::json(201, &json!({})),
    }
}

async fn store(
    ctx: &Context<impl Db>,
    scope: &Scope,
    id: &str,
    url: Option<&str>,
    blobs: &LooseBlobs,
) -> Result<bool> {
    let megabytes = config::integer(&ctx.db, SIZE_SETTING)
        .await?
        .unwrap_or(10_000);
    let megabytes = u64::try_from(megabytes).unwrap_or_default();
    let too_large = Error::new(
        Kind::PayloadTooLarge,
        format!("The snapshot is larger than the allowed {megabytes} MB (setting {SIZE_SETTING})"),
    );
    let most = megabytes.saturating_mul(1 << 20);
    let mut incoming = Incoming::new(&ctx.db, blobs, most, too_large);
    let url = match url.filter(|url| !url.is_empty()) {
        Some(url) => Some(url.to_owned()),
        None => receive(ctx, &mut incoming).await?,
    };
    if let Some(url) = url {
        fetch(&url, &mut incoming).await?;
    }
    let arrived = incoming.finish().await?;
    let arrived =
        arrived.ok_or_else(|| Error::bad_parameters("The request carries no snapshot archive"))?;
    // What cannot be restored is refused here; its rows are looked at when it is.
    Opened::open(&ctx.db, &arrived.blob.id, arrived.blob.size).await?;
    ctx.db
        .transaction(async |tx| snapshots::insert_uploaded(tx, scope, id, &arrived.blob).await)
        .await
}

/// Takes the body: the archive itself, or JSON with the URL of one, which is answered.
async fn receive<D: Db>(
    ctx: &Context<D>,
    incoming: &mut Incoming<'_, D>,
) -> Result<Option<String>> {
    let body = match ctx.request.body.is_empty() {
        true => None,
        false => Some(BodyStream::of_bytes(ctx.request.body.clone())),
    };
    let body = body.as_ref().unwrap_or(&ctx.request.stream);
    let mut beginning = Vec::new();
    while let Some(bytes) = body.next().await? {
        if incoming.is_begun() {
            incoming.add(&bytes).await?;
            continue;
        }
        beginning.extend_from_slice(&bytes);
        if beginning.len() > URL_BODY || beginning.first() != Some(&b'{') {
            incoming.add(&std::mem::take(&mut beginning)).await?;
        }
    }
    let named = serde_json::from_slice::<Value>(&beginning).ok();
    let named = named
        .as_ref()
        .and_then(|named| named.get("snapshot_archive_url"));
    if let Some(url) = named.and_then(Value::as_str) {
        return Ok(Some(url.to_owned()));
    }
    incoming.add(&beginning).await?;
    Ok(None)
}

async fn fetch(url: &str, incoming: &mut Incoming<'_, impl Db>) -> Result<()> {
    let failed = |why: String| {
        Error::bad_parameters(format!(
            "The snapshot archive could not be downloaded: {why}"
        ))
    };
    download::demand_no_user_info(url)?;
    let url = ArchiveUrl::parse(url).await.map_err(failed)?;
    let downloading = url.download(download::WHILE_WAITED_FOR, incoming);
    downloading.await.map_err(|problem| match problem {
        Problem::Server(reason) => failed(reason),
        Problem::Here(error) => error,
    })
}
