-- What was shown for a session is looked for when the session is, instead of taking all of its sessions along when it
-- goes: one token can be shown for as many as there are commands, and ending it is one row now. The rest expires within
-- the hour and is swept. A token is named by its id, since the number of one that was deleted is given out again.
create table sessions_alone (
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
insert into sessions_alone
select s.key, s.user_id, s.secret_hash, s.epoch, s.methods, s.scope, s.tenant_name, t.id, s.parent_key, s.chain_key,
    s.depth, s.created_at, s.expires_at
from sessions s left join tokens t on t.key = s.token_key;
drop trigger sessions_deleted;
drop table sessions;
alter table sessions_alone rename to sessions;

create index sessions_by_user on sessions (user_id);
create index sessions_by_tenant on sessions (tenant_name) where tenant_name is not null;
create index sessions_by_end on sessions (expires_at, created_at desc);

-- An expired one is refused by itself: sweeping it away disturbs nobody.
create trigger sessions_deleted after delete on sessions
    when old.expires_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
    begin update identity_version set version = version + 1; end;
