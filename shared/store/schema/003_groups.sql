-- Groups of users: what a group is and where, each of its users is too.

create table user_groups (
    id integer primary key,
    name text not null unique collate nocase,
    -- The directory's name for the group, when its users come from there.
    ldap_dn text unique collate nocase,
    role text not null,
    created_at text not null
);

create table group_users (
    group_id integer not null references user_groups (id) on delete cascade,
    user_id integer not null references users (id) on delete cascade,
    primary key (user_id, group_id)
) without rowid;
create index group_users_by_group on group_users (group_id);

create table tenant_groups (
    tenant_name text not null references tenants (name) on delete cascade,
    group_id integer not null references user_groups (id) on delete cascade,
    role text not null,
    primary key (group_id, tenant_name)
) without rowid;
create index tenant_groups_by_tenant on tenant_groups (tenant_name);

-- Whoever is not the last of these may be deleted, demoted or deactivated.
create index users_active_administrators on users (id) where role = 'sys_admin' and active;

-- A new group has no users yet; all else changes what callers may do from the next request on.
create trigger user_groups_updated after update of role on user_groups begin update identity_version set version = version + 1; end;
create trigger user_groups_deleted after delete on user_groups begin update identity_version set version = version + 1; end;
create trigger group_users_inserted after insert on group_users begin update identity_version set version = version + 1; end;
create trigger group_users_deleted after delete on group_users begin update identity_version set version = version + 1; end;
create trigger tenant_groups_inserted after insert on tenant_groups begin update identity_version set version = version + 1; end;
create trigger tenant_groups_updated after update on tenant_groups begin update identity_version set version = version + 1; end;
create trigger tenant_groups_deleted after delete on tenant_groups begin update identity_version set version = version + 1; end;
