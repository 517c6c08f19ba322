-- What happened and changed nothing: somebody or something else had come first. One row for each sentence about a
-- workflow, however often it happened.
create table ignored_events (
    id bigint generated always as identity primary key,
    workflow_id uuid not null references workflow_states (workflow_id),
    kind varchar(20) not null,
    why text not null,
    times bigint not null default 1,
    first_at timestamp with time zone not null default clock_timestamp(),
    last_at timestamp with time zone not null default clock_timestamp(),

    constraint ignored_events_kind_known check (kind in ('ticket', 'review', 'deadline', 'wake')),
    constraint ignored_events_once unique (workflow_id, kind, why)
);
