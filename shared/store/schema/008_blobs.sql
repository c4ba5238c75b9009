-- Blobs in the key-value store that no row names: not yet, or not any more.
--
-- A blob is entered here before its first chunk is written, and leaves in the transaction that
-- stores the row naming it. When that row goes or names another, the blob comes back. What stays
-- here for an hour belongs to nobody and is swept.
create table loose_blobs (
    id text primary key,
    -- How many chunks there may be; raised before they are written.
    chunks integer not null,
    -- Milliseconds since 1970; of the last sign of life.
    touched_at integer not null,
    -- Set by whoever removes it: from then on nobody may write it or name it.
    is_swept integer not null default 0
) without rowid;
create index loose_blobs_by_time on loose_blobs (touched_at);

create trigger blueprints_let_go_of_blob after delete on blueprints
    when old.archive_blob is not null
    begin
        insert or ignore into loose_blobs (id, chunks, touched_at) values (
            old.archive_blob, (old.archive_size + 1048575) / 1048576,
            cast(unixepoch('subsec') * 1000 as integer));
    end;

create trigger blueprints_change_blob after update of archive_blob on blueprints
    when old.archive_blob is not null and old.archive_blob is not new.archive_blob
    begin
        insert or ignore into loose_blobs (id, chunks, touched_at) values (
            old.archive_blob, (old.archive_size + 1048575) / 1048576,
            cast(unixepoch('subsec') * 1000 as integer));
    end;
