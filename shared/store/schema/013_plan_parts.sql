-- What plans give to deployments and nodes, each text once.
--
-- All deployments of a blueprint have the same workflows and policy types, and all nodes of a type the
-- same operations. Those are most of what there is to say about them, so rows name such texts.

create table plan_parts (
    key integer primary key,
    -- What tells texts apart, see `store::plan_parts`. Null only while this file is applied.
    hash text unique,
    text text not null
);

-- How many rows name a part; triggers count. A part that no row names is gone.
create table plan_part_uses (
    part_key integer primary key,
    uses integer not null
);
create trigger plan_parts_go after update of uses on plan_part_uses when new.uses <= 0 begin
    delete from plan_parts where key = new.part_key;
    delete from plan_part_uses where part_key = new.part_key;
end;

drop trigger instance_counts_inserted;
drop trigger instance_counts_changed;

-- Texts that are `{}` have no part. `workflow_parts` is a list: the workflows as they are shown in each of
-- the situations that `instance_counts` tells apart.
alter table deployments add column description_part integer;
alter table deployments add column outputs_part integer;
alter table deployments add column capabilities_part integer;
alter table deployments add column groups_part integer;
alter table deployments add column policy_types_part integer;
alter table deployments add column policy_triggers_part integer;
alter table deployments add column scaling_groups_part integer;
alter table deployments add column resource_tags_part integer;
alter table deployments add column workflow_parts text not null default '[]';

create table situation_workflows as
    select d.workflows, d.workflow_situations, s.value as situation,
        (select json_group_array(json_set(w.value, '$.is_available', json(case
            (d.workflow_situations ->> w.key) >> s.value & 1 when 1 then 'true' else 'false' end)))
         from json_each(d.workflows) w) as shown
    from (select distinct workflows, workflow_situations from deployments where workflow_situations <> '[]') d,
        json_each('[0, 1, 2, 3, 4]') s;
-- Restored deployments may have workflows without rules.
insert into situation_workflows
    select d.workflows, d.workflow_situations, s.value, d.workflows
    from (select distinct workflows, workflow_situations from deployments
          where workflow_situations = '[]' and workflows <> '[]') d, json_each('[0, 1, 2, 3, 4]') s;
create index situation_workflows_by_text on situation_workflows (workflows, workflow_situations, situation);

alter table nodes add column type_hierarchy_part integer;
alter table nodes add column operations_part integer;
alter table nodes add column relationships_part integer;
alter table nodes add column plugins_part integer;
alter table nodes add column plugins_to_install_part integer;

insert into plan_parts (text)
    select text from (select shown as text from situation_workflows
        union select description from deployments
        union select outputs from deployments
        union select capabilities from deployments
        union select groups from deployments
        union select policy_types from deployments
        union select policy_triggers from deployments
        union select scaling_groups from deployments
        union select resource_tags from deployments
        union select type_hierarchy from nodes
        union select operations from nodes
        union select relationships from nodes
        union select plugins from nodes
        union select plugins_to_install from nodes
    ) where text is not null and text <> 'null';
create index plan_parts_by_text on plan_parts (text);

update deployments set
    description_part = (select p.key from plan_parts p where p.text = description),
    outputs_part = (select p.key from plan_parts p where p.text = nullif(outputs, '{}')),
    capabilities_part = (select p.key from plan_parts p where p.text = nullif(capabilities, '{}')),
    groups_part = (select p.key from plan_parts p where p.text = nullif(groups, '{}')),
    policy_types_part = (select p.key from plan_parts p where p.text = nullif(policy_types, '{}')),
    policy_triggers_part = (select p.key from plan_parts p where p.text = nullif(policy_triggers, '{}')),
    scaling_groups_part = (select p.key from plan_parts p where p.text = nullif(scaling_groups, '{}')),
    resource_tags_part = (select p.key from plan_parts p where p.text = resource_tags),
    workflow_parts = coalesce((select json_group_array(key) from (
        select p.key from situation_workflows s join plan_parts p on p.text = s.shown
        where s.workflows = deployments.workflows and s.workflow_situations = deployments.workflow_situations
        order by s.situation)), '[]');
update nodes set
    type_hierarchy_part = (select p.key from plan_parts p where p.text = type_hierarchy),
    operations_part = (select p.key from plan_parts p where p.text = operations),
    relationships_part = (select p.key from plan_parts p where p.text = relationships),
    plugins_part = (select p.key from plan_parts p where p.text = plugins),
    plugins_to_install_part = (select p.key from plan_parts p where p.text = plugins_to_install);
drop index plan_parts_by_text;
drop table situation_workflows;

