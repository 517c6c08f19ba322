-- name: next_nodes
-- What the newest checkpoint of each audited namespace schedules; a graph deeper inside is a node's own affair.
select w.workflow_id, w.ticket_id, w.graph_version, split_part(h.checkpoint_ns, ':', 1) as sub_state, channel
from workflow_states as w
join workflow_heads as h on h.workflow_id = w.workflow_id and position('|' in h.checkpoint_ns) = 0
join checkpoints as c on c.thread_id = w.workflow_id::text
    and c.checkpoint_ns = h.checkpoint_ns and c.checkpoint_id = h.checkpoint_id
cross join lateral jsonb_array_elements_text(
    case when jsonb_typeof(c.checkpoint -> 'updated_channels') = 'array' then c.checkpoint -> 'updated_channels' end
) as channel
where w.outcome is null
    and w.driver = 'graph'
    and w.detailed_state is distinct from 'escalation'
    and (channel like 'branch:to:%%' or channel like 'join:%%')
    and (%(workflow_id)s::uuid is null or w.workflow_id = %(workflow_id)s::uuid)
order by w.ticket_id, w.workflow_id, channel
