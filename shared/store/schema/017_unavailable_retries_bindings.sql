-- An instance that was never checked counts as unavailable, as one whose check failed does: only a
-- check that went well says that it is there. The triggers of 002 counted failed checks alone.
drop trigger node_instances_inserted;
create trigger node_instances_inserted after insert on node_instances begin
    insert into instance_counts (deployment_key, instances, started, idle, unavailable)
    values (new.deployment_key, 1, new.state = 'started', new.state in ('uninitialized', 'deleted'),
        new.is_status_check_ok is not 1)
    on conflict (deployment_key) do update set instances = instances + 1, started = started + excluded.started,
        idle = idle + excluded.idle, unavailable = unavailable + excluded.unavailable;
    update node_instances set (is_status_check_ok, has_configuration_drift) =
        (select h.is_status_check_ok, h.has_configuration_drift from instance_health h where h.key = new.key)
    where key = new.key and new.system_properties <> '{}';
end;
drop trigger node_instances_deleted;
create trigger node_instances_deleted after delete on node_instances begin
    update instance_counts set instances = instances - 1, started = started - (old.state = 'started'),
        idle = idle - (old.state in ('uninitialized', 'deleted')),
        unavailable = unavailable - (old.is_status_check_ok is not 1), drifted = drifted - old.has_configuration_drift
    where deployment_key = old.deployment_key;
end;
drop trigger node_instances_changed;
create trigger node_instances_changed after update of state, is_status_check_ok, has_configuration_drift on node_instances
    when old.state <> new.state or old.is_status_check_ok is not new.is_status_check_ok
        or old.has_configuration_drift <> new.has_configuration_drift begin
    update instance_counts set started = started + (new.state = 'started') - (old.state = 'started'),
        idle = idle + (new.state in ('uninitialized', 'deleted')) - (old.state in ('uninitialized', 'deleted')),
        unavailable = unavailable + (new.is_status_check_ok is not 1) - (old.is_status_check_ok is not 1),
        drifted = drifted + new.has_configuration_drift - old.has_configuration_drift
    where deployment_key = new.deployment_key;
end;
update instance_counts set unavailable = (select count(*) from node_instances i
    where i.deployment_key = instance_counts.deployment_key and i.is_status_check_ok is not 1);

-- What whoever runs a tasks graph says of it. The column `state` is the engine's own.
alter table tasks_graphs add column reported_state text;

-- Another try may wait for longer than a day: for a part to be delivered, say. A year is the longest wait.
update config set schema = json_set(schema, '$.maximum', 31536000) where name = 'task_retry_interval';

-- What went wrong in a run names addresses and programs of the inside: who runs the page reads it here, and
-- the public only where the binding says so.
alter table status_bindings add column last_error text;
alter table status_bindings add column publish_errors integer not null default 0;
