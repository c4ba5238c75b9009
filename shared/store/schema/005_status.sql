-- The status page: components, and what happened or will happen to them.
--
-- It belongs to the installation, not to a tenant: whoever may change it holds the permission in the
-- tenant `default_tenant`. Times are texts like everywhere else, in UTC.

create table status_components (
    id integer primary key autoincrement,
    name text not null,
    -- A JSON list of {name, value}, in the order of the catalogue; what monitors compare.
    attributes text not null,
    -- The same sorted by name, so that one component is there once however it is written.
    attributes_key text not null,
    -- Two of the attributes, which the page is ordered by.
    region text,
    category text,
    -- Where it stands in the catalogue.
    position integer not null,
    created_at text not null,
    -- Since when it is not in the catalogue any more: its past is kept, nobody can report it.
    retired_at text,
    unique (name, attributes_key)
);
create index status_components_by_position on status_components (position, id);

create table status_incidents (
    id integer primary key autoincrement,
    kind text not null check (kind in ('incident', 'maintenance', 'info')),
    title text not null,
    description text,
    -- 0 for maintenances and information, then minor, major, outage.
    impact integer not null check (impact between 0 and 3 and (impact = 0) = (kind <> 'incident')),
    started_at text not null,
    -- Null while an incident is open; the planned or real end of a maintenance.
    ended_at text,
    -- Made by a monitor, and not touched by a person since.
    is_system integer not null,
    status text not null,
    contact_email text,
    created_at text not null,
    created_by text not null,
    updated_at text not null,
    -- Counts changes by people, who say which version they change.
    version integer not null default 1
);
create index status_incidents_open on status_incidents (id) where ended_at is null;
create index status_incidents_by_start on status_incidents (started_at, id);
create index status_incidents_by_end on status_incidents (ended_at, id);

create table status_incident_components (
    incident_id integer not null references status_incidents (id) on delete cascade,
    component_id integer not null references status_components (id),
    primary key (incident_id, component_id)
) without rowid;
create index status_incident_components_by_component on status_incident_components (component_id, incident_id);

create table status_updates (
    id integer primary key autoincrement,
    incident_id integer not null references status_incidents (id) on delete cascade,
    status text not null,
    text text not null,
    -- Whether the text is markup that was made here, all of it escaped; what people write is not.
    is_markup integer not null default 0,
    -- When it happened, which people may say, and when it was written.
    at text not null,
    created_at text not null,
    created_by text not null
);
create index status_updates_by_incident on status_updates (incident_id, at, id);

-- One number that changes with everything a page or a list shows: what instances remember is checked
-- against it. Browsers remember it too, so each installation begins at a number of its own.
create table status_version (version integer not null);
insert into status_version (version) values ((random() & 0xffffff) * 1000000);
create trigger status_components_inserted after insert on status_components begin update status_version set version = version + 1; end;
create trigger status_components_updated after update on status_components begin update status_version set version = version + 1; end;
create trigger status_components_deleted after delete on status_components begin update status_version set version = version + 1; end;
create trigger status_incidents_inserted after insert on status_incidents begin update status_version set version = version + 1; end;
create trigger status_incidents_updated after update on status_incidents begin update status_version set version = version + 1; end;
create trigger status_incidents_deleted after delete on status_incidents begin update status_version set version = version + 1; end;
create trigger status_incident_components_inserted after insert on status_incident_components begin update status_version set version = version + 1; end;
create trigger status_incident_components_deleted after delete on status_incident_components begin update status_version set version = version + 1; end;
create trigger status_updates_inserted after insert on status_updates begin update status_version set version = version + 1; end;
create trigger status_updates_updated after update on status_updates begin update status_version set version = version + 1; end;
create trigger status_updates_deleted after delete on status_updates begin update status_version set version = version + 1; end;

-- Who may do what: as the original's admin, operator, creator and reporter.
insert into permissions (role, permission)
select role.value, permission.value
from json_each('[
    {"roles": ["sys_admin"], "permissions": ["status_subscription_manage"]},
    {"roles": ["sys_admin", "manager", "operations"], "permissions": ["status_catalogue_set", "status_event_manage", "status_report"]},
    {"roles": ["sys_admin", "manager", "operations", "user"], "permissions": ["status_component_create", "status_event_create"]}
]') as holders, json_each(holders.value, '$.roles') as role, json_each(holders.value, '$.permissions') as permission;
