-- A worker that asks for operations is an agent as well, of no node instance: it is there for as long as it was
-- seen within a minute, and has the queues that it takes operations from.
create table agents_and_workers (
    key integer primary key,
    name text not null,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    updated_at text,
    -- Nothing of a node instance, for a worker.
    node_instance_key integer references node_instances (key) on delete cascade,
    node_instance_id text,
    node_id text,
    deployment_id text,
    state text not null,
    ip text,
    install_method text,
    system text,
    version text,
    rabbitmq_username text,
    rabbitmq_exchange text,
    -- A JSON list, of a worker only.
    queues text,
    seen_at text,
    -- Until when it waits for an operation, if it does.
    waits_until text,
    unique (tenant_name, name)
);
insert into agents_and_workers
select key, name, tenant_name, created_by, visibility, created_at, updated_at, node_instance_key, node_instance_id,
    node_id, deployment_id, state, ip, install_method, system, version, rabbitmq_username, rabbitmq_exchange, null, null, null
from agents;
drop table agents;
alter table agents_and_workers rename to agents;

create index agents_seen on agents (seen_at) where seen_at is not null;
create index agents_waiting on agents (tenant_name, queues, waits_until) where waits_until is not null;
create index agents_by_tenant on agents (tenant_name, key, visibility, created_by);
create index agents_by_name on agents (name);
create index agents_by_creation on agents (tenant_name, created_at, key);
create index agents_by_deployment on agents (tenant_name, deployment_id, key);
create index agents_by_instance on agents (tenant_name, node_instance_id, key);
create index agents_by_instance_key on agents (node_instance_key);
create index agents_by_node on agents (tenant_name, node_id, key);
create index agents_global on agents (key) where visibility = 'global';

create trigger agents_counted after insert on agents begin
    insert into row_counts values ('agents', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger agents_uncounted after delete on agents begin
    insert into row_counts values ('agents', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger agents_recounted after update of tenant_name, visibility, created_by on agents
    when (old.tenant_name, old.visibility, old.created_by) <> (new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('agents', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('agents', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;

-- Operations of a graph that are tied to each other by dependencies and subgraphs are an island: what becomes of one
-- concerns no other island. None where nobody knows.
alter table operations add column island integer;
create index operations_of_islands on operations (tasks_graph_key, island)
    where island is not null and state not in ('succeeded', 'failed');
