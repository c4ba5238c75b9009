-- How often things happened since the database was made, for `/metrics`: a row for each kind of thing, counted
-- where it is written anyway.
create table event_counters (
    name text primary key,
    count integer not null default 0
) without rowid;
insert into event_counters (name) values ('logins'), ('login_failures'), ('executions_failed'), ('executions_terminated');

-- A login is noted with its user at most once a minute; one that failed is a row of its own.
create trigger users_logged_in_counted after update of last_login_at on users
    when new.last_login_at is not null and new.last_login_at is not old.last_login_at
    begin update event_counters set count = count + 1 where name = 'logins'; end;
create trigger failed_logins_counted after insert on failed_logins
    begin update event_counters set count = count + 1 where name = 'login_failures'; end;
create trigger executions_ended_counted after update of status on executions
    when new.status <> old.status and new.status in ('failed', 'terminated')
    begin update event_counters set count = count + 1 where name = 'executions_' || new.status; end;
