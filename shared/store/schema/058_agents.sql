-- Agents: what runs on the hosts of deployments, as it reports itself.

create table agents (
    key integer primary key,
    name text not null,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    updated_at text,
    node_instance_key integer not null references node_instances (key) on delete cascade,
    -- Instances never change these.
    node_instance_id text not null,
    node_id text not null,
    deployment_id text not null,
    state text not null,
    ip text,
    install_method text,
    system text,
    version text,
    rabbitmq_username text,
    rabbitmq_exchange text,
    unique (tenant_name, name)
);
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
