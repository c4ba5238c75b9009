-- Updates of deployments: which there were, and what the one that runs has to do.

create table deployment_updates (
    key integer primary key,
    -- `<deployment>-<uuid>`, or what a restored one was called.
    id text not null,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    deployment_key integer not null references deployments (key) on delete cascade,
    deployment_id text not null,
    -- A word of the API: updating, executing_workflow, finalizing, successful, failed, preview.
    state text not null,
    -- The execution that carries it out. Previews have none.
    execution_id text,
    old_blueprint_id text,
    new_blueprint_id text,
    old_inputs text not null default '{}',
    new_inputs text not null default '{}',
    runtime_only_evaluation integer not null default 0,
    -- What clients are shown of the changes, JSON by the names of the API: steps and the like.
    shown text not null default '{}',
    unique (tenant_name, id)
);
create index deployment_updates_by_tenant on deployment_updates (tenant_name, key, visibility, created_by);
create index deployment_updates_by_creation on deployment_updates (tenant_name, created_at, key);
create index deployment_updates_by_state on deployment_updates (tenant_name, state, key);
create index deployment_updates_by_deployment_id on deployment_updates (tenant_name, deployment_id, key);
create index deployment_updates_by_deployment on deployment_updates (deployment_key, key);
create index deployment_updates_by_id on deployment_updates (id);
create index deployment_updates_by_execution on deployment_updates (execution_id) where execution_id is not null;
create index deployment_updates_global on deployment_updates (key) where visibility = 'global';

-- What an update has to do with node instances. They are gone when it has succeeded; what one that failed
-- left undone is taken over by the next one.
create table deployment_update_instances (
    update_key integer not null references deployment_updates (key) on delete cascade,
    -- `added`, `removed`, `changed`; with a target `extended` and `reduced`.
    role text not null,
    instance_id text not null,
    -- The other end of a relationship that comes or goes, and the relationship's type.
    target_id text not null default '',
    type text not null default '',
    primary key (update_key, role, instance_id, target_id, type)
) without rowid;

-- What becomes of the deployment and of some of its nodes only later, because operations still need what
-- is there: texts by column, of nodes by their name. They are gone when the update is over.
create table deployment_update_columns (
    key integer primary key,
    update_key integer not null references deployment_updates (key) on delete cascade,
    -- Empty for the deployment itself.
    node_id text not null,
    name text not null,
    value text not null,
    unique (update_key, node_id, name)
);

-- However an execution ends, its update ends with it; success is said where it is made. One that is
-- resumed goes on.
create trigger deployment_updates_end after update of status on executions
    when new.workflow_id in ('update', 'csys_new_deployment_update') and new.status <> old.status begin
    update deployment_updates set state = case when new.status in ('failed', 'cancelled') then 'failed'
        when state = 'failed' and new.status in ('pending', 'started') then 'executing_workflow' else state end
    where execution_id = new.id and state not in ('successful', 'preview');
end;

-- Made by `Counts::triggers`, which a test compares with these.
create trigger deployment_updates_counted after insert on deployment_updates begin
    insert into row_counts values ('deployment_updates', new.tenant_name, new.state, '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger deployment_updates_uncounted after delete on deployment_updates begin
    insert into row_counts values ('deployment_updates', old.tenant_name, old.state, '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger deployment_updates_recounted after update of state, tenant_name, visibility, created_by on deployment_updates
    when (old.state, old.tenant_name, old.visibility, old.created_by) <> (new.state, new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('deployment_updates', old.tenant_name, old.state, '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('deployment_updates', new.tenant_name, new.state, '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
