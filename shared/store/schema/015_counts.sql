-- How many rows there are, for totals of lists: see `counts.rs`.

create table row_counts (
    -- What is counted, such as `executions`.
    counts text not null,
    -- Empty where the table has no tenants.
    tenant_name text not null,
    -- Two values that rows are counted by; empty where there are none. No type: they are as the table has them.
    first not null,
    second not null,
    visibility text not null,
    -- Of private rows only.
    created_by text not null,
    rows integer not null,
    primary key (counts, tenant_name, first, second, visibility, created_by)
) without rowid;
-- What is global in any tenant is looked for without its name.
create index row_counts_global on row_counts (counts, first, second) where visibility = 'global';

create trigger row_counts_emptied after update of rows on row_counts when new.rows = 0 begin
    delete from row_counts where counts = new.counts and tenant_name = new.tenant_name and first = new.first
        and second = new.second and visibility = new.visibility and created_by = new.created_by;
end;

-- Made by `Counts::triggers`, which a test compares with these.
create trigger blueprints_counted after insert on blueprints begin
    insert into row_counts values ('blueprints', new.tenant_name, new.is_hidden, '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger blueprints_uncounted after delete on blueprints begin
    insert into row_counts values ('blueprints', old.tenant_name, old.is_hidden, '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger blueprints_recounted after update of is_hidden, tenant_name, visibility, created_by on blueprints
    when (old.is_hidden, old.tenant_name, old.visibility, old.created_by) <> (new.is_hidden, new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('blueprints', old.tenant_name, old.is_hidden, '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('blueprints', new.tenant_name, new.is_hidden, '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger deployments_counted after insert on deployments begin
    insert into row_counts values ('deployments', new.tenant_name, new.installation_status, new.deployment_status, new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger deployments_uncounted after delete on deployments begin
    insert into row_counts values ('deployments', old.tenant_name, old.installation_status, old.deployment_status, old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger deployments_recounted after update of installation_status, deployment_status, tenant_name, visibility, created_by on deployments
    when (old.installation_status, old.deployment_status, old.tenant_name, old.visibility, old.created_by) <> (new.installation_status, new.deployment_status, new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('deployments', old.tenant_name, old.installation_status, old.deployment_status, old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('deployments', new.tenant_name, new.installation_status, new.deployment_status, new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger deployments_of_blueprint_counted after insert on deployments begin
    insert into row_counts values ('deployments_of_blueprint', new.tenant_name, new.blueprint_id, '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger deployments_of_blueprint_uncounted after delete on deployments begin
    insert into row_counts values ('deployments_of_blueprint', old.tenant_name, old.blueprint_id, '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger deployments_of_blueprint_recounted after update of blueprint_id, tenant_name, visibility, created_by on deployments
    when (old.blueprint_id, old.tenant_name, old.visibility, old.created_by) <> (new.blueprint_id, new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('deployments_of_blueprint', old.tenant_name, old.blueprint_id, '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('deployments_of_blueprint', new.tenant_name, new.blueprint_id, '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger nodes_counted after insert on nodes begin
    insert into row_counts values ('nodes', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger nodes_uncounted after delete on nodes begin
    insert into row_counts values ('nodes', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger nodes_recounted after update of tenant_name, visibility, created_by on nodes
    when (old.tenant_name, old.visibility, old.created_by) <> (new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('nodes', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('nodes', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger node_instances_counted after insert on node_instances begin
    insert into row_counts values ('node_instances', new.tenant_name, new.state, '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger node_instances_uncounted after delete on node_instances begin
    insert into row_counts values ('node_instances', old.tenant_name, old.state, '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger node_instances_recounted after update of state, tenant_name, visibility, created_by on node_instances
    when (old.state, old.tenant_name, old.visibility, old.created_by) <> (new.state, new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('node_instances', old.tenant_name, old.state, '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('node_instances', new.tenant_name, new.state, '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger executions_counted after insert on executions begin
    insert into row_counts values ('executions', new.tenant_name, new.is_system_workflow, new.status, new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger executions_uncounted after delete on executions begin
    insert into row_counts values ('executions', old.tenant_name, old.is_system_workflow, old.status, old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger executions_recounted after update of is_system_workflow, status, tenant_name, visibility, created_by on executions
    when (old.is_system_workflow, old.status, old.tenant_name, old.visibility, old.created_by) <> (new.is_system_workflow, new.status, new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('executions', old.tenant_name, old.is_system_workflow, old.status, old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('executions', new.tenant_name, new.is_system_workflow, new.status, new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger executions_of_workflow_counted after insert on executions begin
    insert into row_counts values ('executions_of_workflow', new.tenant_name, new.is_system_workflow, new.workflow_id, new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger executions_of_workflow_uncounted after delete on executions begin
    insert into row_counts values ('executions_of_workflow', old.tenant_name, old.is_system_workflow, old.workflow_id, old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger executions_of_workflow_recounted after update of is_system_workflow, workflow_id, tenant_name, visibility, created_by on executions
    when (old.is_system_workflow, old.workflow_id, old.tenant_name, old.visibility, old.created_by) <> (new.is_system_workflow, new.workflow_id, new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('executions_of_workflow', old.tenant_name, old.is_system_workflow, old.workflow_id, old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('executions_of_workflow', new.tenant_name, new.is_system_workflow, new.workflow_id, new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger events_counted after insert on events begin
    insert into row_counts values ('events', new.tenant_name, new.type, '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger events_uncounted after delete on events begin
    insert into row_counts values ('events', old.tenant_name, old.type, '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger events_recounted after update of type, tenant_name, visibility, created_by on events
    when (old.type, old.tenant_name, old.visibility, old.created_by) <> (new.type, new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('events', old.tenant_name, old.type, '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('events', new.tenant_name, new.type, '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger sites_counted after insert on sites begin
    insert into row_counts values ('sites', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger sites_uncounted after delete on sites begin
    insert into row_counts values ('sites', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger sites_recounted after update of tenant_name, visibility, created_by on sites
    when (old.tenant_name, old.visibility, old.created_by) <> (new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts values ('sites', old.tenant_name, '', '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1),
        ('sites', new.tenant_name, '', '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger tenants_counted after insert on tenants begin
    insert into row_counts values ('tenants', '', '', '', '', '', 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger tenants_uncounted after delete on tenants begin
    insert into row_counts values ('tenants', '', '', '', '', '', -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger users_counted after insert on users begin
    insert into row_counts values ('users', '', '', '', '', '', 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger users_uncounted after delete on users begin
    insert into row_counts values ('users', '', '', '', '', '', -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger user_groups_counted after insert on user_groups begin
    insert into row_counts values ('user_groups', '', '', '', '', '', 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger user_groups_uncounted after delete on user_groups begin
    insert into row_counts values ('user_groups', '', '', '', '', '', -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger tokens_counted after insert on tokens begin
    insert into row_counts values ('tokens', '', new.is_implicit, new.user_id, '', '', 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger tokens_uncounted after delete on tokens begin
    insert into row_counts values ('tokens', '', old.is_implicit, old.user_id, '', '', -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger tokens_recounted after update of is_implicit, user_id on tokens
    when (old.is_implicit, old.user_id) <> (new.is_implicit, new.user_id) begin
    insert into row_counts values ('tokens', '', old.is_implicit, old.user_id, '', '', -1),
        ('tokens', '', new.is_implicit, new.user_id, '', '', 1)
    on conflict do update set rows = rows + excluded.rows;
end;

-- Labels are counted by key and value, with what their owners' rows say: which keys and values there
-- are is a list too.
create trigger blueprint_labels_counted after insert on blueprint_labels begin
    insert into row_counts select 'blueprint_labels', tenant_name, new.key, new.value, visibility, iif(visibility = 'private', created_by, ''), 1
    from blueprints where key = new.blueprint_key
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger blueprint_labels_uncounted after delete on blueprint_labels begin
    insert into row_counts select 'blueprint_labels', tenant_name, old.key, old.value, visibility, iif(visibility = 'private', created_by, ''), -1
    from blueprints where key = old.blueprint_key
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger blueprint_labels_recounted after update of tenant_name, visibility, created_by on blueprints
    when (old.tenant_name, old.visibility, old.created_by) <> (new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts select 'blueprint_labels', old.tenant_name, key, value, old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1
    from blueprint_labels where blueprint_key = old.key
    on conflict do update set rows = rows + excluded.rows;
    insert into row_counts select 'blueprint_labels', new.tenant_name, key, value, new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1
    from blueprint_labels where blueprint_key = new.key
    on conflict do update set rows = rows + excluded.rows;
end;
-- A cascade would come when the owner's row is gone already.
create trigger blueprint_labels_leave before delete on blueprints begin
    delete from blueprint_labels where blueprint_key = old.key;
end;
create trigger deployment_labels_counted after insert on deployment_labels begin
    insert into row_counts select 'deployment_labels', tenant_name, new.key, new.value, visibility, iif(visibility = 'private', created_by, ''), 1
    from deployments where key = new.deployment_key
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger deployment_labels_uncounted after delete on deployment_labels begin
    insert into row_counts select 'deployment_labels', tenant_name, old.key, old.value, visibility, iif(visibility = 'private', created_by, ''), -1
    from deployments where key = old.deployment_key
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger deployment_labels_recounted after update of tenant_name, visibility, created_by on deployments
    when (old.tenant_name, old.visibility, old.created_by) <> (new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts select 'deployment_labels', old.tenant_name, key, value, old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1
    from deployment_labels where deployment_key = old.key
    on conflict do update set rows = rows + excluded.rows;
    insert into row_counts select 'deployment_labels', new.tenant_name, key, value, new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1
    from deployment_labels where deployment_key = new.key
    on conflict do update set rows = rows + excluded.rows;
end;
-- A cascade would come when the owner's row is gone already.
create trigger deployment_labels_leave before delete on deployments begin
    delete from deployment_labels where deployment_key = old.key;
end;

-- What is there already.
insert into row_counts
select 'blueprints', tenant_name, is_hidden, '', visibility, iif(visibility = 'private', created_by, ''), count(*)
from blueprints group by 2, 3, 4, 5, 6;
insert into row_counts
select 'deployments', tenant_name, installation_status, deployment_status, visibility, iif(visibility = 'private', created_by, ''), count(*)
from deployments group by 2, 3, 4, 5, 6;
insert into row_counts
select 'deployments_of_blueprint', tenant_name, blueprint_id, '', visibility, iif(visibility = 'private', created_by, ''), count(*)
from deployments group by 2, 3, 4, 5, 6;
insert into row_counts
select 'nodes', tenant_name, '', '', visibility, iif(visibility = 'private', created_by, ''), count(*)
from nodes group by 2, 3, 4, 5, 6;
insert into row_counts
select 'node_instances', tenant_name, state, '', visibility, iif(visibility = 'private', created_by, ''), count(*)
from node_instances group by 2, 3, 4, 5, 6;
insert into row_counts
select 'executions', tenant_name, is_system_workflow, status, visibility, iif(visibility = 'private', created_by, ''), count(*)
from executions group by 2, 3, 4, 5, 6;
insert into row_counts
select 'executions_of_workflow', tenant_name, is_system_workflow, workflow_id, visibility, iif(visibility = 'private', created_by, ''), count(*)
from executions group by 2, 3, 4, 5, 6;
insert into row_counts
select 'events', tenant_name, type, '', visibility, iif(visibility = 'private', created_by, ''), count(*)
from events group by 2, 3, 4, 5, 6;
insert into row_counts
select 'sites', tenant_name, '', '', visibility, iif(visibility = 'private', created_by, ''), count(*)
from sites group by 2, 3, 4, 5, 6;
insert into row_counts
select 'tenants', '', '', '', '', '', count(*) from tenants having count(*) > 0;
insert into row_counts
select 'users', '', '', '', '', '', count(*) from users having count(*) > 0;
insert into row_counts
select 'user_groups', '', '', '', '', '', count(*) from user_groups having count(*) > 0;
insert into row_counts
select 'tokens', '', is_implicit, user_id, '', '', count(*) from tokens group by 3, 4;
insert into row_counts
select 'blueprint_labels', tenant_name, l.key, value, visibility, iif(visibility = 'private', t.created_by, ''), count(*)
from blueprint_labels l join blueprints t on t.key = l.blueprint_key group by 2, 3, 4, 5, 6;
insert into row_counts
select 'deployment_labels', tenant_name, l.key, value, visibility, iif(visibility = 'private', t.created_by, ''), count(*)
from deployment_labels l join deployments t on t.key = l.deployment_key group by 2, 3, 4, 5, 6;

-- Totals under other filters are counted along an index that has what is looked at, ids for short
-- searches among it.
drop index blueprints_by_tenant;
create index blueprints_by_tenant on blueprints (tenant_name, key, visibility, created_by, is_hidden, id);
drop index deployments_by_tenant;
create index deployments_by_tenant on deployments (tenant_name, key, visibility, created_by, id);
drop index deployments_by_name;
create index deployments_by_name on deployments (tenant_name, display_name, key, visibility, created_by);
drop index nodes_by_tenant;
create index nodes_by_tenant on nodes (tenant_name, key, visibility, created_by, id);
drop index node_instances_by_tenant;
create index node_instances_by_tenant on node_instances (tenant_name, key, visibility, created_by, id);

-- Filters that nothing or little may pass: without these a page would look for its rows in the whole table.
create index deployments_by_status on deployments (tenant_name, deployment_status, key);
create index deployments_by_installation on deployments (tenant_name, installation_status, key);
create index node_instances_by_state on node_instances (tenant_name, state, key);
create index executions_by_status_and_creation on executions (tenant_name, status, created_at, key);

-- What is global is a list of its own, see `Scope::parts`: each filter and sort that has an index has
-- one of global rows too. Else SQLite looks for global rows among all that pass the filter.
drop index blueprints_global;
create index blueprints_global on blueprints (key, created_by, is_hidden, id) where visibility = 'global';
create index blueprints_global_by_id on blueprints (id, key) where visibility = 'global';
create index blueprints_global_by_creation on blueprints (created_at, key) where visibility = 'global';
create index blueprints_global_by_update on blueprints (updated_at, key) where visibility = 'global';
drop index deployments_global;
create index deployments_global on deployments (key, created_by, id) where visibility = 'global';
create index deployments_global_by_id on deployments (id, key) where visibility = 'global';
create index deployments_global_by_blueprint on deployments (blueprint_id, key) where visibility = 'global';
create index deployments_global_by_creation on deployments (created_at, key) where visibility = 'global';
create index deployments_global_by_name on deployments (display_name, key) where visibility = 'global';
create index deployments_global_by_status on deployments (deployment_status, key) where visibility = 'global';
create index deployments_global_by_installation on deployments (installation_status, key) where visibility = 'global';
drop index nodes_global;
create index nodes_global on nodes (key, created_by, id) where visibility = 'global';
create index nodes_global_by_deployment on nodes (deployment_id, key) where visibility = 'global';
drop index node_instances_global;
create index node_instances_global on node_instances (key, created_by, id) where visibility = 'global';
create index node_instances_global_by_deployment on node_instances (deployment_id, key) where visibility = 'global';
create index node_instances_global_by_state on node_instances (state, key) where visibility = 'global';
drop index executions_global;
create index executions_global on executions (key, created_by, is_system_workflow) where visibility = 'global';
create index executions_global_by_deployment on executions (deployment_id, key) where visibility = 'global';
create index executions_global_by_creation on executions (created_at, key) where visibility = 'global';
create index executions_global_by_status on executions (status, key) where visibility = 'global';
create index executions_global_by_status_and_creation on executions (status, created_at, key) where visibility = 'global';
create index executions_global_by_workflow on executions (workflow_id, key) where visibility = 'global';
