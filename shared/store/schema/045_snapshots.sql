-- Snapshots: archives of the application's state, made here or uploaded.
--
-- They are no part of that state: what is restored leaves this table as it is. So a row's tenant may be
-- gone afterwards, and no foreign key says otherwise.
create table snapshots (
    key integer primary key,
    id text not null,
    tenant_name text not null,
    created_by text not null,
    visibility text not null,
    created_at text not null,
    status text not null check (status in ('creating', 'created', 'failed', 'uploaded')),
    error text not null default '',
    -- The archive in the key-value store; none while it is made, and when that failed.
    archive_blob text,
    archive_size integer,
    archive_sha256 text,
    unique (tenant_name, id)
);
create index snapshots_by_tenant on snapshots (tenant_name, key, visibility, created_by);
create index snapshots_by_creation on snapshots (tenant_name, created_at, key);
create index snapshots_by_id on snapshots (id);

create trigger snapshots_let_go_of_blob after delete on snapshots when old.archive_blob is not null begin
    insert or ignore into loose_blobs (id, chunks, touched_at) values (
        old.archive_blob, (old.archive_size + 1048575) / 1048576,
        cast(unixepoch('subsec') * 1000 as integer));
end;
create trigger snapshots_change_blob after update of archive_blob on snapshots
    when old.archive_blob is not null and old.archive_blob is not new.archive_blob begin
    insert or ignore into loose_blobs (id, chunks, touched_at) values (
        old.archive_blob, (old.archive_size + 1048575) / 1048576,
        cast(unixepoch('subsec') * 1000 as integer));
end;

-- One is looked for whenever something may not happen while a snapshot is made or restored.
create index executions_of_snapshots on executions (workflow_id, status)
    where workflow_id in ('create_snapshot', 'restore_snapshot');

-- How large an archive that is uploaded may be.
insert into config (scope, name, value, schema, is_editable, admin_only) values
    ('rest', 'snapshot_archive_max_size_mb', '10000', '{"type":"integer","minimum":1,"maximum":100000}', 1, 0);
