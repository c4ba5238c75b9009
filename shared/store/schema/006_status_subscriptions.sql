-- Who is told about the status page, what they were told, and which components follow a deployment or
-- a pipeline.

create table status_subscriptions (
    -- UUID version 4.
    id text primary key,
    kind text not null check (kind in ('email', 'webhook')),
    -- The address, or the URL.
    target text not null,
    -- The same as it is compared: without letter case, where that cannot matter.
    target_key text not null,
    -- Only what is on components of this region; null for all.
    region text,
    -- Region and components in one text, so that nobody is told twice.
    filter_key text not null,
    -- Random bytes, encrypted: the tokens of links and the webhook's signing secret are derived from
    -- them, because every mail carries a link again.
    secret text not null,
    -- SHA-256 of the tokens.
    confirm_hash text not null unique,
    unsubscribe_hash text not null unique,
    created_at text not null,
    -- When it was asked for the last time: what is not confirmed is dropped some time after that.
    requested_at text not null,
    -- When the last request to confirm it was sent, how often that failed, and why.
    asked_at text,
    asked_times integer not null default 0,
    last_error text,
    confirmed_at text,
    -- Since when nothing could be delivered, and since when nobody tries any more.
    failing_since text,
    disabled_at text,
    disabled_reason text
) without rowid;
create unique index status_subscriptions_by_address on status_subscriptions (target_key, filter_key)
    where kind = 'email';
create index status_subscriptions_by_target on status_subscriptions (kind, target_key);
create index status_subscriptions_by_creation on status_subscriptions (created_at, id);
-- Whether there is anybody to tell: asked with every change of an incident.
create index status_subscriptions_active on status_subscriptions (id)
    where confirmed_at is not null and disabled_at is null;

create table status_subscription_components (
    subscription_id text not null references status_subscriptions (id) on delete cascade,
    component_id integer not null references status_components (id) on delete cascade,
    primary key (subscription_id, component_id)
) without rowid;

-- Who asked for subscriptions lately, by the client's address: too many in a row have to wait.
create table status_subscription_requests (
    address text not null,
    at text not null
);
create index status_subscription_requests_by_address on status_subscription_requests (address, at);
create index status_subscription_requests_by_time on status_subscription_requests (at);

-- How far subscribers were told about an event.
create table status_told (
    incident_id integer primary key references status_incidents (id) on delete cascade,
    -- The newest update that was looked at.
    update_id integer not null,
    -- Whether anybody could have been told: what waits for a review is not public.
    is_public integer not null,
    -- What the event was like, as JSON.
    state text not null
);

-- What is told: frozen, so that every attempt to deliver it says the same.
create table status_notices (
    id integer primary key autoincrement,
    incident_id integer not null references status_incidents (id) on delete cascade,
    -- Such as `incident.opened`.
    event text not null,
    content text not null,
    created_at text not null
);
create index status_notices_by_incident on status_notices (incident_id, id);
create index status_notices_by_time on status_notices (created_at);

-- One notice to one subscriber. The id goes out with it: receivers drop what they have seen.
create table status_deliveries (
    id text primary key,
    notice_id integer not null references status_notices (id) on delete cascade,
    subscription_id text not null references status_subscriptions (id) on delete cascade,
    state text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
    attempts integer not null default 0,
    last_error text,
    created_at text not null,
    finished_at text,
    unique (notice_id, subscription_id)
) without rowid;
create index status_deliveries_by_state on status_deliveries (state, created_at, id);
create index status_deliveries_by_subscription on status_deliveries (subscription_id);

-- Whoever changes an event, its subscribers hear of it: one row of the queue, where there are any.
create trigger status_incidents_opened_notified after insert on status_incidents
    when exists (select 1 from status_subscriptions where confirmed_at is not null and disabled_at is null)
    begin insert or ignore into queue (kind, subject, payload, not_before, created_at)
    values ('status_notification', new.id, json_object('opened', 1, 'since', new.created_at), strftime('%s', 'now') * 1000, new.created_at); end;
create trigger status_updates_notified after insert on status_updates
    when exists (select 1 from status_subscriptions where confirmed_at is not null and disabled_at is null)
    begin insert or ignore into queue (kind, subject, payload, not_before, created_at)
    values ('status_notification', new.incident_id, json_object('opened', 0, 'since', new.created_at), strftime('%s', 'now') * 1000, new.created_at); end;
create trigger status_incidents_changed_notified after update on status_incidents
    when (old.title, old.impact, old.status, old.started_at, coalesce(old.ended_at, ''), coalesce(old.description, ''))
        <> (new.title, new.impact, new.status, new.started_at, coalesce(new.ended_at, ''), coalesce(new.description, ''))
        and exists (select 1 from status_subscriptions where confirmed_at is not null and disabled_at is null)
    begin insert or ignore into queue (kind, subject, payload, not_before, created_at)
    values ('status_notification', new.id, json_object('opened', 0, 'since', new.updated_at), strftime('%s', 'now') * 1000, new.updated_at); end;

-- What a component's state follows: the executions of a deployment, or the runs of a pipeline.
create table status_bindings (
    component_id integer primary key references status_components (id) on delete cascade,
    kind text not null check (kind in ('deployment', 'pipeline')),
    -- The tenant of a deployment; empty for a pipeline. No foreign key: a deployment that is made
    -- again under its name is the same one to the page.
    tenant_name text not null,
    target text not null,
    -- How bad it is when a run fails.
    impact integer not null check (impact between 1 and 3),
    created_at text not null,
    created_by text not null,
    -- When the last run that counted ended, and the open incident that a failed one put the component in.
    run_ended_at text,
    incident_id integer references status_incidents (id) on delete set null
);
create index status_bindings_by_target on status_bindings (kind, tenant_name, target);
create index status_bindings_by_incident on status_bindings (incident_id);

-- Another tenant may get the name later, and is nobody's business here.
create trigger status_bindings_of_tenant after delete on tenants
    begin delete from status_bindings where kind = 'deployment' and tenant_name = old.name; end;
