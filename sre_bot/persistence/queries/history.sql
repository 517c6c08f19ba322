-- name: workflows
select workflow_id, ticket_id, outcome is not null and updated_at < clock_timestamp() - interval '7 days' as is_old
from workflow_states order by created_at, workflow_id

-- name: transitions_since
select t.workflow_id, w.ticket_id, t.version, t.ordinal, t.from_state, t.to_state, t.timestamp, t.trigger_event,
    t.agent_id, t.metadata, t.checkpoint_ns, t.checkpoint_id, t.previous_hash, t.hash
from state_transitions as t
join workflow_states as w on w.workflow_id = t.workflow_id
where %(since)s::timestamptz is null or t.timestamp >= %(since)s
order by t.timestamp, t.id

-- name: heads
select workflow_id, ticket_id, version, chain_hash from workflow_states order by created_at, workflow_id

-- name: hash_at
-- A workflow is at version 1, with nothing in its log, before its first step.
select coalesce(t.version, 1) as version, coalesce(t.hash, '') as hash
from workflow_states as w
left join lateral (
    select version, hash from state_transitions
    where workflow_id = w.workflow_id and version <= %(version)s
    order by version desc, ordinal desc
    limit 1
) as t on true
where w.workflow_id = %(workflow_id)s
