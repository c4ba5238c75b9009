-- Calls of workers whose executions ended by force stayed on their way, and whoever looks for work passed over them.
update operations set state = iif(coalesce(parameters ->> '$.given_up', 0), 'failed', 'pending')
where queue is not null and state = 'sent'
    and execution_key in (select key from executions where status in ('terminated', 'failed', 'cancelled'));
