-- Uses of tokens: which token was shown where, by whose hand. Instances write them together, a second
-- after the first of them, so that a request that reads costs no write.

-- What uses have in common. No foreign keys: what was done with a token outlives it.
create table token_use_kinds (
    key integer primary key,
    token_id text not null,
    -- The token's scopes, a comma between them.
    scope text not null,
    -- The path that was asked for, without `/api`.
    target text not null,
    user_id integer not null,
    tenant_name text not null,
    unique (token_id, target, tenant_name)
);

create table token_uses (
    key integer primary key,
    kind_key integer not null,
    -- The tenant's number, so that a tenant's uses are in the order of time; 0 for none.
    tenant_id integer not null,
    -- Milliseconds since 1970.
    at integer not null
);
create index token_uses_by_tenant on token_uses (tenant_id, at, key);
create index token_uses_by_time on token_uses (at);
