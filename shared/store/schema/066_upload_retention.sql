-- How long is kept what was uploaded or packed and is of use for a while. Of days and counts 0 is for ever.
insert into config (scope, name, value, schema, is_editable, admin_only) values
    -- Archives that belong to nobody: of uploads that came to nothing, and of what was deleted. Downloads
    -- may still be under way.
    ('rest', 'loose_archive_minutes', '60', '{"type":"integer","minimum":10,"maximum":10080}', 1, 1),
    -- Blueprints and snapshots that came to nothing, which say why.
    ('rest', 'failed_upload_retention_days', '30', '{"type":"integer","minimum":0,"maximum":36500}', 1, 1),
    ('rest', 'log_bundle_retention_days', '90', '{"type":"integer","minimum":0,"maximum":36500}', 1, 1),
    ('rest', 'log_bundle_retention_count', '50', '{"type":"integer","minimum":0,"maximum":100000}', 1, 1),
    -- The count is of each tenant.
    ('rest', 'snapshot_retention_days', '0', '{"type":"integer","minimum":0,"maximum":36500}', 1, 1),
    ('rest', 'snapshot_retention_count', '0', '{"type":"integer","minimum":0,"maximum":100000}', 1, 1);

create index blueprints_failed on blueprints (updated_at) where state in ('failed_uploading',
    'failed_extracting', 'failed_parsing', 'failed_extracting_to_file_server', 'invalid');
