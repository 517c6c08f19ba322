-- name: save
select save_checkpoints($1::jsonb, $2::bytea, $3::boolean)

-- name: save_writes
select known, fenced
from save_writes(
    %(thread_id)s::uuid, %(checkpoint_ns)s, %(checkpoint_id)s, %(task_id)s, %(task_path)s, %(fence)s, %(replacing)s,
    %(places)s::integer[], %(channels)s::text[], %(types)s::text[], %(blobs)s::bytea[]
)

-- name: leave_behind
select leave_behind(%(workflow_id)s::uuid, %(checkpoint_id)s)

-- name: standing
select w.*, h.checkpoint_id as head
from workflow_states as w
left join workflow_heads as h on h.workflow_id = w.workflow_id and h.checkpoint_ns = ''
where w.workflow_id = %(workflow_id)s

-- name: drop_unused_blobs
delete from checkpoint_blobs as b
where b.thread_id = %(thread_id)s and not exists (
    select 1 from checkpoints as c
    where c.thread_id = b.thread_id
        and c.checkpoint_ns = b.checkpoint_ns
        and c.checkpoint -> 'channel_versions' ->> b.channel = b.version
)

-- name: drop_lost_heads
delete from workflow_heads as h
where h.workflow_id::text = any(%(thread_ids)s) and not exists (
    select 1 from checkpoints as c
    where c.thread_id = h.workflow_id::text
        and c.checkpoint_ns = h.checkpoint_ns
        and c.checkpoint_id = h.checkpoint_id
)

-- name: copy_checkpoints
insert into checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)
select %(target)s, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint,
    case when metadata ? 'thread_id' then jsonb_set(metadata, '{thread_id}', to_jsonb(%(target)s::text))
    else metadata end
from checkpoints where thread_id = %(source)s

-- name: copy_blobs
insert into checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
select %(target)s, checkpoint_ns, channel, version, type, blob from checkpoint_blobs where thread_id = %(source)s

-- name: copy_writes
insert into checkpoint_writes
    (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)
select %(target)s, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob
from checkpoint_writes where thread_id = %(source)s

-- name: threads_of_runs
select distinct thread_id from checkpoints where metadata ->> 'run_id' = any(%(run_ids)s)

-- name: drop_writes_of_runs
delete from checkpoint_writes as w using checkpoints as c
where c.metadata ->> 'run_id' = any(%(run_ids)s)
    and w.thread_id = c.thread_id and w.checkpoint_ns = c.checkpoint_ns and w.checkpoint_id = c.checkpoint_id

-- name: drop_checkpoints_of_runs
delete from checkpoints where metadata ->> 'run_id' = any(%(run_ids)s)
