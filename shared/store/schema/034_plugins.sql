-- Plugins: packages of code that run operations, each with files that blueprints import; and the nodes of
-- the application, which install them.

create table plugins (
    key integer primary key,
    id text not null,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    -- Clients call it `uploaded_at`.
    created_at text not null,
    title text not null,
    package_name text not null,
    package_version text not null,
    package_source text,
    archive_name text not null,
    distribution text,
    distribution_version text,
    distribution_release text,
    supported_platform text,
    -- JSON lists; the last may be null.
    supported_py_versions text not null,
    wheels text not null,
    excluded_wheels text,
    -- JSON objects or null: what the file says, or what somebody set since.
    blueprint_labels text,
    labels text,
    resource_tags text,
    -- The wagon in the key-value store.
    archive_blob text not null,
    archive_size integer not null,
    archive_sha256 text not null,
    unique (tenant_name, id)
);
create index plugins_by_tenant on plugins (tenant_name, key, visibility, created_by);
create index plugins_by_id on plugins (id);
create index plugins_by_creation on plugins (tenant_name, created_at, key);
create index plugins_by_package on plugins (package_name, package_version, key);
create index plugins_of_tenant_by_package on plugins (tenant_name, package_name, key);
create index plugins_global on plugins (key, created_by) where visibility = 'global';
create index plugins_global_by_creation on plugins (created_at, key) where visibility = 'global';
create index plugins_global_by_package on plugins (package_name, key) where visibility = 'global';

-- The YAML files and the icon that came with a plugin, in the key-value store.
create table plugin_files (
    plugin_key integer not null references plugins (key) on delete cascade,
    -- In the order in which they were found: the first of several counts.
    number integer not null,
    name text not null,
    blob text not null,
    size integer not null,
    primary key (plugin_key, number)
) without rowid;

-- How far managers and agents are with installing a plugin. One of the two names is empty.
create table plugin_states (
    plugin_key integer not null references plugins (key) on delete cascade,
    manager text not null,
    agent text not null,
    state text not null,
    error text,
    primary key (plugin_key, manager, agent)
) without rowid;

-- The packages that the plan of a blueprint wants installed.
create table blueprint_plugins (
    blueprint_key integer not null references blueprints (key) on delete cascade,
    package_name text not null,
    package_version text not null,
    primary key (blueprint_key, package_name, package_version)
) without rowid;
create index blueprint_plugins_by_package on blueprint_plugins (package_name, package_version);

create trigger plugins_let_go_of_blob after delete on plugins begin
    insert or ignore into loose_blobs (id, chunks, touched_at) values (
        old.archive_blob, (old.archive_size + 1048575) / 1048576,
        cast(unixepoch('subsec') * 1000 as integer));
end;
create trigger plugin_files_let_go_of_blob after delete on plugin_files begin
    insert or ignore into loose_blobs (id, chunks, touched_at) values (
        old.blob, (old.size + 1048575) / 1048576,
        cast(unixepoch('subsec') * 1000 as integer));
end;

-- Nodes of the application. The first is this one, and stays.
create table managers (
    key integer primary key,
    hostname text not null unique,
    private_ip text not null unique,
    public_ip text not null,
    version text not null,
    edition text not null,
    distribution text not null,
    distro_release text not null,
    fs_sync_node_id text,
    -- JSON: names of networks and the addresses in them.
    networks text not null,
    ca_cert_content text,
    last_seen text
);
insert into managers (key, hostname, private_ip, public_ip, version, edition, distribution, distro_release, networks) values
    (0, 'windlass', '127.0.0.1', '127.0.0.1', '7.0.5', 'premium', 'windlass', '', '{"default":"127.0.0.1"}');

-- How large an archive with a plugin, or with several, may be.
insert into config (scope, name, value, schema, is_editable, admin_only) values
    ('rest', 'plugin_archive_max_size_mb', '500', '{"type":"integer","minimum":1,"maximum":2000}', 1, 0);

-- Made by `Counts::triggers`, which a test compares with these.
create trigger plugins_counted after insert on plugins begin
    insert into row_counts values ('plugins', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger plugins_uncounted after delete on plugins begin
    insert into row_counts values ('plugins', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger plugins_recounted after update of tenant_name, visibility, created_by on plugins
    when (old.tenant_name, old.visibility, old.created_by) <> (new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('plugins', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('plugins', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
