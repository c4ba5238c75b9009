-- From which address a change was asked for; nothing where no request did.
alter table audit_log add column address text;
