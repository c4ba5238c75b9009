-- Leases: which worker has which operation, and until when. An operation has one at most, which is replaced when it is
-- leased again; it leaves with the operation.
create table operation_leases (
    key integer primary key,
    -- What the worker names it by; nobody can guess it.
    id text not null unique,
    operation_key integer not null unique references operations (key) on delete cascade,
    -- What the worker calls itself.
    worker text not null,
    -- Whose credentials it came with: nobody else's heartbeats and results count.
    created_by text not null,
    -- SHA-256 of the token with which the operation calls back. It speaks for the execution while the lease is open.
    token_hash text not null,
    -- How long a heartbeat keeps it, in seconds.
    seconds integer not null,
    expires_at text not null,
    -- SHA-256 of the result that ended it; null while it is open. So one that is sent twice is known.
    result_hash text
);
create index operation_leases_open on operation_leases (expires_at) where result_hash is null;
create index operation_leases_by_token on operation_leases (token_hash) where result_hash is null;
