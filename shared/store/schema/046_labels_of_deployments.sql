-- How many deployments have labels of a key at all. Where that is as many as there are labels of the key, no
-- deployment has two of them, and what has one of several values is a sum.
insert into row_counts
select 'deployment_label_keys', tenant_name, label_key, '', visibility, iif(visibility = 'private', created_by, ''), count(*)
from (select distinct l.deployment_key, l.key as label_key, o.tenant_name, o.visibility, o.created_by
    from deployment_labels l join deployments o on o.key = l.deployment_key)
group by 2, 3, 5, 6;

create trigger deployment_label_keys_counted after insert on deployment_labels
    when not exists (select 1 from deployment_labels
        where deployment_key = new.deployment_key and key = new.key and value <> new.value) begin
    insert into row_counts select 'deployment_label_keys', tenant_name, new.key, '', visibility, iif(visibility = 'private', created_by, ''), 1
    from deployments where key = new.deployment_key
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger deployment_label_keys_uncounted after delete on deployment_labels
    when not exists (select 1 from deployment_labels where deployment_key = old.deployment_key and key = old.key) begin
    insert into row_counts select 'deployment_label_keys', tenant_name, old.key, '', visibility, iif(visibility = 'private', created_by, ''), -1
    from deployments where key = old.deployment_key
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger deployment_label_keys_recounted after update of tenant_name, visibility, created_by on deployments
    when (old.tenant_name, old.visibility, old.created_by) <> (new.tenant_name, new.visibility, new.created_by) begin
    insert into row_counts select distinct 'deployment_label_keys', old.tenant_name, key, '', old.visibility, iif(old.visibility = 'private', old.created_by, ''), -1
    from deployment_labels where deployment_key = old.key
    on conflict do update set rows = rows + excluded.rows;
    insert into row_counts select distinct 'deployment_label_keys', new.tenant_name, key, '', new.visibility, iif(new.visibility = 'private', new.created_by, ''), 1
    from deployment_labels where deployment_key = new.key
    on conflict do update set rows = rows + excluded.rows;
end;
