-- When a signal was told of the last time. One that comes from before this was kept is taken for told of when
-- the tick first finds it.
alter table status_signals add column last_seen text;
create index status_signals_by_last_seen on status_signals (source, last_seen);

-- For how many hours an alert that is not repeated still counts; 0 is for ever.
insert into config (scope, name, value, schema, is_editable, admin_only) values
    ('rest', 'alert_lifetime_hours', '168', '{"type":"integer","minimum":0,"maximum":87600}', 1, 1);
