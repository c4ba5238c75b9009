-- Execution schedules: workflows that start by themselves, once or again and again.
--
-- What is due is a row of the queue, so a tick looks at none of these rows.

create table execution_schedules (
    key integer primary key,
    id text not null,
    deployment_key integer not null references deployments (key) on delete cascade,
    deployment_id text not null,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    workflow_id text not null,
    -- JSON as clients read it: {recurrence, count, weekdays} or {rrule}.
    rule text not null,
    parameters text not null default '{}',
    execution_arguments text not null default '{}',
    -- By how many minutes an occurrence may be late.
    slip integer not null default 0,
    stop_on_fail integer not null default 0,
    enabled integer not null default 1,
    since text not null,
    until text,
    -- Null when there is none left.
    next_occurrence text,
    -- The execution that the latest occurrence started.
    latest_execution integer references executions (key) on delete set null,
    unique (deployment_key, id)
);
create index execution_schedules_by_tenant on execution_schedules (tenant_name, key, visibility, created_by);
create index execution_schedules_by_deployment on execution_schedules (deployment_id, id);
create index execution_schedules_by_deployment_id on execution_schedules (tenant_name, deployment_id, key);
create index execution_schedules_by_workflow on execution_schedules (tenant_name, workflow_id, key);
create index execution_schedules_by_creation on execution_schedules (tenant_name, created_at, key);
create index execution_schedules_by_occurrence on execution_schedules (tenant_name, next_occurrence, key);
create index execution_schedules_by_execution on execution_schedules (latest_execution) where latest_execution is not null;
create index execution_schedules_global on execution_schedules (key) where visibility = 'global';

-- A schedule goes with its deployment, and its row in the queue with it.
create trigger execution_schedules_removed after delete on execution_schedules begin
    delete from queue where kind = 'execution_schedule' and subject = old.key;
end;

create trigger execution_schedules_counted after insert on execution_schedules begin
    insert into row_counts values ('execution_schedules', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger execution_schedules_uncounted after delete on execution_schedules begin
    insert into row_counts values ('execution_schedules', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger execution_schedules_recounted after update of tenant_name, visibility, created_by on execution_schedules
    when (old.tenant_name, old.visibility, old.created_by) <> (new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('execution_schedules', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('execution_schedules', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
