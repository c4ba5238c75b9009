-- For how many days events and executions that have ended are kept; 0 is for ever. The tick takes what is
-- older away in pieces.
insert into config (scope, name, value, schema, is_editable, admin_only) values
    ('rest', 'event_retention_days', '0', '{"type":"integer","minimum":0,"maximum":36500}', 1, 1),
    ('rest', 'execution_retention_days', '0', '{"type":"integer","minimum":0,"maximum":36500}', 1, 1);

-- The way to those that ended long ago.
create index executions_ended on executions (ended_at, key) where ended_at is not null;
