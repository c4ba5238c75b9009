-- A webhook may be a room of a chat, which wants notices in the chat's own form and answers no challenge.
alter table status_subscriptions add column format text not null default 'standard'
    check (format in ('standard', 'slack', 'teams', 'discord'));
