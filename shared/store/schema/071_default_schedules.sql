-- What a blueprint says of a schedule that it gave to the deployment, JSON: an update compares it with what
-- the new one says. Null for schedules that people made.
alter table execution_schedules add column definition text;
