-- Searches by substring: which groups of three letters the ids and names have.
--
-- An index says which rows may match, never which do: the search looks at those rows itself. Writing
-- one row to an index costs a transaction about as much as writing hundreds, so rows enter by
-- hundreds; those after `up_to` are not in it yet and few. `core/src/list/search.rs` reads both.
--
-- `detail` and `columnsize` leave out what only phrases and rankings need.

create table search_indexes (
    name text primary key,
    -- The last key that is in it.
    up_to integer not null
) without rowid;

create virtual table blueprints_search using fts5 (id, content = 'blueprints', content_rowid = 'key',
    tokenize = 'trigram', detail = 'none', columnsize = 0);
insert into blueprints_search (rowid, id) select key, id from blueprints;
insert into search_indexes select 'blueprints_search', coalesce(max(key), 0) from blueprints;
-- A row whose key is not after all others enters at once.
create trigger blueprints_search_inserted after insert on blueprints
    when new.key not between 1 + (select up_to from search_indexes where name = 'blueprints_search')
        and 255 + (select up_to from search_indexes where name = 'blueprints_search') begin
    insert into blueprints_search (rowid, id) select key, id from blueprints
        where key <= new.key and key > min(new.key - 1, (select up_to from search_indexes where name = 'blueprints_search'));
    update search_indexes set up_to = max(up_to, new.key) where name = 'blueprints_search';
end;
create trigger blueprints_search_deleted after delete on blueprints
    when old.key <= (select up_to from search_indexes where name = 'blueprints_search') begin
    insert into blueprints_search (blueprints_search, rowid, id) values ('delete', old.key, old.id);
end;
create trigger blueprints_search_updated after update of id on blueprints
    when old.key <= (select up_to from search_indexes where name = 'blueprints_search') and (old.id <> new.id) begin
    insert into blueprints_search (blueprints_search, rowid, id) values ('delete', old.key, old.id);
    insert into blueprints_search (rowid, id) values (new.key, new.id);
end;

create virtual table deployments_search using fts5 (id, display_name, content = 'deployments', content_rowid = 'key',
    tokenize = 'trigram', detail = 'none', columnsize = 0);
insert into deployments_search (rowid, id, display_name) select key, id, display_name from deployments;
insert into search_indexes select 'deployments_search', coalesce(max(key), 0) from deployments;
-- A row whose key is not after all others enters at once.
create trigger deployments_search_inserted after insert on deployments
    when new.key not between 1 + (select up_to from search_indexes where name = 'deployments_search')
        and 255 + (select up_to from search_indexes where name = 'deployments_search') begin
    insert into deployments_search (rowid, id, display_name) select key, id, display_name from deployments
        where key <= new.key and key > min(new.key - 1, (select up_to from search_indexes where name = 'deployments_search'));
    update search_indexes set up_to = max(up_to, new.key) where name = 'deployments_search';
end;
create trigger deployments_search_deleted after delete on deployments
    when old.key <= (select up_to from search_indexes where name = 'deployments_search') begin
    insert into deployments_search (deployments_search, rowid, id, display_name) values ('delete', old.key, old.id, old.display_name);
end;
create trigger deployments_search_updated after update of id, display_name on deployments
    when old.key <= (select up_to from search_indexes where name = 'deployments_search') and (old.id <> new.id or old.display_name <> new.display_name) begin
    insert into deployments_search (deployments_search, rowid, id, display_name) values ('delete', old.key, old.id, old.display_name);
    insert into deployments_search (rowid, id, display_name) values (new.key, new.id, new.display_name);
end;

create virtual table nodes_search using fts5 (id, content = 'nodes', content_rowid = 'key',
    tokenize = 'trigram', detail = 'none', columnsize = 0);
insert into nodes_search (rowid, id) select key, id from nodes;
insert into search_indexes select 'nodes_search', coalesce(max(key), 0) from nodes;
-- A row whose key is not after all others enters at once.
create trigger nodes_search_inserted after insert on nodes
    when new.key not between 1 + (select up_to from search_indexes where name = 'nodes_search')
        and 255 + (select up_to from search_indexes where name = 'nodes_search') begin
    insert into nodes_search (rowid, id) select key, id from nodes
        where key <= new.key and key > min(new.key - 1, (select up_to from search_indexes where name = 'nodes_search'));
    update search_indexes set up_to = max(up_to, new.key) where name = 'nodes_search';
end;
create trigger nodes_search_deleted after delete on nodes
    when old.key <= (select up_to from search_indexes where name = 'nodes_search') begin
    insert into nodes_search (nodes_search, rowid, id) values ('delete', old.key, old.id);
end;
create trigger nodes_search_updated after update of id on nodes
    when old.key <= (select up_to from search_indexes where name = 'nodes_search') and (old.id <> new.id) begin
    insert into nodes_search (nodes_search, rowid, id) values ('delete', old.key, old.id);
    insert into nodes_search (rowid, id) values (new.key, new.id);
end;

create virtual table node_instances_search using fts5 (id, content = 'node_instances', content_rowid = 'key',
    tokenize = 'trigram', detail = 'none', columnsize = 0);
insert into node_instances_search (rowid, id) select key, id from node_instances;
insert into search_indexes select 'node_instances_search', coalesce(max(key), 0) from node_instances;
-- A row whose key is not after all others enters at once.
create trigger node_instances_search_inserted after insert on node_instances
    when new.key not between 1 + (select up_to from search_indexes where name = 'node_instances_search')
        and 255 + (select up_to from search_indexes where name = 'node_instances_search') begin
    insert into node_instances_search (rowid, id) select key, id from node_instances
        where key <= new.key and key > min(new.key - 1, (select up_to from search_indexes where name = 'node_instances_search'));
    update search_indexes set up_to = max(up_to, new.key) where name = 'node_instances_search';
end;
create trigger node_instances_search_deleted after delete on node_instances
    when old.key <= (select up_to from search_indexes where name = 'node_instances_search') begin
    insert into node_instances_search (node_instances_search, rowid, id) values ('delete', old.key, old.id);
end;
create trigger node_instances_search_updated after update of id on node_instances
    when old.key <= (select up_to from search_indexes where name = 'node_instances_search') and (old.id <> new.id) begin
    insert into node_instances_search (node_instances_search, rowid, id) values ('delete', old.key, old.id);
    insert into node_instances_search (rowid, id) values (new.key, new.id);
end;
