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
