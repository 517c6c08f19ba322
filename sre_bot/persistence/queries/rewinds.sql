-- name: points
-- The root's checkpoint that follows the end of a sub-state is the child of the one in which the sub-state ran.
select p.checkpoint_name as name, (p.state_snapshot ->> 'version')::int as version, p.created_at as reached_at,
    p.state_snapshot ->> 'position' as position, p.state_snapshot -> 'context' as context, p.state_snapshot -> 'channels' as channels,
    r.checkpoint_id as root_checkpoint
from workflow_checkpoints as p
left join checkpoints as s on s.thread_id = p.workflow_id::text
    and s.checkpoint_ns = p.checkpoint_ns and s.checkpoint_id = p.checkpoint_id
left join checkpoints as r on r.thread_id = s.thread_id and r.checkpoint_ns = ''
    and r.parent_checkpoint_id = s.metadata -> 'parents' ->> '' and r.metadata ->> 'source' = 'loop'
where p.workflow_id = %(workflow_id)s
order by p.id

-- name: versions
select (h.metadata ->> 'step')::int as step,
    (select max(value) from jsonb_each_text(c.checkpoint -> 'channel_versions')) as newest
from checkpoints as c, checkpoints as h
where c.thread_id = %(thread_id)s and c.checkpoint_ns = '' and c.checkpoint_id = %(root_checkpoint)s
    and h.thread_id = c.thread_id and h.checkpoint_ns = '' and h.checkpoint_id = %(head)s

-- name: channel
insert into checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
values (%(thread_id)s, '', %(channel)s, %(version)s, %(type)s, %(blob)s)
on conflict (thread_id, checkpoint_ns, channel, version) do update set type = excluded.type, blob = excluded.blob

-- name: fork
insert into checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)
select thread_id, checkpoint_ns, %(fork)s, checkpoint_id, type,
    checkpoint || jsonb_build_object(
        'id', %(fork)s::text, 'ts', %(now)s::text,
        'channel_values', (checkpoint -> 'channel_values') - %(changed)s::text[]
            || jsonb_build_object('round', %(round)s::int),
        'channel_versions', (checkpoint -> 'channel_versions') || %(versions)s::jsonb),
    metadata || jsonb_build_object('source', 'fork', 'step', %(step)s::int)
from checkpoints
where thread_id = %(thread_id)s and checkpoint_ns = '' and checkpoint_id = %(root_checkpoint)s

-- name: drop_writes
delete from checkpoint_writes where thread_id = %(thread_id)s

-- name: fence_off
-- Whoever ran it before, and wakes up later, writes nothing any more.
insert into leases as l (workflow_id, owner, fence, claimed_at, expires_at)
values (%(workflow_id)s, null, 1, clock_timestamp(), clock_timestamp())
on conflict (workflow_id) do update set
    owner = null, fence = l.fence + 1, expires_at = clock_timestamp(), attempts = 0
