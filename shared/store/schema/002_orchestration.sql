-- Blueprints, deployments and what runs on them.
--
-- `key` is the order of creation and what rows refer to; `id` is what clients say. Every resource of
-- a tenant carries tenant_name, created_by and visibility itself, also where it inherits them
-- from its deployment, so that one rule isolates all tables and no list needs a join for it.
-- Columns ending in JSON-shaped content hold JSON text that was checked on its way in.

create table blueprints (
    key integer primary key,
    id text not null,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    updated_at text not null,
    state text not null,
    is_hidden integer not null default 0,
    main_file_name text,
    upload_execution text,
    -- The archive's bytes are a blob in the key-value store.
    archive_blob text,
    archive_format text,
    archive_size integer,
    archive_sha256 text,
    description text,
    requirements text,
    error text,
    error_traceback text,
    unique (tenant_name, id)
);
create index blueprints_by_tenant on blueprints (tenant_name, key, visibility, created_by, is_hidden);
create index blueprints_by_id on blueprints (id);
create index blueprints_by_creation on blueprints (tenant_name, created_at, key);
create index blueprints_by_update on blueprints (tenant_name, updated_at, key);
create index blueprints_global on blueprints (key) where visibility = 'global';

-- Apart from its blueprint, whose row changes often and is read much more often than this.
create table blueprint_plans (
    blueprint_key integer primary key references blueprints (key) on delete cascade,
    -- As clients see it: the same operations are repeated for every node of a type.
    plan text not null,
    -- As deployments read it: what nodes share is there once, so it stays small.
    stored text not null
);

-- Which blueprints a plan imports, by the ids that its archive says.
create table blueprint_imports (
    blueprint_key integer not null references blueprints (key) on delete cascade,
    imported_id text not null,
    primary key (blueprint_key, imported_id)
) without rowid;
create index blueprint_imports_by_imported on blueprint_imports (imported_id);

create table blueprint_labels (
    blueprint_key integer not null references blueprints (key) on delete cascade,
    key text not null,
    value text not null,
    created_at text not null,
    created_by text not null,
    primary key (blueprint_key, key, value)
) without rowid;
create index blueprint_labels_by_key on blueprint_labels (key, value);

create table deployments (
    key integer primary key,
    id text not null,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    updated_at text not null,
    blueprint_key integer not null references blueprints (key),
    blueprint_id text not null,
    display_name text not null,
    description text,
    inputs text not null default '{}',
    outputs text not null default '{}',
    capabilities text not null default '{}',
    groups text not null default '{}',
    policy_types text not null default '{}',
    policy_triggers text not null default '{}',
    scaling_groups text not null default '{}',
    resource_tags text,
    site_name text,
    runtime_only_evaluation integer not null default 0,
    create_execution text,
    latest_execution text,
    installation_status text not null default 'inactive',
    deployment_status text not null default 'requires_attention',
    -- What is below, all levels: kept up to date upwards, with deployment_status.
    sub_services_status text,
    sub_services_count integer not null default 0,
    sub_environments_status text,
    sub_environments_count integer not null default 0,
    -- Ready to show, a list. `is_available` follows the instances by triggers, from the situations in
    -- which each workflow is available, one bit each; see `deployments/workflows.rs`. The longest
    -- text comes last: a row's other columns are then on one page.
    workflow_situations text not null default '[]',
    workflows text not null default '[]',
    unique (tenant_name, id)
);
create index deployments_by_tenant on deployments (tenant_name, key, visibility, created_by);
create index deployments_by_id on deployments (id);
create index deployments_by_blueprint on deployments (blueprint_key);
create index deployments_by_blueprint_id on deployments (tenant_name, blueprint_id, key);
create index deployments_by_creation on deployments (tenant_name, created_at, key);
create index deployments_by_name on deployments (tenant_name, display_name, key);
create index deployments_global on deployments (key) where visibility = 'global';

create table deployment_labels (
    deployment_key integer not null references deployments (key) on delete cascade,
    key text not null,
    value text not null,
    created_at text not null,
    created_by text not null,
    primary key (deployment_key, key, value)
) without rowid;
create index deployment_labels_by_key on deployment_labels (key, value);

create table nodes (
    key integer primary key,
    deployment_key integer not null references deployments (key) on delete cascade,
    deployment_id text not null,
    id text not null,
    tenant_name text not null,
    created_by text not null,
    visibility text not null,
    type text not null,
    type_hierarchy text not null,
    properties text not null,
    operations text not null,
    relationships text not null,
    plugins text,
    plugins_to_install text,
    host_id text,
    number_of_instances integer not null,
    planned_number_of_instances integer not null,
    deploy_number_of_instances integer not null,
    min_number_of_instances integer not null,
    max_number_of_instances integer not null,
    -- The planned number times those of the scaling groups around the node.
    actual_planned_number_of_instances integer not null default 0,
    unique (deployment_key, id)
);
create index nodes_by_tenant on nodes (tenant_name, key, visibility, created_by);
create index nodes_by_deployment on nodes (deployment_id, key);
create index nodes_global on nodes (key) where visibility = 'global';

