-- Of what grows with use, how many are kept; 0 is for ever.
insert into config (scope, name, value, schema, is_editable, admin_only) values
    ('rest', 'audit_retention_count', '0', '{"type":"integer","minimum":0,"maximum":1000000000}', 1, 1),
    ('rest', 'event_retention_count', '0', '{"type":"integer","minimum":0,"maximum":1000000000}', 1, 1),
    -- The count is of each deployment.
    ('rest', 'execution_retention_count', '0', '{"type":"integer","minimum":0,"maximum":1000}', 1, 1),
    ('rest', 'notice_retention_count', '0', '{"type":"integer","minimum":0,"maximum":1000000000}', 1, 1);
