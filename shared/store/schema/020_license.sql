-- The license that an operator has uploaded, so that clients find what they sent. Nothing depends on it.
create table license (
    only integer primary key check (only = 1),
    customer_id text not null,
    expiration_date text,
    license_edition text not null,
    trial integer not null,
    cloudify_version text,
    capabilities text
);
