-- How many tokens everybody has: the numbers of each user's tokens are as many as there are users.

create trigger all_tokens_counted after insert on tokens begin
    insert into row_counts values ('all_tokens', '', new.is_implicit, '', '', '', 1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger all_tokens_uncounted after delete on tokens begin
    insert into row_counts values ('all_tokens', '', old.is_implicit, '', '', '', -1)
    on conflict do update set rows = rows + excluded.rows;
end;
create trigger all_tokens_recounted after update of is_implicit on tokens
    when (old.is_implicit) <> (new.is_implicit) begin
    insert into row_counts values ('all_tokens', '', old.is_implicit, '', '', '', -1),
        ('all_tokens', '', new.is_implicit, '', '', '', 1)
    on conflict do update set rows = rows + excluded.rows;
end;

insert into row_counts
select 'all_tokens', '', is_implicit, '', '', '', count(*) from tokens group by 3;
