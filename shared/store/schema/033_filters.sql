-- Filters: rules that are stored under a name, to select blueprints or deployments by. Each kind has names
-- of its own, so each has a table.

create table blueprints_filters (
    key integer primary key,
    id text not null,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    updated_at text not null,
    -- JSON: a list of rules.
    value text not null,
    is_system_filter integer not null default 0 check (is_system_filter in (0, 1)),
    unique (tenant_name, id)
);
create index blueprints_filters_by_tenant on blueprints_filters (tenant_name, key, visibility, created_by, id);
create index blueprints_filters_by_id on blueprints_filters (id);
create index blueprints_filters_by_creation on blueprints_filters (tenant_name, created_at, key);
create index blueprints_filters_global on blueprints_filters (key) where visibility = 'global';

create table deployments_filters (
    key integer primary key,
    id text not null,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    updated_at text not null,
    value text not null,
    is_system_filter integer not null default 0 check (is_system_filter in (0, 1)),
    unique (tenant_name, id)
);
create index deployments_filters_by_tenant on deployments_filters (tenant_name, key, visibility, created_by, id);
create index deployments_filters_by_id on deployments_filters (id);
create index deployments_filters_by_creation on deployments_filters (tenant_name, created_at, key);
create index deployments_filters_global on deployments_filters (key) where visibility = 'global';

-- The application's own filters are there with its first tenant, and in databases that have it already.
create trigger tenants_have_system_filters after insert on tenants when new.name = 'default_tenant' begin
    insert into deployments_filters (id, tenant_name, created_by, visibility, created_at, updated_at, value, is_system_filter)
    select value ->> 0, new.name, 'admin', 'global', new.created_at, new.created_at, value -> 1, 1 from json_each('[
        ["csys-environment-filter", [
            {"key": "csys-obj-type", "values": ["environment"], "operator": "any_of", "type": "label"},
            {"key": "csys-obj-parent", "values": [], "operator": "is_null", "type": "label"}]],
        ["csys-service-filter", [
            {"key": "csys-obj-type", "values": ["environment"], "operator": "is_not", "type": "label"},
            {"key": "csys-obj-parent", "values": [], "operator": "is_null", "type": "label"}]]]');
end;
insert into deployments_filters (id, tenant_name, created_by, visibility, created_at, updated_at, value, is_system_filter)
select value ->> 0, name, 'admin', 'global', created_at, created_at, value -> 1, 1 from tenants, json_each('[
    ["csys-environment-filter", [
        {"key": "csys-obj-type", "values": ["environment"], "operator": "any_of", "type": "label"},
        {"key": "csys-obj-parent", "values": [], "operator": "is_null", "type": "label"}]],
    ["csys-service-filter", [
        {"key": "csys-obj-type", "values": ["environment"], "operator": "is_not", "type": "label"},
        {"key": "csys-obj-parent", "values": [], "operator": "is_null", "type": "label"}]]]')
where name = 'default_tenant';
