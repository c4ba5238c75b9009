-- Which deployment uses which other one, and why.

create table inter_deployment_dependencies (
    key integer primary key,
    id text not null unique,
    tenant_name text not null references tenants (name),
    created_by text not null,
    -- That of the source, or less.
    visibility text not null,
    created_at text not null,
    -- `component.<node instance>`, `sharedresource.<node instance>` or the place of a function.
    dependency_creator text not null,
    -- Null for a source or target that another manager has.
    source_key integer references deployments (key) on delete cascade,
    source_deployment_id text,
    -- Null also while nobody knows it.
    target_key integer references deployments (key),
    target_deployment_id text,
    -- JSON: the function that says which deployment it is, and what it is evaluated for.
    target_deployment_func text,
    external_source text,
    external_target text
);
create index inter_deployment_dependencies_by_tenant
    on inter_deployment_dependencies (tenant_name, key, visibility, created_by);
create index inter_deployment_dependencies_by_creation on inter_deployment_dependencies (tenant_name, created_at, key);
create index inter_deployment_dependencies_by_source_id
    on inter_deployment_dependencies (tenant_name, source_deployment_id, key);
create index inter_deployment_dependencies_by_target_id
    on inter_deployment_dependencies (tenant_name, target_deployment_id, key);
create index inter_deployment_dependencies_by_source on inter_deployment_dependencies (source_key, dependency_creator, target_key);
create index inter_deployment_dependencies_by_target on inter_deployment_dependencies (target_key, source_key);
create index inter_deployment_dependencies_global on inter_deployment_dependencies (key, created_by)
    where visibility = 'global';
-- Those that are looked at again whenever their source has done something.
create index inter_deployment_dependencies_to_evaluate on inter_deployment_dependencies (source_key)
    where target_deployment_func is not null;

-- A deployment that is deleted by force leaves those behind who used it.
create trigger inter_deployment_dependencies_lose_their_target before delete on deployments begin
    update inter_deployment_dependencies set target_key = null, target_deployment_id = null
    where target_key = old.key;
end;
create trigger inter_deployment_dependencies_follow_their_source after update of visibility on deployments
    when old.visibility <> new.visibility begin
    update inter_deployment_dependencies set visibility = new.visibility
    where source_key = new.key and visibility = old.visibility;
end;

create trigger inter_deployment_dependencies_counted after insert on inter_deployment_dependencies begin
    insert into row_counts values ('inter_deployment_dependencies', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger inter_deployment_dependencies_uncounted after delete on inter_deployment_dependencies begin
    insert into row_counts values ('inter_deployment_dependencies', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger inter_deployment_dependencies_recounted after update of tenant_name, visibility, created_by on inter_deployment_dependencies
    when (old.tenant_name, old.visibility, old.created_by) <> (new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('inter_deployment_dependencies', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('inter_deployment_dependencies', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
