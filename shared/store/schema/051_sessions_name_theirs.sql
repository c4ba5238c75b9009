-- Sessions name their user and their project instead of referring to them. A user can have as many as there are commands
-- in an hour, and a project of many users more: deleting either took all of them along in one transaction. What is left
-- of them finds neither user nor project any more, and is swept within the hour.
create table sessions_by_name (
    -- Chosen at random: it stands in the value and in logs, where it tells nothing.
    key integer primary key,
    user_id integer not null,
    -- SHA-256 of the secret: 40 random characters need no slow hash.
    secret_hash text not null,
    -- The user's epoch when they proved who they are.
    epoch integer not null,
    -- A JSON list of the ways in which they did.
    methods text not null,
    scope text not null check (scope in ('unscoped', 'project', 'domain', 'system')),
    -- The project, if that is the scope: without it the session is none.
    tenant_name text,
    -- What was shown for it, if that was no password: without it the session is none.
    token_id text,
    parent_key integer,
    -- The first session of the chain of which each was shown for the next.
    chain_key integer not null,
    -- How many came before it in the chain: so many are looked for, up to one for a password or a token.
    depth integer not null default 0,
    created_at text not null,
    expires_at text not null
);
insert into sessions_by_name
select key, user_id, secret_hash, epoch, methods, scope, tenant_name, token_id, parent_key, chain_key, depth, created_at,
    expires_at
from sessions;
drop trigger sessions_deleted;
drop table sessions;
alter table sessions_by_name rename to sessions;

create index sessions_by_end on sessions (expires_at, created_at desc);

-- An expired one is refused by itself: sweeping it away disturbs nobody.
create trigger sessions_deleted after delete on sessions
    when old.expires_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
    begin update identity_version set version = version + 1; end;

-- The number of a user who was deleted is given out again. Epochs begin anywhere, so that no session of the one before is
-- one of the new user's.
create trigger users_begin_an_epoch after insert on users
    begin update users set session_epoch = random() & 0x3fffffffffffffff where id = new.id; end;
