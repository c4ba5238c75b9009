-- Probes: what this installation measures itself, and how it was lately.

create table status_probes (
    id text primary key,
    component_id integer not null references status_components (id) on delete cascade,
    -- JSON: what is asked, how often, and from when on it counts.
    settings text not null,
    created_at text not null,
    created_by text not null,
    updated_at text not null,
    -- How it stands: failures or successes in a row, and whether the component counts as down because of it.
    failures integer not null default 0,
    successes integer not null default 0,
    is_down integer not null default 0,
    checked_at text,
    last_millis integer,
    last_error text
);
create index status_probes_by_component on status_probes (component_id, id);

-- What was measured in a quarter of an hour, by its number since 1970. A week of them is kept.
create table status_probe_slots (
    probe_id text not null references status_probes (id) on delete cascade,
    slot integer not null,
    checks integer not null,
    failures integer not null,
    -- Of the checks that went well.
    total_millis integer not null,
    primary key (probe_id, slot)
) without rowid;

-- Which components have a chart is on the page. How a probe stands is not.
create trigger status_probes_inserted after insert on status_probes begin update status_version set version = version + 1; end;
create trigger status_probes_set after update of component_id, settings on status_probes begin update status_version set version = version + 1; end;
create trigger status_probes_deleted after delete on status_probes begin update status_version set version = version + 1; end;
