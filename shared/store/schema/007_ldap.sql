-- Logging in through a directory.

-- What other servers ask for, encrypted with the application's key: it has to be read again.
create table sealed_values (
    name text primary key,
    value text not null
) without rowid;

-- Who was recognised by one directory is nobody to another.
create trigger config_ldap_updated after update of value, updated_at on config
    when new.name in ('ldap_server', 'ldap_username')
    begin update identity_version set version = version + 1; end;
