-- Every call that changes the outside world: intended before it is made, started when it may have been made.

create table effects (
    key text primary key,
    workflow_id uuid not null references workflow_states (workflow_id),
    name text not null,
    round integer not null,
    status varchar(20) not null default 'intended',
    request jsonb not null,
    result jsonb,
    fence bigint not null,
    tries integer not null default 0,
    intended_at timestamp with time zone not null default clock_timestamp(),
    started_at timestamp with time zone,
    settled_at timestamp with time zone,

    constraint effects_once unique (workflow_id, name, round),
    constraint effects_status_known check (status in ('intended', 'started', 'done', 'unknown')),
    constraint effects_done_has_result check ((status = 'done') = (result is not null))
);