create table node_instances (
    key integer primary key,
    deployment_key integer not null references deployments (key) on delete cascade,
    deployment_id text not null,
    id text not null,
    node_id text not null,
    tenant_name text not null,
    created_by text not null,
    visibility text not null,
    host_id text,
    "index" integer not null,
    relationships text not null,
    scaling_groups text not null,
    runtime_properties text not null default '{}',
    system_properties text not null default '{}',
    state text not null default 'uninitialized',
    version integer not null default 1,
    -- What system_properties say, kept by triggers; null before the first check.
    is_status_check_ok integer,
    has_configuration_drift integer not null default 0,
    unique (tenant_name, id)
);
create index node_instances_by_tenant on node_instances (tenant_name, key, visibility, created_by);
create index node_instances_by_deployment on node_instances (deployment_key, node_id);
create index node_instances_by_deployment_id on node_instances (deployment_id, key);
create index node_instances_by_id on node_instances (id);
create index node_instances_global on node_instances (key) where visibility = 'global';

-- How many instances of a deployment are in which state: lists of deployments show sums and which
-- workflows are available, and must not count thousands of instances for it.
create table instance_counts (
    deployment_key integer primary key references deployments (key) on delete cascade,
    instances integer not null default 0,
    started integer not null default 0,
    -- Neither installed nor being so: uninitialized or deleted.
    idle integer not null default 0,
    unavailable integer not null default 0,
    drifted integer not null default 0,
    -- All that workflows' availability depends on: there are none; all are started; none is begun;
    -- none is started; some are started.
    situation integer generated always as (case when instances = 0 then 0 when started = instances then 1
        when started > 0 then 4 when idle = instances then 2 else 3 end) virtual
);
create view available_workflows as
    select d.key, (select json_group_array(json_set(w.value, '$.is_available', json(case
            (d.workflow_situations ->> w.key) >> coalesce((select n.situation from instance_counts n where n.deployment_key = d.key), 0) & 1
            when 1 then 'true' else 'false' end))) from json_each(d.workflows) w) as workflows
    from deployments d;
create trigger instance_counts_inserted after insert on instance_counts when new.situation <> 0 begin
    update deployments set workflows = (select a.workflows from available_workflows a where a.key = new.deployment_key)
    where key = new.deployment_key and workflow_situations <> '[]';
end;
create trigger instance_counts_changed after update on instance_counts when old.situation <> new.situation begin
    update deployments set workflows = (select a.workflows from available_workflows a where a.key = new.deployment_key)
    where key = new.deployment_key and workflow_situations <> '[]';
end;
create trigger node_instances_inserted after insert on node_instances begin
    insert into instance_counts (deployment_key, instances, started, idle)
    values (new.deployment_key, 1, new.state = 'started', new.state in ('uninitialized', 'deleted'))
    on conflict (deployment_key) do update set instances = instances + 1,
        started = started + excluded.started, idle = idle + excluded.idle;
    update node_instances set (is_status_check_ok, has_configuration_drift) =
        (select h.is_status_check_ok, h.has_configuration_drift from instance_health h where h.key = new.key)
    where key = new.key and new.system_properties <> '{}';
end;
create trigger node_instances_deleted after delete on node_instances begin
    update instance_counts set instances = instances - 1, started = started - (old.state = 'started'),
        idle = idle - (old.state in ('uninitialized', 'deleted')),
        unavailable = unavailable - (old.is_status_check_ok is 0), drifted = drifted - old.has_configuration_drift
    where deployment_key = old.deployment_key;
end;
create trigger node_instances_changed after update of state, is_status_check_ok, has_configuration_drift on node_instances
    when old.state <> new.state or old.is_status_check_ok is not new.is_status_check_ok
        or old.has_configuration_drift <> new.has_configuration_drift begin
    update instance_counts set started = started + (new.state = 'started') - (old.state = 'started'),
        idle = idle + (new.state in ('uninitialized', 'deleted')) - (old.state in ('uninitialized', 'deleted')),
        unavailable = unavailable + (new.is_status_check_ok is 0) - (old.is_status_check_ok is 0),
        drifted = drifted + new.has_configuration_drift - old.has_configuration_drift
    where deployment_key = new.deployment_key;
end;
-- Status checks and drift checks write system_properties; whoever does, the two flags follow.
create view instance_health as
    select key, case json_type(system_properties, '$.status.ok') when 'true' then 1 when 'false' then 0 end as is_status_check_ok,
        exists (select 1 from json_each(system_properties) part, json_each(case
                when part.type <> 'object' then '{}'
                when part.key = 'configuration_drift' then json_object('own', json(part.value))
                when part.key in ('source_relationships_configuration_drift', 'target_relationships_configuration_drift')
                    then part.value
                else '{}' end) drift
            where case drift.type when 'object' then json_type(drift.value, '$.ok') = 'false'
                or coalesce(json_type(drift.value, '$.result'), 'null') <> 'null' end) as has_configuration_drift
    from node_instances;
