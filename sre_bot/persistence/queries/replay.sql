-- name: workflow
select * from workflow_states where workflow_id = %(workflow_id)s

-- name: log
select t.*, transition_hash(t) as computed
from state_transitions as t
where t.workflow_id = %(workflow_id)s
order by t.version, t.ordinal

-- name: checkpoint_problems
with newest as (
    select checkpoint_ns, max(checkpoint_id) as checkpoint_id
    from checkpoints where thread_id = %(thread_id)s
    group by checkpoint_ns
),
heads as (
    select checkpoint_ns, checkpoint_id from workflow_heads where workflow_id = %(workflow_id)s::uuid
),
scheduling as (
    select c.checkpoint_ns, c.checkpoint_id, split_part(channel, ':', 3) as node
    from checkpoints as c
    cross join lateral jsonb_array_elements_text(
        case jsonb_typeof(c.checkpoint -> 'updated_channels') when 'array' then c.checkpoint -> 'updated_channels'
        else '[]'::jsonb end) as channel
    where c.thread_id = %(thread_id)s and c.checkpoint_ns not like '%%|%%' and channel like 'branch:to:%%'
)
select format('the head of %%L is %%s, its newest checkpoint is %%s',
    coalesce(h.checkpoint_ns, n.checkpoint_ns), coalesce(h.checkpoint_id, 'missing'),
    coalesce(n.checkpoint_id, 'missing')) as problem
from heads as h
full join newest as n on n.checkpoint_ns = h.checkpoint_ns
where h.checkpoint_id is distinct from n.checkpoint_id

union all

select format('transition %%s.%%s belongs to a checkpoint that is missing', t.version, t.ordinal)
from state_transitions as t
join workflow_states as w on w.workflow_id = t.workflow_id
where t.workflow_id = %(workflow_id)s::uuid
    and t.checkpoint_id is not null
    and (w.outcome is null or (t.version = w.version and exists (select 1 from heads)))
    and not exists (
        select 1 from checkpoints as c
        where c.thread_id = %(thread_id)s and c.checkpoint_ns = t.checkpoint_ns and c.checkpoint_id = t.checkpoint_id)

union all

select format('checkpoint %%s schedules %%s without a transition', s.checkpoint_id, s.node)
from scheduling as s
where s.node not in ('ticket_acceptance', 'analysis', 'remediation', 'review', 'deployment')
    and not exists (
        select 1 from state_transitions as t
        where t.workflow_id = %(workflow_id)s::uuid and t.to_state like '%%:' || s.node
            and (t.checkpoint_id = s.checkpoint_id or (s.node = 'ticket_detected' and t.checkpoint_id is null)))
