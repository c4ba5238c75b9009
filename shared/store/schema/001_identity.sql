-- Who may do what: tenants, users, roles, permissions, tokens; settings; the audit trail.
--
-- Names are the keys that other tables refer to: the API neither renames tenants nor users, and a
-- page of a list then needs no join to show them.

create table tenants (
    id integer primary key,
    name text not null unique,
    created_at text not null
);

create table users (
    id integer primary key,
    username text not null unique collate nocase,
    -- argon2id, in PHC form. Never leaves the database but for an administrator who asks.
    password_hash text not null,
    role text not null,
    active integer not null default 1,
    failed_logins integer not null default 0,
    last_failed_login_at text,
    first_login_at text,
    last_login_at text,
    show_getting_started integer not null default 1,
    created_at text not null
);

create table tenant_users (
    tenant_name text not null references tenants (name) on delete cascade,
    user_id integer not null references users (id) on delete cascade,
    role text not null,
    primary key (user_id, tenant_name)
) without rowid;
create index tenant_users_by_tenant on tenant_users (tenant_name);

create table roles (
    id integer primary key,
    name text not null unique,
    type text not null check (type in ('system_role', 'tenant_role')),
    description text not null
);

create table permissions (
    role text not null references roles (name) on delete cascade,
    permission text not null,
    primary key (role, permission)
) without rowid;

create table tokens (
    key integer primary key,
    id text not null unique,
    user_id integer not null references users (id) on delete cascade,
    -- SHA-256 of the secret: 40 random characters need no slow hash.
    secret_hash text not null,
    description text,
    expiration_date text,
    last_used text,
    -- Made by `GET /tokens` for clients of the older form; reused for an hour, never listed.
    is_implicit integer not null default 0,
    created_at text not null
);
create index tokens_by_user on tokens (user_id);
create index tokens_implicit on tokens (user_id, created_at) where is_implicit = 1;

-- One number that changes with everything an instance may remember about callers. Reading it
-- is how a remembered caller is known to be still right.
create table identity_version (version integer not null);
insert into identity_version values (1);

create trigger users_inserted after insert on users begin update identity_version set version = version + 1; end;
create trigger users_deleted after delete on users begin update identity_version set version = version + 1; end;
create trigger users_updated after update of username, password_hash, role, active on users
    begin update identity_version set version = version + 1; end;
-- The counter matters to remembered callers only when it locks or unlocks the account.
create trigger users_locked after update of failed_logins on users
    when (new.failed_logins > coalesce((select cast(value as integer) from config
              where scope = 'rest' and name = 'failed_logins_before_account_lock'), 4))
      <> (old.failed_logins > coalesce((select cast(value as integer) from config
              where scope = 'rest' and name = 'failed_logins_before_account_lock'), 4))
    begin update identity_version set version = version + 1; end;
create trigger tenants_inserted after insert on tenants begin update identity_version set version = version + 1; end;
create trigger tenants_deleted after delete on tenants begin update identity_version set version = version + 1; end;
create trigger tenant_users_inserted after insert on tenant_users begin update identity_version set version = version + 1; end;
create trigger tenant_users_updated after update on tenant_users begin update identity_version set version = version + 1; end;
create trigger tenant_users_deleted after delete on tenant_users begin update identity_version set version = version + 1; end;
create trigger permissions_inserted after insert on permissions begin update identity_version set version = version + 1; end;
create trigger permissions_deleted after delete on permissions begin update identity_version set version = version + 1; end;
create trigger tokens_updated after update of secret_hash, expiration_date on tokens
    begin update identity_version set version = version + 1; end;
-- An expired token is refused by itself: sweeping it away disturbs nobody.
create trigger tokens_deleted after delete on tokens
    when old.expiration_date is null or old.expiration_date > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
    begin update identity_version set version = version + 1; end;

-- Passwords that were verified a moment ago, as HMACs under the application's key: an instance
-- serves few requests, and each of them would pay for argon2 again.
create table verified_credentials (
    mac text primary key,
    expires_at text not null
) without rowid;

create table config (
    name text not null,
    scope text not null,
    value text not null,
    schema text,
    is_editable integer not null default 1,
    admin_only integer not null default 0,
    updated_at text,
    updater_name text,
    primary key (scope, name)
) without rowid;
create index config_by_name on config (name);

create trigger config_updated after update of value on config
    when new.name in ('account_lock_period', 'failed_logins_before_account_lock')
    begin update identity_version set version = version + 1; end;

-- No foreign keys: the trail outlives what it tells about.
create table audit_log (
    key integer primary key,
    created_at text not null,
    username text not null,
    tenant_name text,
    action text not null,
    target_type text not null,
    target_id text not null,
    request_id text
);
create index audit_log_by_tenant on audit_log (tenant_name, created_at);
create index audit_log_by_user on audit_log (username, created_at);

