-- How long is kept what nobody deletes, in days; 0 is for ever. The tick takes what is older away in pieces.
insert into config (scope, name, value, schema, is_editable, admin_only) values
    ('rest', 'audit_retention_days', '400', '{"type":"integer","minimum":0,"maximum":36500}', 1, 1),
    ('rest', 'notice_retention_days', '30', '{"type":"integer","minimum":1,"maximum":3650}', 1, 1);