drop view available_workflows;
alter table deployments drop column description;
alter table deployments drop column outputs;
alter table deployments drop column capabilities;
alter table deployments drop column groups;
alter table deployments drop column policy_types;
alter table deployments drop column policy_triggers;
alter table deployments drop column scaling_groups;
alter table deployments drop column resource_tags;
alter table deployments drop column workflow_situations;
alter table deployments drop column workflows;
alter table nodes drop column type_hierarchy;
alter table nodes drop column operations;
alter table nodes drop column relationships;
alter table nodes drop column plugins;
alter table nodes drop column plugins_to_install;

insert into plan_part_uses (part_key, uses)
    select part, count(*) from (
        select distinct d.key, 'deployment', p.value as part from deployments d, json_each(json_array(
            d.description_part, d.outputs_part, d.capabilities_part, d.groups_part,
            d.policy_types_part, d.policy_triggers_part, d.scaling_groups_part, d.resource_tags_part)) p
        union select d.key, 'deployment', p.value from deployments d, json_each(d.workflow_parts) p
        union select n.key, 'node', p.value from nodes n, json_each(json_array(n.type_hierarchy_part,
            n.operations_part, n.relationships_part, n.plugins_part, n.plugins_to_install_part)) p
    ) where part is not null group by part;
-- Such as `{}`.
delete from plan_parts where key not in (select part_key from plan_part_uses);

create trigger deployments_name_parts after insert on deployments begin
    insert into plan_part_uses (part_key, uses) select part, 1 from (
        select new.description_part as part union select new.outputs_part
        union select new.capabilities_part union select new.groups_part
        union select new.policy_types_part union select new.policy_triggers_part
        union select new.scaling_groups_part union select new.resource_tags_part
        union select value from json_each(new.workflow_parts)) where part is not null
    on conflict (part_key) do update set uses = uses + 1;
end;
create trigger deployments_change_parts after update of description_part, outputs_part, capabilities_part, groups_part,
        policy_types_part, policy_triggers_part, scaling_groups_part, resource_tags_part, workflow_parts on deployments begin
    insert into plan_part_uses (part_key, uses) select part, 1 from (
        select new.description_part as part union select new.outputs_part
        union select new.capabilities_part union select new.groups_part
        union select new.policy_types_part union select new.policy_triggers_part
        union select new.scaling_groups_part union select new.resource_tags_part
        union select value from json_each(new.workflow_parts)) where part is not null
    on conflict (part_key) do update set uses = uses + 1;
    update plan_part_uses set uses = uses - 1 where part_key in (
        select old.description_part as part union select old.outputs_part
        union select old.capabilities_part union select old.groups_part
        union select old.policy_types_part union select old.policy_triggers_part
        union select old.scaling_groups_part union select old.resource_tags_part
        union select value from json_each(old.workflow_parts));
end;
create trigger deployments_let_go_of_parts after delete on deployments begin
    update plan_part_uses set uses = uses - 1 where part_key in (
        select old.description_part as part union select old.outputs_part
        union select old.capabilities_part union select old.groups_part
        union select old.policy_types_part union select old.policy_triggers_part
        union select old.scaling_groups_part union select old.resource_tags_part
        union select value from json_each(old.workflow_parts));
end;

create trigger nodes_name_parts after insert on nodes begin
    insert into plan_part_uses (part_key, uses) select part, 1 from (
        select new.type_hierarchy_part as part union select new.operations_part
        union select new.relationships_part union select new.plugins_part
        union select new.plugins_to_install_part) where part is not null
    on conflict (part_key) do update set uses = uses + 1;
end;
create trigger nodes_change_parts after update of type_hierarchy_part, operations_part, relationships_part, plugins_part,
        plugins_to_install_part on nodes begin
    insert into plan_part_uses (part_key, uses) select part, 1 from (
        select new.type_hierarchy_part as part union select new.operations_part
        union select new.relationships_part union select new.plugins_part
        union select new.plugins_to_install_part) where part is not null
    on conflict (part_key) do update set uses = uses + 1;
    update plan_part_uses set uses = uses - 1 where part_key in (
        select old.type_hierarchy_part as part union select old.operations_part
        union select old.relationships_part union select old.plugins_part
        union select old.plugins_to_install_part);
end;
create trigger nodes_let_go_of_parts after delete on nodes begin
    update plan_part_uses set uses = uses - 1 where part_key in (
        select old.type_hierarchy_part as part union select old.operations_part
        union select old.relationships_part union select old.plugins_part
        union select old.plugins_to_install_part);
end;

-- Nodes with their texts.
create view whole_nodes as select n.*,
    (select p.text from plan_parts p where p.key = n.type_hierarchy_part) as type_hierarchy,
    (select p.text from plan_parts p where p.key = n.operations_part) as operations,
    (select p.text from plan_parts p where p.key = n.relationships_part) as relationships,
    (select p.text from plan_parts p where p.key = n.plugins_part) as plugins,
    (select p.text from plan_parts p where p.key = n.plugins_to_install_part) as plugins_to_install
from nodes n;