insert into roles (id, name, type, description) values
    (1, 'sys_admin', 'system_role', 'User that can manage the whole system: everything, in all tenants'),
    (2, 'default', 'system_role', 'User that exists, with no rights of its own'),
    (3, 'manager', 'tenant_role', 'User that can manage the resources of a tenant and its members'),
    (4, 'user', 'tenant_role', 'Regular user of a tenant'),
    (5, 'operations', 'tenant_role', 'User that deploys and runs, without uploading blueprints or plugins'),
    (6, 'viewer', 'tenant_role', 'User that can only read'),
    (7, 'worker', 'tenant_role', 'Worker that leases operations and reports their results');

-- The default table: role, then the permissions it holds.
insert into permissions (role, permission)
select role.value, permission.value
from json_each('[
    {"roles": ["sys_admin", "manager"], "permissions": [
        "administrators", "execute_global_workflow", "manager_config_put"]},
    {"roles": ["sys_admin", "manager", "user", "operations"], "permissions": [
        "agent_create", "agent_update", "deployment_create", "deployment_delete", "deployment_group_create",
        "deployment_group_delete", "deployment_group_update", "deployment_modification_finish",
        "deployment_modification_rollback", "deployment_modify", "deployment_set_site",
        "deployment_set_visibility", "deployment_update", "deployment_update_create",
        "deployment_update_update", "event_create", "event_delete", "execution_cancel", "execution_delete",
        "execution_group_cancel", "execution_group_create", "execution_group_update",
        "execution_schedule_create", "execution_start", "execution_status_update", "filter_create",
        "filter_delete", "filter_update", "functions_evaluate", "inter_deployment_dependency_create",
        "inter_deployment_dependency_delete", "inter_deployment_dependency_update", "metrics_create",
        "node_delete", "node_instance_delete", "node_instance_update", "node_update", "plugins_update_create",
        "tenant_get", "tenant_rabbitmq_credentials"]},
    {"roles": ["sys_admin", "manager", "user", "operations", "viewer"], "permissions": [
        "agent_get", "agent_list", "blueprint_download", "blueprint_get", "blueprint_list",
        "cluster_status_get", "deployment_capabilities", "deployment_get", "deployment_group_get",
        "deployment_group_list", "deployment_list", "deployment_modification_get",
        "deployment_modification_list", "deployment_modification_outputs", "deployment_update_get",
        "deployment_update_list", "event_list", "execution_get", "execution_group_get",
        "execution_group_list", "execution_list", "execution_schedule_get", "execution_schedule_list",
        "execution_should_start", "file_server_auth", "filter_get", "filter_list",
        "inter_deployment_dependency_get", "inter_deployment_dependency_list", "labels_list", "manager_get",
        "metrics_list", "node_instance_get", "node_instance_list", "node_list", "operations",
        "plugin_download", "plugin_get", "plugin_list", "plugins_update_get", "plugins_update_list",
        "secret_get", "secret_list", "secrets_provider_get", "secrets_provider_list", "site_get", "site_list"]},
    {"roles": ["sys_admin"], "permissions": [
        "agent_replace_certs", "all_tenants", "audit_log_inject", "audit_log_truncate", "audit_log_view",
        "broker_credentials", "broker_manage", "cluster_node_config_update", "community_contact_create",
        "create_global_resource", "get_password_hash", "getting_started", "inject_token", "ldap_set",
        "license_remove", "license_upload", "log_bundle_create", "log_bundle_delete", "log_bundle_download",
        "log_bundle_get", "log_bundle_list", "log_bundle_status_update", "maintenance_mode_set",
        "manage_others_tokens", "manager_manage", "monitoring", "resource_set_global",
        "secrets_provider_credentials", "set_execution_details", "set_execution_group_details", "set_owner",
        "set_plugin_update_details", "set_timestamp", "snapshot_create", "snapshot_delete",
        "snapshot_download", "snapshot_get", "snapshot_list", "snapshot_restore", "snapshot_status_update",
        "snapshot_upload", "tenant_add_group", "tenant_add_user", "tenant_create", "tenant_delete",
        "tenant_list_get_data", "tenant_remove_group", "tenant_remove_user", "tenant_update_group",
        "tenant_update_user", "user_create", "user_delete", "user_get", "user_group_add_user",
        "user_group_create", "user_group_delete", "user_group_get", "user_group_list",
        "user_group_remove_user", "user_group_update", "user_list", "user_set_activated", "user_token",
        "user_unlock", "user_update"]},
    {"roles": ["sys_admin", "manager", "user"], "permissions": [
        "blueprint_delete", "blueprint_upload", "plugin_delete", "plugin_upload", "resource_set_visibility",
        "secret_create", "secret_delete", "secret_export", "secret_import", "secret_update",
        "secrets_provider_create", "secrets_provider_delete", "secrets_provider_update", "site_create",
        "site_delete", "site_update"]},
    {"roles": ["sys_admin", "manager", "user", "operations", "viewer", "default"], "permissions": [
        "broker_get", "db_nodes_get", "identity_provider_get", "ldap_status_get", "license_list",
        "maintenance_mode_get", "manager_config_get", "provider_context_create", "provider_context_get",
        "status_get", "tenant_list", "token_get", "user_get_self", "version_get"]},
    {"roles": ["sys_admin", "manager", "user", "viewer", "default"], "permissions": [
        "create_token", "delete_token", "list_token"]},
    {"roles": ["sys_admin", "worker"], "permissions": [
        "operation_lease"]}
]') as holders, json_each(holders.value, '$.roles') as role, json_each(holders.value, '$.permissions') as permission;

