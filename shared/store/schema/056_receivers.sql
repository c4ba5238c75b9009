-- What other programs tell the status page: who takes it (receivers), and what is not well because of it.

create table status_receivers (
    id text primary key,
    kind text not null check (kind in ('alertmanager', 'generic')),
    -- JSON: which alerts mean which component, and how bad they are.
    settings text not null,
    created_at text not null,
    created_by text not null,
    updated_at text not null
);

-- One row for each reason why a component is not well, as long as it lasts. Not history: that is in the
-- incidents.
create table status_signals (
    -- Who says so, and its name for the reason.
    source text not null check (source in ('receiver', 'probe')),
    source_id text not null,
    fingerprint text not null,
    component_id integer not null references status_components (id) on delete cascade,
    impact integer not null check (impact between 1 and 3),
    -- What the source calls it. For operators, since it may name what is inside.
    title text not null,
    since text not null,
    -- The incident that the component is on because of it; none under maintenance.
    incident_id integer references status_incidents (id) on delete set null,
    -- Whether the component may be taken out of the incident when it is well again. Of one that somebody else
    -- opened it is not.
    is_ours integer not null,
    primary key (source, source_id, fingerprint)
) without rowid;
create index status_signals_by_component on status_signals (component_id);
create index status_signals_by_incident on status_signals (incident_id);
