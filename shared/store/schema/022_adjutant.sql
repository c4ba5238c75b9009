-- Adjutant: what people ask for, what administrators approve, and what is told of it.

-- Where mail about an account goes. Conductor's users need none. Two users may have the same one: who asks for a new
-- password names the user, and only without one does the address have to be nobody else's.
alter table users add column email text collate nocase;
create index users_by_email on users (email) where email is not null;

-- The project that a project is below, as Adjutant asks for it. It gives nobody any right.
alter table tenants add column parent_name text references tenants (name);
create index tenants_by_parent on tenants (parent_name) where parent_name is not null;

create table adjutant_tasks (
    key integer primary key,
    uuid text not null unique,
    task_type text not null,
    -- SHA-256 of the type and of what its actions were asked for: the same twice is a duplicate.
    hash_key text not null,
    -- Who asked, as JSON; `{}` for somebody without an account. No foreign keys: a task outlives them.
    keystone_user text not null default '{}',
    project_id text,
    ip_address text,
    approved_by text not null default '{}',
    task_notes text not null default '[]',
    action_notes text not null default '{}',
    approved integer not null default 0,
    completed integer not null default 0,
    cancelled integer not null default 0,
    -- The three as one number (1, 2 and 4), by which tasks are counted.
    standing integer not null default 0,
    created_on text not null,
    approved_on text,
    completed_on text
);
create index adjutant_tasks_by_time on adjutant_tasks (created_on, key);
create index adjutant_tasks_by_type on adjutant_tasks (task_type, created_on, key);
create index adjutant_tasks_by_project on adjutant_tasks (project_id, created_on, key);
create index adjutant_tasks_by_approval on adjutant_tasks (approved, created_on, key);
create index adjutant_tasks_by_completion on adjutant_tasks (completed, created_on, key);
create index adjutant_tasks_by_cancellation on adjutant_tasks (cancelled, created_on, key);
create index adjutant_tasks_by_end on adjutant_tasks (completed, completed_on, key);
create index adjutant_tasks_open on adjutant_tasks (hash_key) where completed = 0 and cancelled = 0;

create table adjutant_actions (
    key integer primary key,
    task_key integer not null references adjutant_tasks (key) on delete cascade,
    position integer not null,
    action_name text not null,
    -- What was asked for, as JSON, after the checks of its fields. Never a password.
    action_data text not null,
    -- What the action has made so far, as JSON, so that it makes nothing twice.
    cache text not null default '{}',
    state text not null default 'default',
    valid integer not null default 0,
    need_token integer not null default 0,
    auto_approve integer,
    created text not null,
    unique (task_key, position)
);

create table adjutant_tokens (
    key integer primary key,
    task_key integer not null references adjutant_tasks (key) on delete cascade,
    -- SHA-256, by which it is found, and the token encrypted: administrators may read it.
    digest text not null unique,
    sealed text not null,
    created_on text not null,
    expires text not null
);
create index adjutant_tokens_by_task on adjutant_tokens (task_key);
create index adjutant_tokens_by_time on adjutant_tokens (created_on, key);
create index adjutant_tokens_by_expiry on adjutant_tokens (expires);

create table adjutant_notifications (
    key integer primary key,
    uuid text not null unique,
    task_key integer not null references adjutant_tasks (key) on delete cascade,
    notes text not null,
    error integer not null default 0,
    acknowledged integer not null default 0,
    created_on text not null
);
create index adjutant_notifications_by_task on adjutant_notifications (task_key);
create index adjutant_notifications_by_time on adjutant_notifications (created_on, key);
create index adjutant_notifications_open on adjutant_notifications (acknowledged, created_on, key);
create index adjutant_notifications_errors on adjutant_notifications (error, acknowledged, created_on, key);

-- Mail on its way. It is written when it is sent, so that no token is in it before.
create table adjutant_mails (
    id text primary key,
    task_key integer not null references adjutant_tasks (key) on delete cascade,
    -- A mail with a token that is no more is not sent.
    token_key integer references adjutant_tokens (key) on delete cascade,
    -- `initial`, `token`, `completed`, or `warning` for the one to an old address.
    stage text not null,
    recipient text not null,
    attempts integer not null default 0,
    created_on text not null
) without rowid;
create index adjutant_mails_by_task on adjutant_mails (task_key);
create index adjutant_mails_by_token on adjutant_mails (token_key) where token_key is not null;

-- What strangers asked for within the last hour, by their address.
create table adjutant_submissions (
    key integer primary key,
    address text not null,
    at text not null
);
create index adjutant_submissions_by_address on adjutant_submissions (address, at);
create index adjutant_submissions_by_time on adjutant_submissions (at);

-- How much a tenant may have. What has no row is not limited.
create table tenant_quotas (
    tenant_name text not null references tenants (name) on delete cascade,
    region text not null,
    service text not null,
    resource text not null,
    quota integer not null,
    primary key (tenant_name, region, service, resource)
) without rowid;

-- A tenant may be made anew by somebody else, who must not read the tasks of the one before; nor must
-- invitations to that lead into this.
create trigger tenants_deleted_with_tasks after delete on tenants begin
    delete from adjutant_tokens where task_key in (select key from adjutant_tasks where project_id = old.name);
    update adjutant_tasks set cancelled = iif(completed, cancelled, 1),
        standing = iif(completed, standing, standing | 4), project_id = null
    where project_id = old.name;
end;

-- What is different from the settings that Adjutant begins with.
insert into config (scope, name, value, schema, is_editable, admin_only)
values ('adjutant', 'adjutant_settings', '{}', '{"type": "object"}', 1, 1);

-- Made by `Counts::triggers`, which a test compares with these.
create trigger adjutant_tasks_counted after insert on adjutant_tasks begin
    insert into row_counts values ('adjutant_tasks', '', new.task_type, new.standing, '', '', 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger adjutant_tasks_uncounted after delete on adjutant_tasks begin
    insert into row_counts values ('adjutant_tasks', '', old.task_type, old.standing, '', '', -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger adjutant_tasks_recounted after update of task_type, standing on adjutant_tasks
    when (old.task_type, old.standing) <> (new.task_type, new.standing) begin
    insert into row_counts values ('adjutant_tasks', '', old.task_type, old.standing, '', '', -1),
        ('adjutant_tasks', '', new.task_type, new.standing, '', '', 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger adjutant_notifications_counted after insert on adjutant_notifications begin
    insert into row_counts values ('adjutant_notifications', '', new.acknowledged, new.error, '', '', 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger adjutant_notifications_uncounted after delete on adjutant_notifications begin
    insert into row_counts values ('adjutant_notifications', '', old.acknowledged, old.error, '', '', -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger adjutant_notifications_recounted after update of acknowledged, error on adjutant_notifications
    when (old.acknowledged, old.error) <> (new.acknowledged, new.error) begin
    insert into row_counts values ('adjutant_notifications', '', old.acknowledged, old.error, '', '', -1),
        ('adjutant_notifications', '', new.acknowledged, new.error, '', '', 1)
    on conflict do update set rows = rows + excluded.rows;
end;
