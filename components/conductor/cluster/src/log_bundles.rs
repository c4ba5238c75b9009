//! `/log-bundles`: what the application knows about itself, as one archive for whoever helps.
//!
//! A bundle has the newest rows of what is written about executions, work and changes, and a report on the
//! state, of all tenants; nothing that is secret. Administrators of the system alone may have one. It is packed while the client waits, which takes
//! a second or two at its largest, and stored when it is whole.

use crate::{status, version};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::io::Write;
use tar::{Builder, Header};
use windlass_core::blob::Blob;
use windlass_core::db::{Db, KeptDb};
use windlass_core::{
    Body, Context, Error, Permission, Response, Result, Scope, Timestamp, ids, platform,
};
use windlass_store::blobs::{self, LooseBlobs, NewBlob};
use windlass_store::executions::EXECUTIONS;
use windlass_store::log_bundles::{self, LOG_BUNDLES, Table};
use windlass_store::tenants::DEFAULT_TENANT;

/// The most rows of one table.
const ROWS: usize = 20_000;
/// How many are read at a time.
const AT_ONCE: i64 = 500;
/// The most bytes of one table's file, which is in memory until it is packed.
const FILE_BYTES: usize = 8 << 20;

/// `GET /log-bundles`: those that there are.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_everywhere(Permission::LogBundleList)?;
    ctx.list(&LOG_BUNDLES, &scope).await
}

/// `GET /log-bundles/{log_bundle_id}`: one of them.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_everywhere(Permission::LogBundleGet)?;
    ctx.show(&LOG_BUNDLES, &scope, ctx.path("log_bundle_id"), 200)
        .await
}

/// `PUT /log-bundles/{log_bundle_id}`: packs one. The answer is the execution that did.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_everywhere(Permission::LogBundleCreate)?;
    let id = ctx.path("log_bundle_id");
    ids::check("log_bundle_id", id)?;
    // Nothing stands in the way of one, so none is ever queued.
    Body::of(ctx)?.boolean("queue")?;
    ctx.include(&EXECUTIONS)?;
    log_bundles::demand_free(&ctx.db, &scope, id).await?;
    let began = Timestamp::now();
    let execution = blobs::tidy_after(&ctx.db, async |blobs| {
        let archive = pack(&ctx.db, &scope, blobs, began).await?;
        let insert = async |tx: &_| log_bundles::insert(tx, &scope, id, &archive, began).await;
        ctx.db.transaction(insert).await
    })
    .await?;
    let its_scope = Scope::system(scope.username(), DEFAULT_TENANT);
    ctx.show(&EXECUTIONS, &its_scope, &execution, 201).await
}

/// `DELETE /log-bundles/{log_bundle_id}`: takes one away.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_everywhere(Permission::LogBundleDelete)?;
    let id = ctx.path("log_bundle_id");
    ctx.db
        .transaction(async |tx| {
            let bundle = log_bundles::find(tx, &scope, id).await?;
            log_bundles::delete(tx, &scope, &bundle).await
        })
        .await?;
    Ok(Response::empty(204))
}

/// `GET /log-bundles/{log_bundle_id}/archive`: the archive, a tar.gz.
pub async fn archive(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_everywhere(Permission::LogBundleDownload)?;
    let id = ctx.path("log_bundle_id");
    let bundle = log_bundles::find(&ctx.db, &scope, id).await?;
    let (blob, size) = log_bundles::archive(&ctx.db, &bundle).await?;
    let name = format!("attachment; filename=\"{id}.tar.gz\"");
    let response = Response::blob(200, "application/octet-stream", &blob, size);
    Ok(response.header("content-disposition", name))
}

/// Packs the files of a bundle, each as soon as it is made.
async fn pack(db: &impl Db, scope: &Scope, blobs: &LooseBlobs, now: Timestamp) -> Result<Blob> {
    let mut packing = Packing {
        builder: Builder::new(GzEncoder::new(Vec::new(), Compression::fast())),
        new: NewBlob::begin(db, blobs).await?,
        now,
    };
    let about = log_bundles::about(now, env!("CARGO_PKG_VERSION"));
    let report = status::report(db, scope).await;
    let state = json!({ "about": about, "serves": version::CONDUCTOR, "status": report });
    let state = serde_json::to_vec_pretty(&state).map_err(Error::internal)?;
    packing.file(db, "state.json", &state).await?;
    for table in Table::ALL {
        let text = table_text(db, scope, *table).await?;
        packing
            .file(db, &format!("{}.jsonl", table.name()), text.as_bytes())
            .await?;
    }
    packing.finish(db).await
}

/// The newest rows of a table, a line each.
async fn table_text(db: &impl Db, scope: &Scope, table: Table) -> Result<String> {
    let (mut text, mut count, mut before) = (String::new(), 0, i64::MAX);
    loop {
        let (rows, next) = log_bundles::rows(db, scope, table, before, AT_ONCE).await?;
        for row in &rows {
            if count == ROWS || text.len() + row.len() > FILE_BYTES {
                return Ok(text);
            }
            text.push_str(row);
            text.push('\n');
            count += 1;
        }
        match next {
            Some(place) => before = place,
            None => return Ok(text),
        }
    }
}

/// An archive that is being written.
struct Packing {
    builder: Builder<GzEncoder<Vec<u8>>>,
    new: NewBlob,
    now: Timestamp,
}

impl Packing {
    async fn file(&mut self, db: &impl Db, name: &str, content: &[u8]) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        header.set_mtime(u64::try_from(self.now.millis() / 1000).unwrap_or(0));
        let path = format!("windlass-logs/{name}");
        self.builder
            .append_data(&mut header, path, content)
            .map_err(Error::internal)?;
        let packed = std::mem::take(self.builder.get_mut().get_mut());
        self.new.write(db, &packed).await?;
        platform::pause().await;
        Ok(())
    }

    async fn finish(mut self, db: &impl Db) -> Result<Blob> {
        let mut packed = self.builder.into_inner().map_err(Error::internal)?;
        packed.flush().map_err(Error::internal)?;
        let rest = packed.finish().map_err(Error::internal)?;
        self.new.write(db, &rest).await?;
        self.new.finish().await
    }
}
