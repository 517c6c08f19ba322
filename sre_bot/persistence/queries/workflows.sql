-- name: open
insert into workflow_states (
    workflow_id, ticket_id, main_state, context, created_at, updated_at, entered_at, due_at,
    driver, runner, graph_version, priority
)
select %(workflow_id)s, %(ticket_id)s, 'system_idle', %(context)s, t.now, t.now, t.now, t.now,
    %(driver)s, %(runner)s, %(graph_version)s, %(priority)s
from (select clock_timestamp() as now) as t
on conflict (ticket_id) where outcome is null do nothing
returning workflow_id

-- name: live_of_ticket
select workflow_id from workflow_states where ticket_id = %(ticket_id)s and outcome is null

-- name: get
select w.*, due_of(w) as due
from workflow_states as w
where w.workflow_id = %(workflow_id)s

-- name: of_ticket
select w.*, due_of(w) as due
from workflow_states as w
where w.ticket_id = %(ticket_id)s
order by w.created_at desc, w.workflow_id

-- name: live
select w.*, due_of(w) as due
from workflow_states as w
where w.outcome is null
order by w.priority, w.created_at, w.workflow_id

-- name: with_cause
select w.*, due_of(w) as due
from workflow_states as w
where w.outcome is null
    and w.context ->> 'repository' = %(repository)s
    and w.context -> 'analysis_results' ->> 'cause' = %(cause)s
order by w.priority, w.created_at, w.workflow_id

-- name: recent
select w.*, due_of(w) as due
from workflow_states as w
order by w.updated_at desc, w.workflow_id
limit %(limit)s

-- name: transitions
select from_state, to_state, timestamp, trigger_event, agent_id, metadata
from state_transitions
where workflow_id = %(workflow_id)s
order by version, ordinal

-- name: link
insert into workflow_links (workflow_id, other, relation) values (%(workflow_id)s, %(other)s, %(relation)s)
on conflict do nothing

-- name: links
select workflow_id, other, relation from workflow_links
where workflow_id = %(workflow_id)s or other = %(workflow_id)s
order by created_at, relation

-- name: error
insert into workflow_errors (
    workflow_id, version, error_type, severity, message, state, attempt, traceback_digest, occurred_at
) values (
    %(workflow_id)s, %(version)s, %(error_type)s, %(severity)s, %(message)s, %(state)s, %(attempt)s,
    %(traceback_digest)s, %(occurred_at)s
)

-- name: last_error
select error_type, severity, message, state, attempt, traceback_digest, occurred_at
from workflow_errors
where workflow_id = %(workflow_id)s
order by id desc
limit 1

-- name: errors
select error_type, severity, message, state, attempt, traceback_digest, occurred_at
from workflow_errors
where workflow_id = %(workflow_id)s
order by id
