-- Shell steps of pipelines, offered to workers: which worker has which, until when, and what came of it. A step has one
-- row at most, which is replaced when it is tried again; it leaves with the step.
create table shell_steps (
    key integer primary key,
    step_key integer not null unique references pipeline_steps (key) on delete cascade,
    tenant_name text not null,
    -- Whose workers may take it.
    queue text not null,
    -- How long the script may run, in seconds; null for ever. A worker has as long to take it.
    timeout_seconds integer,
    -- Sealed JSON: script, environment, secrets. Null once it is over.
    content text,
    -- What the worker names it by, and the worker; null while nobody has it.
    lease_id text unique,
    worker text,
    -- Whose credentials it came with: nobody else's calls count.
    created_by text,
    -- How long a heartbeat keeps it, in seconds.
    seconds integer,
    expires_at text,
    -- Whether the worker has said that it begins. One that was lost before is handed out again, and no try was used.
    begun integer not null default 0,
    -- Bytes of the console that the worker has sent, and bytes that are kept, of all tries.
    received integer not null default 0,
    kept integer not null default 0,
    -- JSON: what came of it, without secrets; null while it is open.
    result text,
    -- SHA-256 of what the worker sent as result: one that is sent twice is known.
    result_hash text
);
create index shell_steps_waiting on shell_steps (tenant_name, queue, key)
    where content is not null and lease_id is null and result is null;
create index shell_steps_open on shell_steps (expires_at) where lease_id is not null and result is null;

-- Who may write pipelines that run commands on workers.
insert into permissions (role, permission) values ('sys_admin', 'opsera_shell'), ('manager', 'opsera_shell');
