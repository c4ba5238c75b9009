-- The queue is shared by tenants: a tenant whose work waits for others must not keep everybody else's
-- from being done.

-- Whose work it is; empty for the application's own.
alter table queue add column tenant_name text not null default '';
-- Whether the work waits for other servers, which can take minutes, or only computes.
alter table queue add column waits integer not null default 0;
-- How often it was tried and failed. `attempts` also counts those who took it and died.
alter table queue add column failures integer not null default 0;
-- When it can be taken: not before its time, and not while somebody holds it.
alter table queue add column due_at integer generated always as (max(not_before, coalesce(lease_until, 0))) virtual;

update queue set
    waits = kind in ('operation', 'blueprint-upload', 'status_delivery', 'status_confirmation'),
    tenant_name = coalesce(case kind
        when 'execution' then (select tenant_name from executions where id = queue.subject)
        when 'operation' then (select tenant_name from operations where id = queue.subject)
        when 'operation-timeout' then (select tenant_name from operations where id = queue.subject)
        when 'blueprint-upload' then (select tenant_name from blueprints where key = cast(queue.subject as integer))
    end, '');

-- For how many seconds what still runs is waited for after something failed for good; null for the
-- original's 600.
alter table executions add column wait_after_fail integer;

drop index queue_due;
-- Whether anything is due, and when the next will be.
create index queue_due on queue (due_at);
-- What of a tenant's is due, and which tenants there are.
create index queue_by_tenant on queue (waits, tenant_name, due_at);
-- Who holds how much.
create index queue_held on queue (waits, tenant_name, lease_until) where lease_holder is not null;
