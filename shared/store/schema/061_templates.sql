-- Templates: what is told of events that happen again, written in quiet.
create table status_templates (
    id text primary key,
    -- JSON: the fields of an event.
    content text not null,
    created_at text not null,
    created_by text not null,
    updated_at text not null
);
