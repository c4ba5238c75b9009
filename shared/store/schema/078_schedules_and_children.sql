-- Schedules that blueprints gave before their definitions were kept counted as people's, so updates left them alone.
-- One that was made while the deployment's environment was can be nobody else's: people's come when that is there.
-- What the blueprint said of it is what the one says that the deployment was made of. Where that is not known any
-- more it is an object without fields, which differs from whatever a blueprint says.
update execution_schedules set definition = coalesce(
    (with of_plan (text, key) as (
         select coalesce(nullif(p.stored, ''),
             (select group_concat(text, '') from (
                 select text from blueprint_plan_pieces
                 where blueprint_key = p.blueprint_key and form = 'stored' order by number))),
             '.deployment_settings.default_schedules."' || execution_schedules.id || '"'
         from deployments d
         join blueprints b on b.tenant_name = d.tenant_name and b.id = coalesce(
             (select old_blueprint_id from deployment_updates
              where deployment_key = d.key and state = 'successful' order by key limit 1), d.blueprint_id)
         join blueprint_plans p on p.blueprint_key = b.key
         where d.key = execution_schedules.deployment_key
             -- Another one by that name may be there since.
             and b.created_at <= execution_schedules.created_at)
     -- The second is how plans were kept at first.
     select coalesce(text -> ('$.sections' || key), text -> ('$' || key)) from of_plan),
    '{}')
where definition is null and exists (
    select 1 from deployments d join executions e on e.id = d.create_execution
    where d.key = execution_schedules.deployment_key
        and execution_schedules.created_at between e.started_at and e.ended_at);

-- How many children a deployment has of each kind and status, with the sums of what is below them. A parent of
-- thousands is brought up to date after each of them by these few rows instead of by theirs.
create table child_sums (
    tenant_name text not null,
    parent_id text not null,
    is_environment integer not null,
    deployment_status text not null,
    -- Empty where there is nothing below.
    sub_services_status text not null,
    sub_environments_status text not null,
    children integer not null,
    sub_services_count integer not null,
    sub_environments_count integer not null,
    primary key (tenant_name, parent_id, is_environment, deployment_status, sub_services_status, sub_environments_status)
) without rowid;
create trigger child_sums_go after update of children on child_sums when new.children <= 0 begin
    delete from child_sums where tenant_name = new.tenant_name and parent_id = new.parent_id
        and is_environment = new.is_environment and deployment_status = new.deployment_status
        and sub_services_status = new.sub_services_status
        and sub_environments_status = new.sub_environments_status;
end;
create trigger child_sums_follow after update of deployment_status, sub_services_status, sub_services_count,
    sub_environments_status, sub_environments_count on deployments
    when (old.deployment_status, old.sub_services_status, old.sub_services_count, old.sub_environments_status, old.sub_environments_count)
        is not (new.deployment_status, new.sub_services_status, new.sub_services_count, new.sub_environments_status, new.sub_environments_count)
begin
    insert into child_sums select old.tenant_name, l.value, exists (
            select 1 from deployment_labels e
            where e.deployment_key = old.key and e.key = 'csys-obj-type' and e.value = 'environment'), old.deployment_status,
        coalesce(old.sub_services_status, ''), coalesce(old.sub_environments_status, ''),
        -1, -old.sub_services_count, -old.sub_environments_count
    from deployment_labels l
    where l.deployment_key = old.key and l.key = 'csys-obj-parent' and l.value <> old.id
    on conflict do update set children = children + excluded.children,
        sub_services_count = sub_services_count + excluded.sub_services_count,
        sub_environments_count = sub_environments_count + excluded.sub_environments_count;
    insert into child_sums select new.tenant_name, l.value, exists (
            select 1 from deployment_labels e
            where e.deployment_key = new.key and e.key = 'csys-obj-type' and e.value = 'environment'), new.deployment_status,
        coalesce(new.sub_services_status, ''), coalesce(new.sub_environments_status, ''),
        1, new.sub_services_count, new.sub_environments_count
    from deployment_labels l
    where l.deployment_key = new.key and l.key = 'csys-obj-parent' and l.value <> new.id
    on conflict do update set children = children + excluded.children,
        sub_services_count = sub_services_count + excluded.sub_services_count,
        sub_environments_count = sub_environments_count + excluded.sub_environments_count;