create trigger node_instances_checked after update of system_properties on node_instances
    when old.system_properties is not new.system_properties begin
    update node_instances set (is_status_check_ok, has_configuration_drift) =
        (select h.is_status_check_ok, h.has_configuration_drift from instance_health h where h.key = new.key)
    where key = new.key;
end;

create table executions (
    key integer primary key,
    id text not null unique,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    -- Null for uploads and system workflows; rows go with their deployment.
    deployment_key integer references deployments (key) on delete cascade,
    deployment_id text,
    blueprint_id text,
    workflow_id text not null,
    status text not null,
    error text,
    parameters text not null default '{}',
    is_system_workflow integer not null default 0,
    is_dry_run integer not null default 0,
    allow_custom_parameters integer not null default 0,
    force integer not null default 0,
    resume integer not null default 0,
    scheduled_for text,
    started_at text,
    ended_at text,
    total_operations integer not null default 0,
    finished_operations integer not null default 0,
    -- SHA-256 of the token that speaks for this execution.
    token_hash text
);
create index executions_by_tenant on executions (tenant_name, key, visibility, created_by, is_system_workflow);
create index executions_by_deployment on executions (deployment_key, status);
create index executions_by_deployment_id on executions (tenant_name, deployment_id, key);
create index executions_by_status on executions (status, key);
create index executions_by_creation on executions (tenant_name, created_at, key);
create index executions_by_tenant_status on executions (tenant_name, status, key);
create index executions_by_workflow on executions (tenant_name, workflow_id, key);
create index executions_global on executions (key) where visibility = 'global';
create index executions_by_token on executions (token_hash) where token_hash is not null;

create table tasks_graphs (
    key integer primary key,
    id text not null unique,
    execution_key integer not null references executions (key) on delete cascade,
    execution_id text not null,
    name text not null,
    tenant_name text not null,
    created_by text not null,
    visibility text not null,
    created_at text not null,
    -- Which part of the workflow it is, and what failed in it so far.
    state text not null default '{}'
);
create index tasks_graphs_by_execution on tasks_graphs (execution_key);

create table operations (
    key integer primary key,
    id text not null unique,
    tasks_graph_key integer not null references tasks_graphs (key) on delete cascade,
    tasks_graph_id text not null,
    execution_key integer not null,
    name text not null,
    type text not null,
    state text not null,
    -- The subgraph it belongs to; `parameters` says so too, but a step reads thousands of rows.
    containing_subgraph text,
    -- Whose workers run it; null for what the control plane runs itself.
    queue text,
    dependencies text not null default '[]',
    parameters text not null default '{}',
    manager_name text,
    agent_name text,
    tenant_name text not null,
    created_by text not null,
    visibility text not null,
    created_at text not null,
    updated_at text
);
create index operations_by_graph on operations (tasks_graph_key, key);
create index operations_by_execution on operations (execution_key, state);
create index operations_for_workers on operations (tenant_name, queue, key) where state = 'sent' and queue is not null;

-- No foreign keys: deleting a deployment removes its events in one statement of its own.
create table events (
    storage_id integer primary key autoincrement,
    tenant_name text not null,
    visibility text not null,
    created_by text not null,
    type text not null check (type in ('cloudify_event', 'cloudify_log')),
    event_type text,
    level text,
    logger text,
    message text,
    message_code text,
    error_causes text,
    operation text,
    timestamp text not null,
    reported_timestamp text not null,
    blueprint_id text,
    deployment_key integer,
    deployment_id text,
    execution_id text,
    execution_group_id text,
    workflow_id text,
    node_instance_id text,
    node_name text,
    source_id text,
    target_id text,
    manager_name text,
    agent_name text
);
-- Each in the order of a list, with what its conditions and its count look at: following an execution
-- reads the rows of its page and nothing else.
create index events_by_execution on events (execution_id, timestamp, storage_id, type, tenant_name, visibility, created_by);
create index events_by_deployment on events (deployment_id, timestamp, storage_id, type, tenant_name, visibility, created_by);
create index events_by_instance on events (node_instance_id, timestamp, storage_id);
create index events_by_tenant on events (tenant_name, timestamp, storage_id, type, visibility, created_by);
create index events_global on events (timestamp, storage_id, type) where visibility = 'global';
create index events_of_deployment on events (deployment_key);

-- The durable queue: everything that happens by itself. A row is work to do; finished work is
-- deleted in the transaction that records its result, so what is here is what is left.
create table queue (
    key integer primary key,
    -- What kind of work, and what it is about: the pair says who handles it.
    kind text not null,
    subject text not null,
    payload text not null default '{}',
    attempts integer not null default 0,
    -- Milliseconds since 1970: compared with `now` on every tick, so numbers rather than text.
    not_before integer not null,
    lease_until integer,
    lease_holder text,
    last_error text,
    created_at text not null,
    unique (kind, subject)
);
create index queue_due on queue (not_before);
