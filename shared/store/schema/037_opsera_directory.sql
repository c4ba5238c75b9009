-- Opsera's directory: people, projects, how they belong together, and the organisation they are in.

create table directory_people (
    key integer primary key,
    id text not null unique,
    tenant_name text not null references tenants (name),
    -- In small letters: one address is one person however it is written.
    email_key text not null,
    -- JSON object of what was given.
    document text not null,
    created_at text not null,
    updated_at text not null,
    unique (tenant_name, email_key)
);
create index directory_people_by_tenant on directory_people (tenant_name, key);

create table directory_projects (
    key integer primary key,
    id text not null unique,
    tenant_name text not null references tenants (name),
    project_id text not null,
    document text not null,
    created_at text not null,
    updated_at text not null,
    unique (tenant_name, project_id)
);
create index directory_projects_by_tenant on directory_projects (tenant_name, key);

-- The levels of the organisation that a person or a project names, so that those of a node are found.
create table directory_places (
    tenant_name text not null,
    name text not null,
    kind text not null check (kind in ('person', 'project')),
    item_key integer not null,
    primary key (tenant_name, name, kind, item_key)
) without rowid;
create index directory_places_by_item on directory_places (kind, item_key);

create table directory_mappings (
    key integer primary key,
    id text not null unique,
    tenant_name text not null references tenants (name),
    attribute1 text not null,
    attribute2 text not null,
    mapping_type text not null,
    relationship text not null,
    parent_type text,
    child_type text,
    created_at text not null,
    updated_at text not null,
    unique (tenant_name, attribute1, attribute2, mapping_type, relationship)
);
create index directory_mappings_by_tenant on directory_mappings (tenant_name, key);
create index directory_mappings_by_type on directory_mappings (tenant_name, mapping_type, key);
create index directory_mappings_by_relationship on directory_mappings (tenant_name, relationship, key);
create index directory_mappings_by_first on directory_mappings (tenant_name, attribute1, key);
create index directory_mappings_by_second on directory_mappings (tenant_name, attribute2, key);
-- The hierarchy alone, which is walked down and up.
create index directory_hierarchy on directory_mappings (tenant_name, attribute1, attribute2)
    where relationship = 'org-hierarchy';
create index directory_hierarchy_up on directory_mappings (tenant_name, attribute2, attribute1)
    where relationship = 'org-hierarchy';
