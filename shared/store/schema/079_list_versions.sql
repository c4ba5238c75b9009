-- A number for each table whose lists remember totals that were counted: it is exchanged for another one, at random,
-- whenever a row comes, goes, or changes in what lists are selected by. So the same number means the same rows.
create table list_versions (
    name text primary key,
    version integer not null
) without rowid;
insert into list_versions values ('blueprints', random()), ('deployments', random());

create trigger blueprints_version_grows after insert on blueprints begin
    update list_versions set version = random() where name = 'blueprints';
end;
create trigger blueprints_version_shrinks after delete on blueprints begin
    update list_versions set version = random() where name = 'blueprints';
end;
create trigger blueprints_version_changes after update of id, tenant_name, created_by, visibility, state, is_hidden on blueprints
    when (old.id, old.tenant_name, old.created_by, old.visibility, old.state, old.is_hidden) is not (new.id, new.tenant_name, new.created_by, new.visibility, new.state, new.is_hidden) begin
    update list_versions set version = random() where name = 'blueprints';
end;
create trigger blueprint_labels_version_grows after insert on blueprint_labels begin
    update list_versions set version = random() where name = 'blueprints';
end;
create trigger blueprint_labels_version_shrinks after delete on blueprint_labels begin
    update list_versions set version = random() where name = 'blueprints';
end;
create trigger blueprint_labels_version_changes after update on blueprint_labels begin
    update list_versions set version = random() where name = 'blueprints';
end;
create trigger deployments_version_grows after insert on deployments begin
    update list_versions set version = random() where name = 'deployments';
end;
create trigger deployments_version_shrinks after delete on deployments begin
    update list_versions set version = random() where name = 'deployments';
end;
create trigger deployments_version_changes after update of id, tenant_name, created_by, visibility, blueprint_id, display_name, site_name, installation_status, deployment_status on deployments
    when (old.id, old.tenant_name, old.created_by, old.visibility, old.blueprint_id, old.display_name, old.site_name, old.installation_status, old.deployment_status) is not (new.id, new.tenant_name, new.created_by, new.visibility, new.blueprint_id, new.display_name, new.site_name, new.installation_status, new.deployment_status) begin
    update list_versions set version = random() where name = 'deployments';
end;
create trigger deployment_labels_version_grows after insert on deployment_labels begin
    update list_versions set version = random() where name = 'deployments';
end;
create trigger deployment_labels_version_shrinks after delete on deployment_labels begin
    update list_versions set version = random() where name = 'deployments';
end;
create trigger deployment_labels_version_changes after update on deployment_labels begin
    update list_versions set version = random() where name = 'deployments';
end;

-- With the number itself: SQLite preferred to read all numbers of a kind, of which labels have as many as values.
drop index row_counts_global;
create index row_counts_global on row_counts (counts, first, second, rows) where visibility = 'global';

-- In the order of lists: those of a site were sorted.
drop index deployments_by_site;
create index deployments_by_site on deployments (site_name, tenant_name, key) where site_name is not null;
create index deployments_global_by_site on deployments (site_name, key) where visibility = 'global' and site_name is not null;
