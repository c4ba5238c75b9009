-- Opsera: tools that pipelines call, pipelines, their runs, and what happened in them.
--
-- An account is a tenant. Moments of runs, steps and logs are milliseconds since 1970, since they are
-- subtracted from each other.

create table tools (
    key integer primary key,
    id text not null unique,
    tenant_name text not null references tenants (name),
    created_by text not null,
    name text not null,
    tool_identifier text not null,
    active integer not null default 1,
    -- JSON list of {user or group, role}: who may; empty for everybody of the account.
    roles text not null default '[]',
    -- The rest of what clients gave it, `***` in the place of each credential.
    document text not null default '{}',
    -- Sealed JSON: JSON pointers into the document, and the credentials that belong there.
    credentials text,
    revision integer not null default 0,
    created_at text not null,
    updated_at text not null
);
create index tools_by_tenant on tools (tenant_name, key);

create table pipelines (
    key integer primary key,
    id text not null unique,
    tenant_name text not null references tenants (name),
    created_by text not null,
    name text not null,
    active integer not null default 1,
    locked integer not null default 0,
    roles text not null default '[]',
    -- What clients gave it beside what has a column here.
    document text not null default '{}',
    -- The project of the directory that it delivers, and whether what it does counts as delivering.
    project_id text,
    is_delivery integer not null default 1,
    -- Its steps as they are now.
    plan_key integer not null,
    run_count integer not null default 0,
    -- Its newest run, until it is reset.
    current_run integer,
    cron text,
    -- Sealed secret of its webhook; null for none.
    webhook_secret text,
    revision integer not null default 0,
    created_at text not null,
    updated_at text not null
);
create index pipelines_by_tenant on pipelines (tenant_name, key);
create index pipelines_by_name on pipelines (tenant_name, name, key);
create index pipelines_by_project on pipelines (tenant_name, project_id, key);

-- The steps of a pipeline as they were at some time: runs go by those that they began with.
create table pipeline_plans (
    key integer primary key,
    pipeline_key integer not null references pipelines (key) on delete cascade,
    -- JSON list of steps.
    plan text not null
);
create index pipeline_plans_by_pipeline on pipeline_plans (pipeline_key);

create table pipeline_runs (
    key integer primary key,
    pipeline_key integer not null references pipelines (key) on delete cascade,
    number integer not null,
    tenant_name text not null,
    plan_key integer not null references pipeline_plans (key),
    state text not null check (state in ('running', 'paused', 'stopping', 'success', 'failed', 'stopped')),
    -- What began it: a user, the clock, a push.
    cause text not null,
    started_by text not null,
    -- JSON object.
    parameters text not null default '{}',
    -- What a push told: branch, commit, who. JSON object.
    source text,
    -- When what it delivers was committed, as far as that is known.
    committed_at integer,
    started_at integer not null,
    ended_at integer,
    unique (pipeline_key, number)
);
create index pipeline_runs_by_plan on pipeline_runs (plan_key);
-- What insights read: nothing but this index.
create index pipeline_runs_by_end on pipeline_runs (pipeline_key, ended_at, state, committed_at, number)
    where ended_at is not null;
-- The next success after a failure.
create index pipeline_runs_successes on pipeline_runs (pipeline_key, ended_at) where state = 'success';

create table pipeline_steps (
    key integer primary key,
    run_key integer not null references pipeline_runs (key) on delete cascade,
    -- Which step of the run's plan it is.
    position integer not null,
    -- What tools are told as Idempotency-Key.
    id text not null unique,
    state text not null check (state in ('running', 'paused', 'success', 'failed', 'stopped')),
    tries integer not null default 0,
    started_at integer not null,
    ended_at integer,
    deadline integer,
    -- What the tool calls it, and how far its console was read. JSON object.
    external text,
    -- JSON object of what later steps can name.
    outputs text,
    error text,
    unique (run_key, position)
);

-- What happened, newest last. Console output is here too, in pieces.
create table pipeline_logs (
    key integer primary key,
    run_key integer not null references pipeline_runs (key) on delete cascade,
    pipeline_key integer not null,
    position integer,
    action text not null,
    is_console integer not null default 0,
    message text not null,
    status text not null,
    response text,
    caused_by text not null,
    at integer not null
);
create index pipeline_logs_by_pipeline on pipeline_logs (pipeline_key, key);
create index pipeline_logs_by_run on pipeline_logs (run_key, key);
create index pipeline_logs_console on pipeline_logs (pipeline_key, run_key, key) where is_console = 1;

insert into permissions (role, permission)
select role.value, permission.value
from json_each('[
    {"roles": ["sys_admin", "manager", "user", "operations", "viewer"], "permissions": ["opsera_read"]},
    {"roles": ["sys_admin", "manager", "user", "operations"], "permissions": ["opsera_run"]},
    {"roles": ["sys_admin", "manager"], "permissions": ["opsera_manage"]}
]') as holders, json_each(holders.value, '$.roles') as role, json_each(holders.value, '$.permissions') as permission;
-- Deliveries of webhooks that begin pipelines: one that was taken is not taken again.
create table pipeline_deliveries (
    pipeline_key integer not null references pipelines (key) on delete cascade,
    -- SHA-256 of what the sender calls it.
    id text not null,
    at integer not null,
    primary key (pipeline_key, id)
) without rowid;
create index pipeline_deliveries_by_time on pipeline_deliveries (pipeline_key, at);

-- Executions that a step started are no deliveries of their own.
create index pipeline_steps_by_execution on pipeline_steps (external ->> 'execution')
    where external ->> 'execution' is not null;
create index executions_by_end on executions (tenant_name, workflow_id, ended_at) where ended_at is not null;
