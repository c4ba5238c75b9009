-- The end of an execution is told to the components of the status page that are bound to its
-- deployment. A trigger, so that whoever ends an execution cannot forget it.
-- An execution that is resumed ends more than once, so the time is part of the subject.
create trigger executions_ended_status after update of status on executions
    when new.status in ('terminated', 'failed') and old.status <> new.status
        and new.is_dry_run = 0 and new.deployment_id is not null
        and exists (select 1 from status_bindings where kind = 'deployment'
            and tenant_name = new.tenant_name and target = new.deployment_id)
    begin insert or ignore into queue (kind, subject, payload, not_before, created_at)
    values ('status_run',
        new.id || '/' || coalesce(new.ended_at, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
        json_object('tenant', new.tenant_name, 'deployment', new.deployment_id,
            'workflow', new.workflow_id,
            'error', case new.status when 'failed' then coalesce(new.error, '') end,
            'at', coalesce(new.ended_at, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))),
        strftime('%s', 'now') * 1000, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')); end;
