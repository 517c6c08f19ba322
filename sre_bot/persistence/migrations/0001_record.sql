-- The record of every workflow: where it stands, how it got there, and where it can be restored to.

create table workflow_states (
    workflow_id uuid primary key,
    ticket_id varchar(100) not null,
    main_state varchar(50) not null,
    sub_state varchar(50),
    detailed_state varchar(50),
    context jsonb not null,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    retry_count integer not null default 0,
    max_retries integer not null default 3,
    timeout_at timestamp with time zone,
    escalated boolean not null default false,
    version integer not null default 1,

    entered_at timestamp with time zone not null,
    active_states text[] not null default '{}',
    resume_states text[] not null default '{}',
    outcome varchar(50),
    driver varchar(20) not null default 'graph',
    runner varchar(20) not null default 'worker',
    graph_version text not null default '',
    priority smallint not null default 3,
    due_at timestamp with time zone,
    chain_hash bytea not null default '',

    constraint workflow_states_main_state_known check (main_state in (
        'system_idle', 'ticket_processing', 'error_handling')),
    constraint workflow_states_sub_state_known check (sub_state in (
        'ticket_acceptance', 'analysis', 'remediation', 'review', 'deployment')),
    constraint workflow_states_detailed_state_known check (detailed_state in (
        'monitoring', 'ticket_detected',
        'validating_ticket', 'accepting_ticket', 'ticket_accepted', 'ticket_rejected',
        'data_collection', 'k8s_event_analysis', 'source_code_analysis', 'correlation',
        'root_cause_generation', 'confidence_calculation', 'analysis_complete',
        'fix_generation', 'code_validation', 'test_generation', 'pr_creation', 'remediation_complete',
        'awaiting_review', 'review_in_progress', 'changes_requested', 'approved', 'rejected',
        'triggering_deployment', 'deployment_in_progress', 'validation_in_progress',
        'deployment_complete', 'deployment_failed',
        'error_detection', 'retry_evaluation', 'retry', 'escalation')),
    constraint workflow_states_outcome_known check (outcome in (
        'resolved', 'ticket_rejected', 'duplicate', 'no_action_needed', 'needs_human', 'fix_rejected',
        'deployment_failed', 'escalated', 'expired', 'cancelled')),
    constraint workflow_states_driver_known check (driver in ('graph', 'external')),
    constraint workflow_states_runner_known check (runner in ('worker', 'server')),
    constraint workflow_states_ended_is_idle check (
        outcome is null or (main_state = 'system_idle' and detailed_state is null)),
    constraint workflow_states_version_positive check (version >= 1)
);

create index idx_workflow_states_ticket_id on workflow_states (ticket_id);
create index idx_workflow_states_main_state on workflow_states (main_state);
create index idx_workflow_states_updated_at on workflow_states (updated_at);
create unique index workflow_states_one_live_per_ticket on workflow_states (ticket_id) where outcome is null;

create table state_transitions (
    id serial primary key,
    workflow_id uuid not null references workflow_states (workflow_id),
    from_state varchar(200) not null,
    to_state varchar(200) not null,
    timestamp timestamp with time zone not null,
    trigger_event varchar(100) not null,
    agent_id varchar(100) not null,
    metadata jsonb not null,
    created_at timestamp with time zone default now(),

    version integer not null,
    ordinal smallint not null,
    checkpoint_ns text,
    checkpoint_id text,
    previous_hash bytea not null,
    hash bytea not null,

    constraint state_transitions_once unique (workflow_id, version, ordinal)
);

create index idx_state_transitions_workflow_id on state_transitions (workflow_id);
create index idx_state_transitions_timestamp on state_transitions (timestamp);

-- Everything that a row claims, in one canonical text: jsonb prints its keys in one order and its numbers in one way.
create function transition_hash(step state_transitions) returns bytea
language sql stable as $$
    select sha256(step.previous_hash || convert_to(jsonb_build_array(
        step.workflow_id, step.version, step.ordinal, step.from_state, step.to_state,
        (extract(epoch from step.timestamp) * 1000000)::bigint,
        step.trigger_event, step.agent_id, step.metadata, step.checkpoint_ns, step.checkpoint_id
    )::text, 'UTF8'))
$$;

create function seal_transition() returns trigger
language plpgsql as $$
begin
    new.hash := transition_hash(new);
    return new;
end
$$;

create function refuse_rewriting() returns trigger
language plpgsql as $$
begin
    raise exception 'state_transitions is append-only: % refused', tg_op using errcode = 'integrity_constraint_violation';
end
$$;

create trigger seal before insert on state_transitions for each row execute function seal_transition();
create trigger append_only before update or delete on state_transitions
    for each row execute function refuse_rewriting();
create trigger append_only_table before truncate on state_transitions
    for each statement execute function refuse_rewriting();

create table workflow_checkpoints (
    id serial primary key,
    workflow_id uuid not null references workflow_states (workflow_id),
    checkpoint_name varchar(100) not null,
    state_snapshot jsonb not null,
    created_at timestamp with time zone default now(),

    checkpoint_ns text not null,
    checkpoint_id text not null,

    constraint workflow_checkpoints_once unique (workflow_id, checkpoint_ns, checkpoint_id)
);

-- The newest checkpoint of each namespace: a writer must name it as its parent.
create table workflow_heads (
    workflow_id uuid not null references workflow_states (workflow_id),
    checkpoint_ns text not null,
    checkpoint_id text not null,
    primary key (workflow_id, checkpoint_ns)
);
