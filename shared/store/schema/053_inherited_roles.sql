-- Roles that count in every tenant below one, however far down, and not in itself: Keystone's `OS-INHERIT`. Adjutant gives
-- them. One row says so for all of those tenants; what somebody is in one of them is found by walking up or down.
create table inherited_roles (
    tenant_name text not null references tenants (name) on delete cascade,
    user_id integer not null references users (id) on delete cascade,
    role text not null,
    primary key (user_id, tenant_name)
) without rowid;
create index inherited_roles_by_tenant on inherited_roles (tenant_name);

-- Instances remember what a caller is.
create trigger inherited_roles_inserted after insert on inherited_roles
    begin update identity_version set version = version + 1; end;
create trigger inherited_roles_updated after update on inherited_roles
    begin update identity_version set version = version + 1; end;
create trigger inherited_roles_deleted after delete on inherited_roles
    begin update identity_version set version = version + 1; end;
create trigger tenants_moved after update of parent_name on tenants
    begin update identity_version set version = version + 1; end;
