-- Tokens that know which token made them, and failed logins by address and name.

-- The token that a token was made with, if it was one: it ends with that. Null when a password made it.
alter table tokens add column made_with integer references tokens (key) on delete cascade;
create index tokens_by_maker on tokens (made_with) where made_with is not null;

-- Whose password was guessed, in the case of the guess. Null for tokens, for names that nobody has, and once
-- the right password was given from there: such a row counts against its address only, for a minute.
alter table failed_logins add column username text collate nocase;
create index failed_logins_by_name on failed_logins (username, address, at) where username is not null;
create index failed_logins_nameless on failed_logins (at) where username is null;
-- A name may be given to somebody else.
create trigger users_deleted_with_failures after delete on users
    begin delete from failed_logins where username = old.username; end;

-- From where users have logged in with their passwords lately: strangers who lock an account lock none of these out.
create table familiar_addresses (
    user_id integer not null references users (id) on delete cascade,
    address text not null,
    at text not null,
    primary key (user_id, address)
) without rowid;

-- One counter for everybody let anybody lock anybody out.
drop trigger users_locked;
alter table users drop column failed_logins;
alter table users drop column last_failed_login_at;
