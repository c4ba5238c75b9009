-- What clients ask about the cluster: its nodes, whether it is being maintained, what tools keep here.

-- Brokers that operators have told us about. The first is the queue, which is a table of this database.
create table brokers (
    key integer primary key,
    name text not null unique,
    host text not null unique,
    port integer not null,
    networks text not null,
    is_external integer not null
);
insert into brokers (key, name, host, port, networks, is_external) values
    (0, 'windlass', '127.0.0.1', 5671, '{"default":"127.0.0.1"}', 0);

-- Whether the application is being maintained. For every request's caller it is read together with the
-- version of identity, which costs nothing more.
alter table identity_version add column maintenance text not null default 'deactivated'
    check (maintenance in ('deactivated', 'activating', 'activated'));
create table maintenance (
    only integer primary key check (only = 1),
    activation_requested_at text,
    activated_at text,
    requested_by text
);
insert into maintenance (only) values (1);

-- What tools that set up managers keep here for each other: a name and JSON.
create table provider_context (
    only integer primary key check (only = 1),
    name text not null,
    context text not null
);

-- Measurements of executions that clients report.
create table metrics (
    key integer primary key,
    id text not null,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    blueprint_id text not null,
    deployment_id text not null,
    execution_id text not null,
    timestamp text not null,
    name text not null,
    value text not null,
    unique (tenant_name, id)
);
create index metrics_by_tenant on metrics (tenant_name, key, visibility, created_by);
create index metrics_by_deployment on metrics (tenant_name, deployment_id, key);
create index metrics_by_execution on metrics (tenant_name, execution_id, key);
create index metrics_by_name on metrics (tenant_name, name, key);
create index metrics_by_time on metrics (tenant_name, timestamp, key);
create index metrics_global on metrics (key, created_by) where visibility = 'global';

-- Made by `Counts::triggers`, which a test compares with these.
create trigger metrics_counted after insert on metrics begin
    insert into row_counts values ('metrics', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger metrics_uncounted after delete on metrics begin
    insert into row_counts values ('metrics', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger metrics_recounted after update of tenant_name, visibility, created_by on metrics
    when (old.tenant_name, old.visibility, old.created_by) <> (new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('metrics', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('metrics', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;

-- When a tick of the queue began last, in milliseconds: a scheduler that has stopped is told from one
-- that has nothing to do.
create table scheduler_ticks (
    only integer primary key check (only = 1),
    at integer not null
);
insert into scheduler_ticks (only, at) values (1, 0);

-- The audit trail in the words of its API: what was done to a row of which table, and by which execution.
alter table audit_log add column operation text not null default 'update';
alter table audit_log add column ref_table text not null default '';
alter table audit_log add column execution_id text;
update audit_log set
    operation = case
        when action glob '*delete*' or action glob '*remove*' or action glob '*revoke*' then 'delete'
        when action glob '*create*' or action glob '*upload*' or action glob '*add*' or action glob '*start*' then 'create'
        else 'update' end,
    ref_table = coalesce('{"NodeInstance":"node_instances","TasksGraph":"tasks_graphs"}' ->> target_type,
        lower(target_type) || 's');
create index audit_log_by_time on audit_log (created_at, key);
create index audit_log_by_execution on audit_log (execution_id, created_at) where execution_id is not null;

insert into row_counts (counts, tenant_name, first, second, visibility, created_by, rows)
select 'audit_log', '', '', '', '', '', count(*) from audit_log having count(*) > 0;
create trigger audit_log_counted after insert on audit_log begin
    insert into row_counts values ('audit_log', '', '', '', '', '', 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger audit_log_uncounted after delete on audit_log begin
    insert into row_counts values ('audit_log', '', '', '', '', '', -1)
    on conflict do update set rows = rows + excluded.rows;
end;

-- Log bundles: what the application knows about itself, packed for whoever helps.
create table log_bundles (
    key integer primary key,
    id text not null unique,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    status text not null,
    error text,
    archive_blob text,
    archive_size integer
);
create index log_bundles_by_creation on log_bundles (created_at, key);
create trigger log_bundles_let_go_of_blob after delete on log_bundles when old.archive_blob is not null begin
    insert or ignore into loose_blobs (id, chunks, touched_at) values (
        old.archive_blob, (old.archive_size + 1048575) / 1048576,
        cast(unixepoch('subsec') * 1000 as integer));
end;
create trigger log_bundles_change_blob after update of archive_blob on log_bundles
    when old.archive_blob is not null and old.archive_blob is not new.archive_blob begin
    insert or ignore into loose_blobs (id, chunks, touched_at) values (
        old.archive_blob, (old.archive_size + 1048575) / 1048576,
        cast(unixepoch('subsec') * 1000 as integer));
end;
