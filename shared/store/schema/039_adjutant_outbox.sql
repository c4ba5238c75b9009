-- What Adjutant mails stays for a month, so that administrators see what went to whom. What a mail says is not kept:
-- it follows from the task and the settings, and a token must not be in it.
create table adjutant_mails_kept (
    key integer primary key,
    id text not null unique,
    task_key integer not null references adjutant_tasks (key) on delete cascade,
    -- A mail with a token that is no more is not sent.
    token_key integer references adjutant_tokens (key) on delete set null,
    -- `initial`, `token`, `completed`, and of additional ones `prepare`, `approve`, `submit`.
    stage text not null,
    recipient text not null collate nocase,
    state text not null default 'queued'
        check (state in ('queued', 'sent', 'failed', 'withheld', 'withdrawn')),
    -- How often it was tried, and what was wrong the last time.
    attempts integer not null default 0,
    error text,
    created_on text not null,
    ended_on text
);
insert into adjutant_mails_kept (id, task_key, token_key, stage, recipient, attempts, created_on)
select replace(id, '-', ''), task_key, token_key, stage, recipient, attempts, created_on from adjutant_mails;
update queue set subject = replace(subject, '-', '') where kind = 'adjutant_mail';
drop table adjutant_mails;
alter table adjutant_mails_kept rename to adjutant_mails;

create index adjutant_mails_by_task on adjutant_mails (task_key);
create index adjutant_mails_by_token on adjutant_mails (token_key) where token_key is not null;
create index adjutant_mails_by_time on adjutant_mails (created_on, key);
create index adjutant_mails_by_state on adjutant_mails (state, created_on, key);
create index adjutant_mails_by_stage on adjutant_mails (stage, created_on, key);
-- Also when it is asked how many somebody got within the last hour.
create index adjutant_mails_by_recipient on adjutant_mails (recipient, created_on, key);

-- What strangers forgot and nobody confirmed: it is forgotten, too, after a month.
create index adjutant_tasks_unconfirmed on adjutant_tasks (created_on, key)
    where task_type = 'reset_user_password' and completed = 0 and keystone_user = '{}';

-- Uploads that are under way, which are few: they count in no quota of executions.
create index executions_uploading on executions (tenant_name)
    where workflow_id = 'upload_blueprint' and status not in ('terminated', 'failed', 'cancelled');

-- Made by `Counts::triggers`, which a test compares with these.
create trigger adjutant_mails_counted after insert on adjutant_mails begin
    insert into row_counts values ('adjutant_mails', '', new.state, new.stage, '', '', 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger adjutant_mails_uncounted after delete on adjutant_mails begin
    insert into row_counts values ('adjutant_mails', '', old.state, old.stage, '', '', -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger adjutant_mails_recounted after update of state, stage on adjutant_mails
    when (old.state, old.stage) <> (new.state, new.stage) begin
    insert into row_counts values ('adjutant_mails', '', old.state, old.stage, '', '', -1),
        ('adjutant_mails', '', new.state, new.stage, '', '', 1)
    on conflict do update set rows = rows + excluded.rows;
end;
insert into row_counts
select 'adjutant_mails', '', state, stage, '', '', count(*) from adjutant_mails group by state, stage;
