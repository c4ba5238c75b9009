-- How many executions of each tenant run: `Status::is_active`, in its words.
create index executions_running on executions (tenant_name, workflow_id)
    where status in ('pending', 'started', 'cancelling', 'force_cancelling', 'kill_cancelling');

-- What waits, by tenant, because one whose executions are many has to wait as a whole.
drop index executions_waiting;
create index executions_waiting on executions
    (is_system_workflow, tenant_name, workflow_id <> 'create_deployment_environment', key)
    where status = 'queued' and execution_group_key is null;

-- Whether a workflow of the application itself runs or waits is asked whenever an execution ends, however
-- many others wait.
create index executions_of_system on executions (status) where is_system_workflow = 1;
