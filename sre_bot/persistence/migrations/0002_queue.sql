-- Who runs a workflow, what asked for it to be run, how it failed, and what it is related to.

-- The fence grows with every claim and never goes back; owner is null while nobody holds the lease.
-- attempts counts the claims since the last clean release or recorded step.
create table leases (
    workflow_id uuid primary key references workflow_states (workflow_id),
    owner text,
    fence bigint not null,
    claimed_at timestamp with time zone not null,
    expires_at timestamp with time zone not null,
    attempts integer not null default 0
);

-- Insert-only until the next claim takes them: a wake-up during a run is seen by the run after it.
create table workflow_wakes (
    id bigint generated always as identity primary key,
    workflow_id uuid not null references workflow_states (workflow_id),
    woken_at timestamp with time zone not null default clock_timestamp()
);

-- When somebody should run a workflow: null while it is parked. A wake-up does not shorten the pause before a retry.
create function due_of(w workflow_states) returns timestamp with time zone
language sql stable as $$
    select case
        when w.outcome is not null then null
        when w.detailed_state = 'retry' then w.due_at
        else least(w.due_at, (select min(k.woken_at) from workflow_wakes as k where k.workflow_id = w.workflow_id))
    end
$$;

create index workflow_wakes_workflow_id on workflow_wakes (workflow_id);
create index workflow_states_due on workflow_states (due_at) where outcome is null;

create table workflow_errors (
    id bigint generated always as identity primary key,
    workflow_id uuid not null references workflow_states (workflow_id),
    version integer not null,
    error_type varchar(50) not null,
    severity varchar(50) not null,
    message text not null,
    state varchar(200) not null,
    attempt integer not null,
    traceback_digest text,
    occurred_at timestamp with time zone not null,

    constraint workflow_errors_type_known check (error_type in (
        'transient', 'rate_limited', 'permanent', 'conflict', 'needs_human', 'poison')),
    constraint workflow_errors_severity_known check (severity in ('low', 'medium', 'high', 'critical'))
);

create index workflow_errors_workflow_id on workflow_errors (workflow_id);

create table workflow_links (
    workflow_id uuid not null references workflow_states (workflow_id),
    other uuid not null references workflow_states (workflow_id),
    relation varchar(50) not null,
    created_at timestamp with time zone not null default clock_timestamp(),
    primary key (workflow_id, other, relation)
);
