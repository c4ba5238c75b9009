-- Secrets, and where their values are kept if not here.

create table secrets_providers (
    key integer primary key,
    name text not null,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    updated_at text not null,
    type text not null check (type in ('local', 'vault', 'cloudify')),
    -- JSON, encrypted: there are passwords among them.
    connection_parameters text,
    unique (tenant_name, name)
);
create index secrets_providers_by_tenant on secrets_providers (tenant_name, key, visibility, created_by);
create index secrets_providers_by_name on secrets_providers (name);
create index secrets_providers_by_creation on secrets_providers (tenant_name, created_at, key);
create index secrets_providers_global on secrets_providers (key) where visibility = 'global';

create table secrets (
    key integer primary key,
    -- What clients call the key.
    id text not null,
    tenant_name text not null references tenants (name),
    created_by text not null,
    visibility text not null,
    created_at text not null,
    updated_at text not null,
    -- JSON, encrypted: usually one text.
    value text not null,
    -- What values must be like, as JSON schema.
    schema text,
    is_hidden_value integer not null default 0 check (is_hidden_value in (0, 1)),
    provider_key integer references secrets_providers (key),
    -- JSON, encrypted: where at the provider the value is.
    provider_options text,
    unique (tenant_name, id)
);
create index secrets_by_tenant on secrets (tenant_name, key, visibility, created_by, id);
create index secrets_by_id on secrets (id);
create index secrets_by_creation on secrets (tenant_name, created_at, key);
create index secrets_by_update on secrets (tenant_name, updated_at, key);
create index secrets_by_provider on secrets (provider_key) where provider_key is not null;
create index secrets_global on secrets (key) where visibility = 'global';
create index secrets_global_by_id on secrets (id, key) where visibility = 'global';
create trigger secrets_counted after insert on secrets begin
    insert into row_counts values ('secrets', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger secrets_uncounted after delete on secrets begin
    insert into row_counts values ('secrets', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger secrets_recounted after update of tenant_name, visibility, created_by on secrets
    when (old.tenant_name, old.visibility, old.created_by) <> (new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('secrets', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('secrets', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
