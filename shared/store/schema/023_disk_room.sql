-- Whether the disk has room for more, and when somebody looked, in milliseconds. For all instances together:
-- to look is a write, and `/ok` is open to everybody.
create table disk_room (
    only integer primary key check (only = 1),
    looked_at integer not null,
    has_room integer not null check (has_room in (0, 1))
);
insert into disk_room (only, looked_at, has_room) values (1, 0, 1);
