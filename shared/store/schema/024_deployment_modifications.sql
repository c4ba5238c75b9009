-- Modifications of deployments: other numbers of node instances, tried and then kept or taken back.

create table deployment_modifications (
    key integer primary key,
    id text not null unique,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    ended_at text,
    deployment_key integer not null references deployments (key) on delete cascade,
    deployment_id text not null,
    status text not null,
    -- By node or scaling group: the number asked for, and hints about what to remove.
    modified_nodes text not null,
    -- Whatever the client wants to be kept with it.
    context text not null
);
-- A deployment has one under way at most.
create unique index deployment_modifications_started on deployment_modifications (deployment_key) where status = 'started';
create index deployment_modifications_by_tenant on deployment_modifications (tenant_name, key, visibility, created_by);
create index deployment_modifications_by_deployment on deployment_modifications (deployment_id, key);
create index deployment_modifications_by_deployment_key on deployment_modifications (deployment_key);
create index deployment_modifications_by_creation on deployment_modifications (tenant_name, created_at, key);
create index deployment_modifications_by_status on deployment_modifications (tenant_name, status, key);
create index deployment_modifications_global on deployment_modifications (key) where visibility = 'global';

-- The instances that a modification is about, as they were then: those that come or go, and those that
-- are related to them. A modification can be about thousands, so each has a row.
create table modified_instances (
    modification_key integer not null references deployment_modifications (key) on delete cascade,
    -- added_and_related, removed_and_related, before_modification or before_rollback.
    part text not null,
    number integer not null,
    instance_id text not null,
    -- added or removed; null for what is only related.
    modification text,
    -- As clients see it. With what comes or goes, a related one has its relationships to that only.
    instance text not null,
    primary key (modification_key, part, number)
) without rowid;
create index modified_instances_by_id on modified_instances (modification_key, part, instance_id);

create trigger deployment_modifications_counted after insert on deployment_modifications begin
    insert into row_counts values ('deployment_modifications', new.tenant_name, new.status, '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger deployment_modifications_uncounted after delete on deployment_modifications begin
    insert into row_counts values ('deployment_modifications', old.tenant_name, old.status, '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger deployment_modifications_recounted after update of status, tenant_name, visibility, created_by on deployment_modifications
    when (old.status, old.tenant_name, old.visibility, old.created_by) <> (new.status, new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('deployment_modifications', old.tenant_name, old.status, '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('deployment_modifications', new.tenant_name, new.status, '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
