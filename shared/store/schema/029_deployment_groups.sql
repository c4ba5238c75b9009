-- Groups of deployments, runs of a workflow on all members of one, and what components wait for.

create table deployment_groups (
    key integer primary key,
    id text not null,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    description text,
    default_blueprint_key integer references blueprints (key) on delete set null,
    default_inputs text not null default '{}',
    -- The next `count` of an id that is made from a template.
    creation_counter integer not null default 0,
    unique (tenant_name, id)
);
create index deployment_groups_by_tenant on deployment_groups (tenant_name, key, visibility, created_by);
create index deployment_groups_by_id on deployment_groups (id);
create index deployment_groups_by_creation on deployment_groups (tenant_name, created_at, key);
create index deployment_groups_by_blueprint on deployment_groups (default_blueprint_key) where default_blueprint_key is not null;
create index deployment_groups_global on deployment_groups (key, created_by) where visibility = 'global';

create table deployment_group_members (
    group_key integer not null references deployment_groups (key) on delete cascade,
    deployment_key integer not null references deployments (key) on delete cascade,
    primary key (group_key, deployment_key)
) without rowid;
create index deployment_group_members_by_deployment on deployment_group_members (deployment_key, group_key);

-- Which labels deployments get when they become members.
create table deployment_group_labels (
    group_key integer not null references deployment_groups (key) on delete cascade,
    key text not null,
    value text not null,
    created_at text not null,
    created_by text not null,
    primary key (group_key, key, value)
) without rowid;

create table execution_groups (
    key integer primary key,
    id text not null unique,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    workflow_id text not null,
    deployment_group_key integer references deployment_groups (key) on delete set null,
    -- How many of its executions may run at a time; with 0 none begins.
    concurrency integer not null,
    -- Where the deployments go whose executions succeed, or fail.
    success_group_key integer references deployment_groups (key) on delete set null,
    failure_group_key integer references deployment_groups (key) on delete set null,
    -- How many of its executions are in which class of statuses, kept by triggers: what its status and who
    -- may begin next are read from. `waiting` are those that are queued, `pending` those about to run,
    -- `running` all that are active.
    executions integer not null default 0,
    waiting integer not null default 0,
    pending integer not null default 0,
    running integer not null default 0,
    ended integer not null default 0,
    failed integer not null default 0
);
create index execution_groups_by_tenant on execution_groups (tenant_name, key, visibility, created_by);
create index execution_groups_by_creation on execution_groups (tenant_name, created_at, key);
create index execution_groups_by_workflow on execution_groups (tenant_name, workflow_id, key);
create index execution_groups_by_group on execution_groups (deployment_group_key, key) where deployment_group_key is not null;
create index execution_groups_by_success on execution_groups (success_group_key) where success_group_key is not null;
create index execution_groups_by_failure on execution_groups (failure_group_key) where failure_group_key is not null;
create index execution_groups_global on execution_groups (key, created_by) where visibility = 'global';
-- Those of which one may begin.
create index execution_groups_open on execution_groups (key) where waiting > 0 and running < concurrency;

alter table executions add column execution_group_key integer references execution_groups (key);
create index executions_by_group on executions (execution_group_key, key, status) where execution_group_key is not null;
-- What waits, in the order in which it begins: of a group by itself, because a group may have to wait as a whole.
create index executions_waiting on executions (is_system_workflow, workflow_id <> 'create_deployment_environment', key)
    where status = 'queued' and execution_group_key is null;
create index executions_waiting_in_group on executions (execution_group_key, key)
    where status = 'queued' and execution_group_key is not null;

-- What happened to a group as a whole, such as a member without the workflow. There are few, so they are kept
-- apart from the events of executions.
create table execution_group_events (
    key integer primary key,
    execution_group_key integer not null references execution_groups (key) on delete cascade,
    -- Milliseconds since 1970.
    timestamp integer not null,
    -- Of an event; null for a log.
    event_type text,
    level text,
    message text
);
create index execution_group_events_by_group on execution_group_events (execution_group_key, timestamp, key);

-- They are listed as events are, with what they do not have left open.
create view whole_execution_group_events as select v.key, v.key as storage_id, null as execution_key, v.event_type is null as is_log,
    v.timestamp, null as reported_timestamp, v.event_type, v.level, null as logger, v.message, null as operation,
    null as node_instance_id, null as node_name, null as source_id, null as target_id, null as error_causes,
    null as manager_name, null as agent_name, null as execution_id, g.tenant_name, g.visibility, g.created_by,
    null as blueprint_id, null as deployment_key, null as deployment_id, g.workflow_id, g.id as execution_group_id
from execution_groups g cross join execution_group_events v on v.execution_group_key = g.key;

