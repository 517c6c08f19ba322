-- Resources that one workflow at a time may change. A workflow keeps its lock until it gives it back or ends;
-- a program outside of any workflow (workflow_id null) keeps it while it renews it.

create table resource_locks (
    resource text primary key,
    workflow_id uuid references workflow_states (workflow_id),
    holder text,
    acquired_at timestamp with time zone not null default clock_timestamp(),
    expires_at timestamp with time zone,

    constraint resource_locks_one_kind_of_owner check (
        (workflow_id is not null and holder is null and expires_at is null)
        or (workflow_id is null and holder is not null and expires_at is not null))
);

create index resource_locks_workflow_id on resource_locks (workflow_id);

create table resource_waits (
    workflow_id uuid primary key references workflow_states (workflow_id),
    resources text[] not null,
    priority smallint not null,
    requested_at timestamp with time zone not null default clock_timestamp()
);
