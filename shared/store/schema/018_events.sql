-- Events weigh less: what all events of an execution have in common is read from its row.
--
-- An execution never changes its tenant, creator, visibility, blueprint, deployment and workflow. An
-- event whose execution is gone has nobody to belong to: events go with their execution from now on.

drop trigger events_counted;
drop trigger events_uncounted;
drop trigger events_recounted;
alter table events rename to events_of_before;

create table events (
    storage_id integer primary key autoincrement,
    execution_key integer not null references executions (key),
    -- The `tenants.id` in whose list the row is, from 0 on; -1 for what is global, which is in everybody's.
    list_key integer not null,
    -- 1 for a `cloudify_log`, 0 for a `cloudify_event`.
    is_log integer not null check (is_log in (0, 1)),
    -- Milliseconds since 1970: when it got here.
    timestamp integer not null,
    -- When it happened; null when that is the same.
    reported_timestamp integer,
    event_type text,
    level text,
    logger text,
    message text,
    operation text,
    node_instance_id text,
    node_name text,
    source_id text,
    target_id text,
    message_code text,
    error_causes text,
    manager_name text,
    agent_name text
);

insert into events
    select storage_id, execution_key, list_key, is_log, at, nullif(reported_at, at), event_type, level, logger, message,
        operation, node_instance_id, node_name, source_id, target_id, message_code, error_causes, manager_name, agent_name
    from (select e.*, x.key as execution_key, iif(x.visibility = 'global', -1, t.id) as list_key,
            e.type = 'cloudify_log' as is_log,
            cast(round((coalesce(julianday(e.timestamp), 2440587.5) - 2440587.5) * 86400000) as integer) as at,
            cast(round((julianday(e.reported_timestamp) - 2440587.5) * 86400000) as integer) as reported_at
        from events_of_before e
        cross join executions x on x.id = e.execution_id
        join tenants t on t.name = x.tenant_name);
-- No number is given twice, even where the newest rows were deleted.
delete from sqlite_sequence where name = 'events';
update sqlite_sequence set name = 'events' where name = 'events_of_before';
drop table events_of_before;

-- Each in the order of a list, with what its conditions and its count look at: following an execution
-- reads the rows of its page and nothing else. Of a deployment, those of its executions are sorted.
create index events_by_execution on events (execution_key, timestamp, storage_id, is_log);
create index events_by_list on events (list_key, timestamp, storage_id, is_log, execution_key);
create index events_by_instance on events (node_instance_id, timestamp) where node_instance_id is not null;

-- Events with what they have from their execution. A row is found first, then its execution.
create view whole_events as select e.*, x.id as execution_id, x.tenant_name, x.visibility, x.created_by,
    x.blueprint_id, x.deployment_key, x.deployment_id, x.workflow_id, null as execution_group_id
from events e cross join executions x on x.key = e.execution_key;

-- A cascade would come when the execution's row is gone already, and it says where events are counted.
create trigger executions_take_events before delete on executions begin
    delete from events where execution_key = old.key;
end;

create trigger events_counted after insert on events begin
    insert into row_counts select 'events', tenant_name, new.is_log, new.list_key, visibility, iif(visibility = 'private', created_by, ''), 1
    from executions where key = new.execution_key
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger events_uncounted after delete on events begin
    insert into row_counts select 'events', tenant_name, old.is_log, old.list_key, visibility, iif(visibility = 'private', created_by, ''), -1
    from executions where key = old.execution_key
    on conflict do update set rows = rows + excluded.rows;
end;
-- Nobody does this to an execution; who mends a database by hand may.
create trigger events_recounted after update of tenant_name, visibility, created_by on executions
    when (old.tenant_name, old.visibility, old.created_by) <> (new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts select 'events', old.tenant_name, is_log, list_key, old.visibility, iif(old.visibility = 'private', old.created_by, ''), -count(*)
    from events where execution_key = old.key group by is_log, list_key
    on conflict do update set rows = rows + excluded.rows;
    update events set list_key = iif(new.visibility = 'global', -1, (select id from tenants where name = new.tenant_name))
    where execution_key = new.key;
    insert into row_counts select 'events', new.tenant_name, is_log, list_key, new.visibility, iif(new.visibility = 'private', new.created_by, ''), count(*)
    from events where execution_key = new.key group by is_log, list_key
    on conflict do update set rows = rows + excluded.rows;
end;

delete from row_counts where counts = 'events';
insert into row_counts
select 'events', x.tenant_name, e.is_log, e.list_key, x.visibility, iif(x.visibility = 'private', x.created_by, ''), count(*)
from events e join executions x on x.key = e.execution_key group by 2, 3, 4, 5, 6;
