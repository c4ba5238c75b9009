-- In whose name pipelines run, before that user is deleted.
create index pipelines_by_actor on pipelines (runs_as);
-- The hierarchy is walked along the mappings' own key, and nothing is asked upwards.
drop index directory_hierarchy;
drop index directory_hierarchy_up;
