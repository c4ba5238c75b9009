-- Workflows that workers run: a row for each of their executions, from when it is handed out to when it is deleted.

create table workflow_leases (
    key integer primary key,
    execution_key integer not null unique references executions (key) on delete cascade,
    tenant_name text not null,
    -- Whose workers may take it.
    queue text not null,
    -- Whether nobody is to take it any more.
    is_over integer not null default 0,
    -- How often a worker did not keep it.
    losses integer not null default 0,
    -- What the worker names it by, and the worker; null while nobody has it.
    lease_id text unique,
    worker text,
    -- Whose credentials it came with: nobody else's calls count.
    created_by text,
    -- SHA-256 of the token with which the workflow calls back. It speaks for the execution while the lease is open.
    token_hash text,
    -- How long a heartbeat keeps it, in seconds.
    seconds integer,
    expires_at text,
    -- SHA-256 of the result that ended it: one that is sent twice is known.
    result_hash text
);
create index workflow_leases_waiting on workflow_leases (tenant_name, queue, key)
    where lease_id is null and is_over = 0;
create index workflow_leases_open on workflow_leases (expires_at)
    where lease_id is not null and result_hash is null;
create index workflow_leases_by_token on workflow_leases (token_hash)
    where token_hash is not null and result_hash is null;