-- The settings of `/config` and their defaults. Values and schemas are JSON; what the application
-- does not read itself, but tells its clients, is not editable.
insert into config (scope, name, value, schema, is_editable, admin_only)
select setting.value ->> 'scope', setting.value ->> 'name', setting.value -> 'value', setting.value -> 'schema',
       coalesce(setting.value ->> 'is_editable', 1), coalesce(setting.value ->> 'admin_only', 0)
from json_each('[
    {"scope": "rest", "name": "account_lock_period", "value": 30,
     "schema": {"type": "integer", "minimum": 1, "maximum": 525600}},
    {"scope": "rest", "name": "failed_logins_before_account_lock", "value": 4,
     "schema": {"type": "integer", "minimum": 1, "maximum": 1000}},
    {"scope": "rest", "name": "default_page_size", "value": 1000, "is_editable": false,
     "schema": {"type": "integer", "minimum": 1, "maximum": 1000}},
    {"scope": "rest", "name": "blueprint_folder_max_size_mb", "value": 50,
     "schema": {"type": "integer", "minimum": 1, "maximum": 50}},
    {"scope": "rest", "name": "blueprint_folder_max_files", "value": 10000,
     "schema": {"type": "integer", "minimum": 1, "maximum": 10000}},
    {"scope": "rest", "name": "global_parallel_executions_limit", "value": 0,
     "schema": {"type": "integer", "minimum": 0, "maximum": 1000000}},
    {"scope": "rest", "name": "service_management", "value": "systemd", "is_editable": false,
     "schema": {"type": "string"}},
    {"scope": "rest", "name": "public_ip", "value": "", "schema": {"type": "string", "maxLength": 256}},
    {"scope": "rest", "name": "ldap_server", "value": "", "admin_only": true,
     "schema": {"type": "string", "maxLength": 1024}},
    {"scope": "rest", "name": "ldap_domain", "value": "", "admin_only": true,
     "schema": {"type": "string", "maxLength": 1024}},
    {"scope": "rest", "name": "ldap_username", "value": "", "admin_only": true,
     "schema": {"type": "string", "maxLength": 1024}},
    {"scope": "rest", "name": "ldap_is_active_directory", "value": false, "admin_only": true,
     "schema": {"type": "boolean"}},
    {"scope": "rest", "name": "ldap_dn_extra", "value": "", "admin_only": true,
     "schema": {"type": "string", "maxLength": 1024}},
    {"scope": "mgmtworker", "name": "max_workers", "value": 100, "schema": {"type": "integer", "minimum": 1, "maximum": 10000}},
    {"scope": "mgmtworker", "name": "min_workers", "value": 2, "schema": {"type": "integer", "minimum": 0, "maximum": 10000}},
    {"scope": "workflow", "name": "task_retries", "value": 60,
     "schema": {"type": "integer", "minimum": -1, "maximum": 1000000}},
    {"scope": "workflow", "name": "task_retry_interval", "value": 15,
     "schema": {"type": "number", "minimum": 0, "maximum": 86400}},
    {"scope": "workflow", "name": "subgraph_retries", "value": 0,
     "schema": {"type": "integer", "minimum": -1, "maximum": 1000000}},
    {"scope": "agent", "name": "broker_port", "value": 5671, "schema": {"type": "integer", "minimum": 1, "maximum": 65535}},
    {"scope": "agent", "name": "heartbeat", "value": 30, "schema": {"type": "integer", "minimum": 1, "maximum": 86400}},
    {"scope": "agent", "name": "log_level", "value": "info",
     "schema": {"type": "string", "enum": ["critical", "error", "warning", "info", "debug"]}},
    {"scope": "agent", "name": "max_workers", "value": 5, "schema": {"type": "integer", "minimum": 1, "maximum": 10000}},
    {"scope": "agent", "name": "min_workers", "value": 2, "schema": {"type": "integer", "minimum": 0, "maximum": 10000}}
]') as setting;
