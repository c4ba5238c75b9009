-- Sessions: what Keystone's API gives for a password, a token or another session. Clients ask for one for every
-- command, so there are many, and each ends by itself within an hour.

-- Goes up when a user gets another password, is shut out or let in again: sessions from before count no more. It is
-- a number and no time, so that clocks decide nothing.
alter table users add column session_epoch integer not null default 0;
create trigger users_leave_sessions after update of password_hash, active on users
    when new.password_hash <> old.password_hash or new.active <> old.active
    begin update users set session_epoch = session_epoch + 1 where id = new.id; end;

create table sessions (
    -- Chosen at random: it stands in the value and in logs, where it tells nothing.
    key integer primary key,
    user_id integer not null references users (id) on delete cascade,
    -- SHA-256 of the secret: 40 random characters need no slow hash.
    secret_hash text not null,
    -- The user's epoch when they proved who they are.
    epoch integer not null,
    -- A JSON list of the ways in which they did.
    methods text not null,
    scope text not null check (scope in ('unscoped', 'project', 'domain', 'system')),
    -- The project, if that is the scope: without it the session is none.
    tenant_name text references tenants (name) on delete cascade,
    -- What was shown for it, if that was no password: it ends with that.
    token_key integer references tokens (key) on delete cascade,
    parent_key integer references sessions (key) on delete cascade,
    -- The first session of the chain of which each was shown for the next.
    chain_key integer not null,
    -- How many came before it in the chain: what goes with each other may not be nested without an end.
    depth integer not null default 0,
    created_at text not null,
    expires_at text not null
);
create index sessions_by_user on sessions (user_id);
create index sessions_by_tenant on sessions (tenant_name) where tenant_name is not null;
create index sessions_by_token on sessions (token_key) where token_key is not null;
create index sessions_by_parent on sessions (parent_key) where parent_key is not null;
-- What was made from a session ends when it does. The younger ones are removed first, so none takes many along.
create index sessions_by_end on sessions (expires_at, created_at desc);

-- An expired one is refused by itself: sweeping it away disturbs nobody.
create trigger sessions_deleted after delete on sessions
    when old.expires_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
    begin update identity_version set version = version + 1; end;

-- Who asks whose session a value is: other services of an OpenStack cloud, and administrators.
insert into roles (name, type, description)
values ('service', 'tenant_role', 'Service that asks whose session a token of Keystone''s API is');
insert into permissions (role, permission)
values ('sys_admin', 'token_validate'), ('service', 'token_validate');
