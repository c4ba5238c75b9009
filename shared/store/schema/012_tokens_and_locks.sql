-- Tokens that know which token made them, and failed logins by address and name.

-- The token that a token was made with, if it was one: it ends with that. Null when a password made it.
alter table tokens add column made_with integer references tokens (key) on delete cascade;
create index tokens_by_maker on tokens (made_with) where made_with is not null;
