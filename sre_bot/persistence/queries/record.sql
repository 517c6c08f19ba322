-- name: lock
select * from workflow_states where workflow_id = %(workflow_id)s for no key update

-- name: guards
select
    clock_timestamp() as now,
    l.owner,
    l.fence,
    l.owner is not null and l.expires_at > clock_timestamp() as alive,
    h.checkpoint_id as head
from (select %(workflow_id)s::uuid as workflow_id) as w
left join leases as l on l.workflow_id = w.workflow_id
left join workflow_heads as h on h.workflow_id = w.workflow_id and h.checkpoint_ns = %(checkpoint_ns)s

-- name: append
insert into state_transitions (
    workflow_id, version, ordinal, from_state, to_state, timestamp, trigger_event, agent_id, metadata,
    checkpoint_ns, checkpoint_id, previous_hash
) values (
    %(workflow_id)s, %(version)s, %(ordinal)s, %(from_state)s, %(to_state)s, %(timestamp)s, %(trigger_event)s,
    %(agent_id)s, %(metadata)s, %(checkpoint_ns)s, %(checkpoint_id)s, %(previous_hash)s
)
returning hash

-- name: project
with projected as (
    update workflow_states set
        main_state = %(main_state)s,
        sub_state = %(sub_state)s,
        detailed_state = %(detailed_state)s,
        active_states = %(active_states)s,
        resume_states = %(resume_states)s,
        context = %(context)s,
        retry_count = %(retry_count)s,
        max_retries = %(max_retries)s,
        timeout_at = %(timeout_at)s,
        escalated = %(escalated)s,
        outcome = %(outcome)s::text,
        version = %(version)s,
        chain_hash = %(chain_hash)s,
        entered_at = %(now)s,
        updated_at = %(now)s,
        due_at = case when %(outcome)s::text is null then due_at end
    where workflow_id = %(workflow_id)s
    returning workflow_id, outcome
),
progress as (
    update leases set attempts = 0 where workflow_id = %(workflow_id)s and attempts > 0
),
spent as (
    delete from workflow_wakes as k using projected as p where k.workflow_id = p.workflow_id and p.outcome is not null
)
select pg_notify('sre_bot_workflow', workflow_id::text) from projected

-- name: notify
select pg_notify('sre_bot_workflow', %(workflow_id)s)

-- name: move_head
insert into workflow_heads (workflow_id, checkpoint_ns, checkpoint_id)
values (%(workflow_id)s, %(checkpoint_ns)s, %(checkpoint_id)s)
on conflict (workflow_id, checkpoint_ns) do update set checkpoint_id = excluded.checkpoint_id

-- name: restore_point
insert into workflow_checkpoints (workflow_id, checkpoint_name, state_snapshot, checkpoint_ns, checkpoint_id)
values (%(workflow_id)s, %(checkpoint_name)s, %(state_snapshot)s, %(checkpoint_ns)s, %(checkpoint_id)s)

-- name: updated_since
select distinct jsonb_object_keys(metadata -> 'context_updates') as member
from state_transitions
where workflow_id = %(workflow_id)s and version > %(version)s
    and jsonb_typeof(metadata -> 'context_updates') = 'object'

-- name: forget_wakes
delete from workflow_wakes where workflow_id = %(workflow_id)s
