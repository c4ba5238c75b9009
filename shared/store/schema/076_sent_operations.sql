-- Operations that workflows on workers send, and what came of them until the workflow asks.

create table sent_operations (
    key integer primary key,
    operation_key integer not null unique references operations (key) on delete cascade,
    execution_key integer not null,
    -- JSON: what came of it; null while nothing has.
    outcome text,
    -- In which order they ended, within the execution.
    number integer
);
create index sent_operations_by_execution on sent_operations (execution_key, number);
