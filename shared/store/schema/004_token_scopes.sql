-- Tokens for some purposes only, logins that failed, and what other families' clients need.

-- A JSON list of names, or null for a token without restriction. Never changed: whoever wants
-- another set makes another token.
alter table tokens add column scopes text;
-- The tenant that a request with this token is about when it names none: clients of the other families
-- cannot send Conductor's header. No cascade: without its tenant the token still names its user.
alter table tokens add column tenant_name text references tenants (name) on delete set null;

-- Logins that failed within the last minute, by the client's address. Older rows go with the next one.
create table failed_logins (
    key integer primary key,
    address text not null,
    at text not null
);
create index failed_logins_by_address on failed_logins (address, at);
create index failed_logins_by_time on failed_logins (at);

-- Adjutant's moderator: a regular user who may also invite members. No other role will do, since who
-- invites somebody with more rights than their own has those too.
insert into roles (name, type, description)
values ('project_mod', 'tenant_role', 'Regular user of a tenant who may also invite members to it');
insert into permissions (role, permission)
select 'project_mod', permission from permissions where role = 'user';

-- Settings of a directory; `/ldap` sets them together. The password is nowhere: nothing could use it.
insert into config (scope, name, value, schema, is_editable, admin_only)
select 'rest', 'ldap_' || setting.key, '""', '{"type": "string", "maxLength": ' || setting.value || '}', 1, 1
from json_each('{"base_dn": 1024, "group_dn": 1024, "bind_format": 1024, "user_filter": 1024,
    "group_member_filter": 1024, "attribute_email": 1024, "attribute_first_name": 1024,
    "attribute_last_name": 1024, "attribute_uid": 1024, "attribute_group_membership": 1024,
    "ca_cert": 65536}') as setting;
insert into config (scope, name, value, schema, is_editable, admin_only)
values ('rest', 'ldap_nested_levels', '1', '{"type": "integer", "minimum": 1, "maximum": 100}', 1, 1);
