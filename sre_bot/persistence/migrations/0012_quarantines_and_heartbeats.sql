-- Workflows that nobody may run before a person has looked at them, and the workers that are alive.

-- A row that is not followed by a person's request to retry is in force. told_at says when the ticket was told.
create table quarantines (
    id bigint generated always as identity primary key,
    workflow_id uuid not null references workflow_states (workflow_id),
    why text not null,
    attempts integer not null,
    quarantined_at timestamp with time zone not null default clock_timestamp(),
    told_at timestamp with time zone
);

create index quarantines_workflow_id on quarantines (workflow_id);

create view quarantined as
select q.id, q.workflow_id, q.why, q.attempts, q.quarantined_at, q.told_at
from quarantines as q
join workflow_states as w on w.workflow_id = q.workflow_id and w.outcome is null
where not exists (
    select 1 from operator_requests as r
    where r.workflow_id = q.workflow_id and r.kind = 'retry' and r.asked_at >= q.quarantined_at
);

-- Claims since the last recorded step: beyond the first, each is a runner that died.
create function attempts_of(w workflow_states) returns integer
language sql stable as $$
    select coalesce((select l.attempts from leases as l where l.workflow_id = w.workflow_id), 0)
$$;

create table worker_heartbeats (
    owner text primary key,
    started_at timestamp with time zone not null default clock_timestamp(),
    beat_at timestamp with time zone not null default clock_timestamp(),
    good_for interval not null,
    troubles jsonb not null default '{}'
);