end;
create trigger child_sums_come after insert on deployment_labels when new.key = 'csys-obj-parent' begin
    insert into child_sums select d.tenant_name, new.value, exists (
            select 1 from deployment_labels e
            where e.deployment_key = d.key and e.key = 'csys-obj-type' and e.value = 'environment'), d.deployment_status,
        coalesce(d.sub_services_status, ''), coalesce(d.sub_environments_status, ''),
        1, d.sub_services_count, d.sub_environments_count
    from deployments d where d.key = new.deployment_key and d.id <> new.value
    on conflict do update set children = children + excluded.children,
        sub_services_count = sub_services_count + excluded.sub_services_count,
        sub_environments_count = sub_environments_count + excluded.sub_environments_count;
end;
create trigger child_sums_leave after delete on deployment_labels when old.key = 'csys-obj-parent' begin
    insert into child_sums select d.tenant_name, old.value, exists (
            select 1 from deployment_labels e
            where e.deployment_key = d.key and e.key = 'csys-obj-type' and e.value = 'environment'), d.deployment_status,
        coalesce(d.sub_services_status, ''), coalesce(d.sub_environments_status, ''),
        -1, -d.sub_services_count, -d.sub_environments_count
    from deployments d where d.key = old.deployment_key and d.id <> old.value
    on conflict do update set children = children + excluded.children,
        sub_services_count = sub_services_count + excluded.sub_services_count,
        sub_environments_count = sub_environments_count + excluded.sub_environments_count;
end;
create trigger child_sums_become_environments after insert on deployment_labels
    when new.key = 'csys-obj-type' and new.value = 'environment' begin
    insert into child_sums select d.tenant_name, l.value, 0, d.deployment_status,
        coalesce(d.sub_services_status, ''), coalesce(d.sub_environments_status, ''),
        -1, -d.sub_services_count, -d.sub_environments_count
    from deployments d join deployment_labels l on l.deployment_key = d.key
    where d.key = new.deployment_key and l.key = 'csys-obj-parent' and l.value <> d.id
    on conflict do update set children = children + excluded.children,
        sub_services_count = sub_services_count + excluded.sub_services_count,
        sub_environments_count = sub_environments_count + excluded.sub_environments_count;
    insert into child_sums select d.tenant_name, l.value, 1, d.deployment_status,
        coalesce(d.sub_services_status, ''), coalesce(d.sub_environments_status, ''),
        1, d.sub_services_count, d.sub_environments_count
    from deployments d join deployment_labels l on l.deployment_key = d.key
    where d.key = new.deployment_key and l.key = 'csys-obj-parent' and l.value <> d.id
    on conflict do update set children = children + excluded.children,
        sub_services_count = sub_services_count + excluded.sub_services_count,
        sub_environments_count = sub_environments_count + excluded.sub_environments_count;
end;
create trigger child_sums_become_services after delete on deployment_labels
    when old.key = 'csys-obj-type' and old.value = 'environment' begin
    insert into child_sums select d.tenant_name, l.value, 1, d.deployment_status,
        coalesce(d.sub_services_status, ''), coalesce(d.sub_environments_status, ''),
        -1, -d.sub_services_count, -d.sub_environments_count
    from deployments d join deployment_labels l on l.deployment_key = d.key
    where d.key = old.deployment_key and l.key = 'csys-obj-parent' and l.value <> d.id
    on conflict do update set children = children + excluded.children,
        sub_services_count = sub_services_count + excluded.sub_services_count,
        sub_environments_count = sub_environments_count + excluded.sub_environments_count;
    insert into child_sums select d.tenant_name, l.value, 0, d.deployment_status,
        coalesce(d.sub_services_status, ''), coalesce(d.sub_environments_status, ''),
        1, d.sub_services_count, d.sub_environments_count
    from deployments d join deployment_labels l on l.deployment_key = d.key
    where d.key = old.deployment_key and l.key = 'csys-obj-parent' and l.value <> d.id
    on conflict do update set children = children + excluded.children,
        sub_services_count = sub_services_count + excluded.sub_services_count,
        sub_environments_count = sub_environments_count + excluded.sub_environments_count;
end;
insert into child_sums
select d.tenant_name, l.value, exists (
        select 1 from deployment_labels e
        where e.deployment_key = d.key and e.key = 'csys-obj-type' and e.value = 'environment'),
    d.deployment_status, coalesce(d.sub_services_status, ''), coalesce(d.sub_environments_status, ''),
    count(*), sum(d.sub_services_count), sum(d.sub_environments_count)
from deployment_labels l join deployments d on d.key = l.deployment_key
where l.key = 'csys-obj-parent' and l.value <> d.id
group by 1, 2, 3, 4, 5, 6;
