-- Whether whoever asked for an update sees what is private of others: it is carried out with their rights.
alter table deployment_updates add column sees_private integer not null default 0;

-- Those that are under way began with the rights of the application.
update deployment_updates set sees_private = 1;
