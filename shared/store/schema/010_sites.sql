-- Sites: where deployments are.

create table sites (
    key integer primary key,
    name text not null,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    -- JSON: latitude, longitude, and the text of the two, because floats look different from
    -- language to language.
    location text,
    unique (tenant_name, name)
);
create index sites_by_tenant on sites (tenant_name, key, visibility, created_by);
create index sites_by_name on sites (name);
create index sites_by_creation on sites (tenant_name, created_at, key);
create index sites_global on sites (key) where visibility = 'global';

-- A deployment names its site. In one tenant no two sites that are seen there have the same name,
-- so the name says which one it is.
create index deployments_by_site on deployments (site_name) where site_name is not null;