create trigger execution_group_counts_inserted after insert on executions when new.execution_group_key is not null begin
    update execution_groups set executions = executions + 1,
        waiting = waiting + (new.status in ('queued', 'scheduled')),
        pending = pending + (new.status = 'pending'),
        running = running + (new.status in ('pending', 'started', 'cancelling', 'force_cancelling', 'kill_cancelling')),
        ended = ended + (new.status in ('terminated', 'failed', 'cancelled')),
        failed = failed + (new.status = 'failed')
    where key = new.execution_group_key;
end;
create trigger execution_group_counts_deleted after delete on executions when old.execution_group_key is not null begin
    update execution_groups set executions = executions - 1,
        waiting = waiting - (old.status in ('queued', 'scheduled')),
        pending = pending - (old.status = 'pending'),
        running = running - (old.status in ('pending', 'started', 'cancelling', 'force_cancelling', 'kill_cancelling')),
        ended = ended - (old.status in ('terminated', 'failed', 'cancelled')),
        failed = failed - (old.status = 'failed')
    where key = old.execution_group_key;
end;
create trigger execution_group_counts_changed after update of status on executions
    when new.execution_group_key is not null and old.status <> new.status begin
    update execution_groups set
        waiting = waiting + (new.status in ('queued', 'scheduled')) - (old.status in ('queued', 'scheduled')),
        pending = pending + (new.status = 'pending') - (old.status = 'pending'),
        running = running + (new.status in ('pending', 'started', 'cancelling', 'force_cancelling', 'kill_cancelling'))
            - (old.status in ('pending', 'started', 'cancelling', 'force_cancelling', 'kill_cancelling')),
        ended = ended + (new.status in ('terminated', 'failed', 'cancelled')) - (old.status in ('terminated', 'failed', 'cancelled')),
        failed = failed + (new.status = 'failed') - (old.status = 'failed')
    where key = new.execution_group_key;
end;
create trigger execution_group_counts_moved after update of execution_group_key on executions
    when new.execution_group_key is not null and old.execution_group_key is null begin
    update execution_groups set executions = executions + 1,
        waiting = waiting + (new.status in ('queued', 'scheduled')),
        pending = pending + (new.status = 'pending'),
        running = running + (new.status in ('pending', 'started', 'cancelling', 'force_cancelling', 'kill_cancelling')),
        ended = ended + (new.status in ('terminated', 'failed', 'cancelled')),
        failed = failed + (new.status = 'failed')
    where key = new.execution_group_key;
end;

-- Operations that end when another deployment's execution does.
create table component_waits (
    operation_id text primary key,
    -- The execution that is waited for.
    execution_id text not null,
    -- For how long, in milliseconds since 1970.
    until integer not null
) without rowid;
create index component_waits_by_execution on component_waits (execution_id);
create trigger component_waits_leave after delete on operations begin
    delete from component_waits where operation_id = old.id;
end;
-- Whoever ends an execution, in whatever way, cannot forget who waits for it.
create trigger component_waits_end after update of status on executions
    when new.status in ('terminated', 'failed', 'cancelled') and old.status <> new.status
        and exists (select 1 from component_waits where execution_id = new.id) begin
    insert into queue (kind, subject, not_before, created_at, tenant_name)
    select 'component', w.operation_id,
        coalesce(cast((julianday(new.ended_at) - 2440587.5) * 86400000 as integer), 0),
        strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), new.tenant_name
    from component_waits w where w.execution_id = new.id
    on conflict (kind, subject) do update set not_before = min(not_before, excluded.not_before);
end;
create trigger component_waits_are_gone after delete on executions
    when exists (select 1 from component_waits where execution_id = old.id) begin
    insert into queue (kind, subject, not_before, created_at, tenant_name)
    select 'component', w.operation_id, 0, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), old.tenant_name
    from component_waits w where w.execution_id = old.id
    on conflict (kind, subject) do update set not_before = min(not_before, excluded.not_before);
end;

create trigger deployment_groups_counted after insert on deployment_groups begin
    insert into row_counts values ('deployment_groups', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger deployment_groups_uncounted after delete on deployment_groups begin
    insert into row_counts values ('deployment_groups', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger deployment_groups_recounted after update of tenant_name, visibility, created_by on deployment_groups
    when (old.tenant_name, old.visibility, old.created_by) <> (new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('deployment_groups', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('deployment_groups', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger execution_groups_counted after insert on execution_groups begin
    insert into row_counts values ('execution_groups', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger execution_groups_uncounted after delete on execution_groups begin
    insert into row_counts values ('execution_groups', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger execution_groups_recounted after update of tenant_name, visibility, created_by on execution_groups
    when (old.tenant_name, old.visibility, old.created_by) <> (new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('execution_groups', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('execution_groups', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
