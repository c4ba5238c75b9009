-- In whose name a pipeline runs by its schedule and its webhook: whoever last said what it does then.
alter table pipelines add column runs_as text;
update pipelines set runs_as = created_by;
