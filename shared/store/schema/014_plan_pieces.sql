-- Plans of large blueprints, in pieces: no value of more than 512 KB goes into a statement or comes out of one.
--
-- Where `blueprint_plans` has an empty text, it is the pieces of this form. A `plan` of which there are none
-- is what the stored form says in full.
create table blueprint_plan_pieces (
    blueprint_key integer not null references blueprint_plans (blueprint_key) on delete cascade,
    form text not null check (form in ('plan', 'stored')),
    number integer not null,
    text text not null,
    primary key (blueprint_key, form, number)
);

-- Only plans that a client gave are not what their stored form says, and a body has 8 MB.
insert into blueprint_plan_pieces (blueprint_key, form, number, text)
    with recursive large (blueprint_key, form, length) as materialized (
        select blueprint_key, 'stored', length(stored) from blueprint_plans where length(stored) > 131072
        union all select blueprint_key, 'plan', length(plan) from blueprint_plans
        where length(plan) > 131072 and length(cast(plan as blob)) <= 8388608),
    piece (blueprint_key, form, length, number) as (
        select blueprint_key, form, length, 0 from large
        union all select blueprint_key, form, length, number + 1 from piece where (number + 1) * 131072 < length)
    select p.blueprint_key, p.form, p.number,
        substr(iif(p.form = 'plan', b.plan, b.stored), p.number * 131072 + 1, 131072)
    from piece p join blueprint_plans b on b.blueprint_key = p.blueprint_key;
update blueprint_plans set plan = iif(length(plan) > 131072, '', plan),
    stored = iif(length(stored) > 131072, '', stored)
where length(plan) > 131072 or length(stored) > 131072;
