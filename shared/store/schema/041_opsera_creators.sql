-- What somebody has made, before their user is deleted.
create index tools_by_creator on tools (created_by);
create index pipelines_by_creator on pipelines (created_by);
