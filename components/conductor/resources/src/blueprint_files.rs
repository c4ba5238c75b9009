//! `/resources/blueprints`: single files of a blueprint's archive. The original unpacks archives onto a disk that a
//! file server shows; here a file is read out of its archive each time, which nothing has to be kept for.

use windlass_blueprint::archive::{ArchiveError, Content, content};
use windlass_core::db::Db;
use windlass_core::{Context, Error, Kind, Permission, Response, Result, blob, limits, platform};
use windlass_store::blueprints;

/// The largest file that is answered, in bytes: it is in memory as a whole.
const LARGEST: usize = 32 << 20;

/// `GET /resources/blueprints/{tenant_name}/{blueprint_id}/{file}`: a file of a blueprint that the caller sees,
/// or of a directory the names of all files in it. The tenant is the blueprint's own.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::FileServerAuth)?;
    let path = ctx.path("file");
    let unknown = || Error::not_found("File", path);
    let blueprint = blueprints::find(&ctx.db, &scope, ctx.path("blueprint_id")).await?;
    if blueprint.tenant_name != ctx.path("tenant_name") {
        return Err(Error::not_found("Blueprint", &blueprint.id));
    }
    // An archive that nobody has looked through may be anything.
    if !blueprint.state.is_usable() {
        return Err(unknown());
    }
    let archive = blueprint.archive.as_ref().ok_or_else(unknown)?;
    let reader = blob::Reader::new(&archive.blob, archive.size);
    let found = content(reader, path, LARGEST as u64, platform::pause).await;
    match found.map_err(unreadable)? {
        Content::File(bytes) => Ok(Response::bytes(200, "application/octet-stream", bytes)),
        Content::Directory(names) => {
            let names: serde_json::Map<String, serde_json::Value> =
                names.into_iter().map(|name| (name, true.into())).collect();
            Response::json(200, &names)
        }
        Content::TooLarge => Err(limits::too_large(LARGEST)),
        Content::Absent => Err(unknown()),
    }
}

fn unreadable(error: ArchiveError) -> Error {
    let text = format!("The blueprint's archive cannot be read: {error}");
    Error::new(Kind::BadParameters, text)
}
