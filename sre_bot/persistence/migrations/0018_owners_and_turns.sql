-- Whose an artifact is, and who comes first.

-- The workflows that stored an artifact: nobody else can read it, whoever knows its hash. What two stored is kept once.
create table artifact_owners (
    workflow_id uuid not null references workflow_states (workflow_id),
    digest text not null references artifacts (digest),
    primary key (workflow_id, digest)
);

-- Those of before are of the workflows whose state names them: beside the other values, in a blob, in an error.
insert into artifact_owners (workflow_id, digest)
select distinct w.workflow_id, a.digest
from (
    select c.thread_id, channel.value as said
    from checkpoints as c
    cross join lateral jsonb_each_text(c.checkpoint -> 'channel_values') as channel
    union all
    select b.thread_id, encode(b.blob, 'escape') from checkpoint_blobs as b
    union all
    select k.thread_id, encode(k.blob, 'escape') from checkpoint_writes as k
    union all
    select e.workflow_id::text, e.traceback_digest from workflow_errors as e
    union all
    select s.workflow_id::text, s.context::text from workflow_states as s
) as known
join workflow_states as w on w.workflow_id::text = known.thread_id
cross join lateral regexp_matches(known.said, '[0-9a-f]{64}', 'g') as named
join artifacts as a on a.digest = named[1];

-- When it is somebody's turn who has waited since then: the earliest is the first. An hour of waiting makes up for one
-- step of priority, so that what is urgent goes first and nobody is passed by what came four hours after it.
create function turn_of(waiting_since timestamp with time zone, priority smallint) returns timestamp with time zone
language sql stable as $$
    select waiting_since + priority * interval '1 hour'
$$;
