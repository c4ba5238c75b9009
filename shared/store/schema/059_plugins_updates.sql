-- Updates of plugins: which there were, and how far the one that runs is.

create table plugins_updates (
    key integer primary key,
    id text not null,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    -- The blueprint whose deployments get other plugins. Its history goes with it.
    blueprint_key integer not null references blueprints (key) on delete cascade,
    blueprint_id text not null,
    -- The copy of it that deployments have until the end.
    temp_blueprint_key integer references blueprints (key) on delete set null,
    temp_blueprint_id text,
    -- A word of the API: updating, executing_workflow, finalizing, successful, failed, no_changes_required.
    state text not null,
    -- The execution that carries it out.
    execution_id text,
    forced integer not null default 0,
    all_tenants integer not null default 0,
    unique (tenant_name, id)
);
create index plugins_updates_by_tenant on plugins_updates (tenant_name, key, visibility, created_by);
create index plugins_updates_by_creation on plugins_updates (tenant_name, created_at, key);
create index plugins_updates_by_state on plugins_updates (tenant_name, state, key);
create index plugins_updates_by_blueprint_id on plugins_updates (tenant_name, blueprint_id, key);
create index plugins_updates_by_id on plugins_updates (id);
create index plugins_updates_by_blueprint on plugins_updates (blueprint_key, key);
create index plugins_updates_by_temp_blueprint on plugins_updates (temp_blueprint_key) where temp_blueprint_key is not null;
create index plugins_updates_by_execution on plugins_updates (execution_id) where execution_id is not null;
create index plugins_updates_global on plugins_updates (key) where visibility = 'global';

-- The deployments of an update, in the order in which they are updated.
create table plugins_update_deployments (
    key integer primary key,
    update_key integer not null references plugins_updates (key) on delete cascade,
    -- None for one that was deleted, and in the record of an update that was made elsewhere.
    deployment_key integer references deployments (key) on delete set null,
    tenant_name text not null,
    deployment_id text not null,
    state text not null check (state in ('waiting', 'started', 'successful', 'failed', 'skipped')),
    -- The execution that updates it, once that was begun.
    execution_id text,
    unique (update_key, tenant_name, deployment_id)
);
create index plugins_update_deployments_by_state on plugins_update_deployments (update_key, state, key);
create index plugins_update_deployments_by_deployment on plugins_update_deployments (deployment_key);
create index plugins_update_deployments_by_execution on plugins_update_deployments (execution_id) where execution_id is not null;

-- However the execution of an update ends, the update ends with it; success is said where it is made. One
-- that is resumed goes on.
create trigger plugins_updates_end after update of status on executions
    when new.workflow_id = 'update_plugin' and new.status <> old.status begin
    update plugins_updates set state = case when new.status in ('failed', 'cancelled') then 'failed'
        when state = 'failed' and new.status in ('pending', 'started') then 'executing_workflow' else state end
    where execution_id = new.id and state not in ('successful', 'no_changes_required');
end;

-- Whoever ends the update of a deployment, in whatever way, cannot forget who waits for it.
create trigger plugins_updates_go_on after update of status on executions
    when new.status in ('terminated', 'failed', 'cancelled') and old.status <> new.status
        and exists (select 1 from plugins_update_deployments where execution_id = new.id) begin
    insert into queue (kind, subject, not_before, created_at, tenant_name)
    select 'execution', u.execution_id,
        coalesce(cast((julianday(new.ended_at) - 2440587.5) * 86400000 as integer), 0),
        strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), u.tenant_name
    from plugins_update_deployments d cross join plugins_updates u on u.key = d.update_key
    where d.execution_id = new.id and d.state = 'started' and u.execution_id is not null
    on conflict (kind, subject) do update set not_before = min(not_before, excluded.not_before);
end;
create trigger plugins_updates_go_on_without after delete on executions
    when exists (select 1 from plugins_update_deployments where execution_id = old.id) begin
    insert into queue (kind, subject, not_before, created_at, tenant_name)
    select 'execution', u.execution_id, 0, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), u.tenant_name
    from plugins_update_deployments d cross join plugins_updates u on u.key = d.update_key
    where d.execution_id = old.id and d.state = 'started' and u.execution_id is not null
    on conflict (kind, subject) do update set not_before = min(not_before, excluded.not_before);
end;

-- Deployments may have the copy already, so it is shown when nothing else tells of it.
create trigger plugins_updates_show_copy after delete on plugins_updates
    when old.temp_blueprint_key is not null begin
    update blueprints set is_hidden = 0 where key = old.temp_blueprint_key and is_hidden = 1;
end;

-- The execution finds out that there is nothing left to do.
create trigger plugins_updates_are_gone after delete on plugins_updates
    when exists (select 1 from executions where id = old.execution_id
        and status not in ('terminated', 'failed', 'cancelled')) begin
    insert into queue (kind, subject, not_before, created_at, tenant_name)
    select 'execution', old.execution_id, 0, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), old.tenant_name where true
    on conflict (kind, subject) do update set not_before = min(not_before, excluded.not_before);
end;

-- Made by `Counts::triggers`, which a test compares with these.
create trigger plugins_updates_counted after insert on plugins_updates begin
    insert into row_counts values ('plugins_updates', new.tenant_name, new.state, '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger plugins_updates_uncounted after delete on plugins_updates begin
    insert into row_counts values ('plugins_updates', old.tenant_name, old.state, '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger plugins_updates_recounted after update of state, tenant_name, visibility, created_by on plugins_updates
    when (old.state, old.tenant_name, old.visibility, old.created_by) <> (new.state, new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('plugins_updates', old.tenant_name, old.state, '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('plugins_updates', new.tenant_name, new.state, '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
