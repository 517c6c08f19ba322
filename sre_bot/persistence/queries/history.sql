-- name: workflows
select workflow_id, ticket_id from workflow_states order by created_at, workflow_id

-- name: transitions_since
select t.workflow_id, w.ticket_id, t.version, t.ordinal, t.from_state, t.to_state, t.timestamp, t.trigger_event,
    t.agent_id, t.metadata, t.checkpoint_ns, t.checkpoint_id, t.previous_hash, t.hash
from state_transitions as t
join workflow_states as w on w.workflow_id = t.workflow_id
where %(since)s::timestamptz is null or t.timestamp >= %(since)s
order by t.timestamp, t.id

-- name: heads
select workflow_id, ticket_id, version, chain_hash from workflow_states order by created_at, workflow_id
