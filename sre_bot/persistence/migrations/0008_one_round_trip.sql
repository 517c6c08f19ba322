-- A checkpoint with all that it means for its workflow, in one call: one round trip, one transaction.

-- What a primary key begins with needs no index of its own.
drop index if exists checkpoints_thread_id_idx;
drop index if exists checkpoint_blobs_thread_id_idx;
drop index if exists checkpoint_writes_thread_id_idx;

-- An index that covers what another one begins with is that other one, under the name that it was asked for.
drop index idx_state_transitions_workflow_id;
alter table state_transitions drop constraint state_transitions_once;
create unique index idx_state_transitions_workflow_id on state_transitions (workflow_id, version, ordinal);

-- The log only grows, in the order of its times.
drop index idx_state_transitions_timestamp;
create index idx_state_transitions_timestamp on state_transitions using brin (timestamp) with (autosummarize = on);

-- A tree over a time that every step changes would make every step write to every index of the table (from
-- Postgres 16 on, an index by block ranges does not).
drop index idx_workflow_states_updated_at;
create index idx_workflow_states_updated_at on workflow_states using brin (updated_at);

-- Rows that are rewritten at every step find room beside themselves.
alter table workflow_states set (fillfactor = 85);
alter table workflow_heads set (fillfactor = 85);
alter table leases set (fillfactor = 85);

-- As Python writes a time into the patches of the log: without a fraction where there is none.
create function iso_time(moment timestamp with time zone) returns text
language sql immutable as $$
    select replace(to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '.000000', '') || '+00:00'
$$;

-- What an ended workflow leaves behind: of its checkpoints the given one of the root, and what that one needs. An
-- effect of which nobody learnt whether it was performed stays so, and says so.
create function leave_behind(workflow uuid, kept_id text) returns void
language plpgsql as $$
declare
    thread text := workflow::text;
begin
    update effects set status = 'unknown', settled_at = clock_timestamp()
    where workflow_id = workflow and status = 'started';

    delete from checkpoints where thread_id = thread and not (checkpoint_ns = '' and checkpoint_id = kept_id);
    update checkpoints set parent_checkpoint_id = null where thread_id = thread and parent_checkpoint_id is not null;
    delete from checkpoint_blobs as b
    where b.thread_id = thread and not exists (
        select 1 from checkpoints as c
        where c.thread_id = b.thread_id
            and c.checkpoint_ns = b.checkpoint_ns
            and c.checkpoint -> 'channel_versions' ->> b.channel = b.version
    );
    delete from checkpoint_writes where thread_id = thread;
    delete from workflow_heads where workflow_id = workflow and checkpoint_ns <> '';
end
$$;

-- Whether a workflow has, or waits for, what it must give back.
create function holds_resources(workflow uuid) returns boolean
language plpgsql as $$
begin
    return exists (
        select 1 from resource_locks where workflow_id = workflow
        union all
        select 1 from resource_waits where workflow_id = workflow
    );
end
$$;

-- The rows of a checkpoint as LangGraph's own saver lays them out, and the head of its namespace. Its large values come
-- as one string of bytes; places says for each [channel, version, type, first byte, length].
create function store_checkpoint(
    workflow uuid, namespace text, saved_id text, parent text, content jsonb, about jsonb,
    places jsonb, bytes bytea, first boolean
) returns void
language plpgsql as $$
begin
    if places is not null then
        insert into checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
        select workflow::text, namespace, p ->> 0, p ->> 1, p ->> 2,
            substring(bytes from (p ->> 3)::integer for (p ->> 4)::integer)
        from jsonb_array_elements(places) as p;
    end if;
    insert into checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
    values (workflow::text, namespace, saved_id, parent, content, about);
    if first then
        insert into workflow_heads (workflow_id, checkpoint_ns, checkpoint_id) values (workflow, namespace, saved_id);
    else
        update workflow_heads set checkpoint_id = saved_id where workflow_id = workflow and checkpoint_ns = namespace;
    end if;
end
$$;

-- One row of the log for each of the steps of an entry, which are [from, to, trigger, agent]; the first one carries the
-- patch, to which only the new deadline is added. Returns the hash of the last one.
create function append_steps(
    workflow uuid, at_version integer, stamp timestamp with time zone, entry jsonb,
    new_deadline timestamp with time zone, namespace text, saved_id text, previous bytea
) returns bytea
language plpgsql as $$
declare
    patch jsonb := entry -> 'patch';
    steps jsonb := entry -> 'steps';
begin
    if entry ? 'limit' then
        patch := patch || jsonb_build_object('timeout_at', iso_time(new_deadline));
    end if;
    for nth in 0 .. jsonb_array_length(steps) - 1 loop
        insert into state_transitions (
            workflow_id, version, ordinal, from_state, to_state, timestamp, trigger_event, agent_id, metadata,
            checkpoint_ns, checkpoint_id, previous_hash
        ) values (
            workflow, at_version, nth, steps -> nth ->> 0, steps -> nth ->> 1, stamp, steps -> nth ->> 2,
            steps -> nth ->> 3, case when nth = 0 then jsonb_build_object('patch', patch) else '{}' end,
            namespace, saved_id, previous
        )
        returning hash into previous;
    end loop;
    return previous;
end
$$;

-- Where a workflow stands after the steps of an entry.
create function project_steps(
    workflow uuid, at_version integer, stamp timestamp with time zone, entry jsonb,
    new_deadline timestamp with time zone, chain bytea
) returns void
language plpgsql as $$
declare
    place jsonb := entry -> 'position';
begin
    update workflow_states set
        main_state = place ->> 0,
        sub_state = place ->> 1,
        detailed_state = place ->> 2,
        active_states = array(select jsonb_array_elements_text(entry -> 'active')),
        resume_states = '{}',
        context = coalesce(entry -> 'context', context),
        retry_count = 0,
        timeout_at = new_deadline,
        outcome = entry ->> 'outcome',
        version = at_version,
        chain_hash = chain,
        entered_at = stamp,
        updated_at = stamp,
        due_at = case when entry ? 'outcome' then null else due_at end
    where workflow_id = workflow;
end
$$;

-- Saves a checkpoint of a workflow, takes the steps that it stands for, and moves the head of its namespace.
--
-- Writes nothing, and says no version, when the workflow is not there, has ended, is driven from outside or must free
-- resources at its end; when the token is not the fence of the live lease; when the parent is not the head; when the
-- workflow is not at from_version (null: at whichever). A checkpoint that is the head already is known: an earlier try
-- saved it, and its answer was lost.
--
-- entry, null where no step is taken: steps, patch, position (main, sub, detailed), active; where they change context,
-- limit (seconds from now to the deadline), outcome. point, where a sub-state is complete: name, snapshot.
create function save_checkpoint(
    workflow uuid, namespace text, saved_id text, parent text, content jsonb, about jsonb,
    entry jsonb, token bigint, from_version integer, point jsonb, places jsonb, bytes bytea,
    out known boolean, out new_version integer, out new_deadline timestamp with time zone
)
language plpgsql as $$
declare
    stamp timestamp with time zone;
    head text;
    authorised boolean;
    claims integer;
    ending text := entry ->> 'outcome';
    chain bytea;
    movable boolean;
begin
    known := false;
    select w.version, w.timeout_at, w.chain_hash, w.outcome is null and w.driver = 'graph'
    into new_version, new_deadline, chain, movable
    from workflow_states as w where w.workflow_id = workflow for no key update;
    -- A statement of its own sees what was committed while the first one waited for the lock.
    select clock_timestamp(), l.attempts,
        l.fence = token and l.owner is not null and l.expires_at > clock_timestamp(),
        (select h.checkpoint_id from workflow_heads as h where h.workflow_id = workflow and h.checkpoint_ns = namespace)
    into stamp, claims, authorised, head
    from leases as l where l.workflow_id = workflow;
    known := coalesce(head = saved_id, false);
    if known or not coalesce(movable and authorised, false) or head is distinct from parent
        or new_version <> coalesce(from_version, new_version) or (ending is not null and holds_resources(workflow))
    then
        new_version := null;
        return;
    end if;

    perform store_checkpoint(
        workflow, namespace, saved_id, case when ending is null then parent end, content, about,
        places, bytes, head is null
    );
    if point is not null then
        insert into workflow_checkpoints (
            workflow_id, checkpoint_name, state_snapshot, checkpoint_ns, checkpoint_id
        ) values (workflow, point ->> 'name', point -> 'snapshot', namespace, saved_id);
    end if;
    if entry is null then
        return;
    end if;

    new_version := new_version + 1;
    if entry ? 'limit' then
        new_deadline := stamp + make_interval(secs => (entry ->> 'limit')::double precision);
    elsif entry -> 'position' ->> 2 is null then
        new_deadline := null;
    end if;
    chain := append_steps(workflow, new_version, stamp, entry, new_deadline, namespace, saved_id, chain);
    perform project_steps(workflow, new_version, stamp, entry, new_deadline, chain);
    if claims > 0 then
        update leases set attempts = 0 where workflow_id = workflow;
    end if;
    if ending is not null then
        delete from workflow_wakes where workflow_id = workflow;
        perform leave_behind(workflow, saved_id);
    end if;
end
$$;

-- Saves what a task wrote before its step was complete. Says fenced when the token is not the fence of the live lease;
-- then, and when the workflow has ended, nothing is written.
create function save_writes(
    workflow uuid, namespace text, of_checkpoint text, task text, path text, token bigint, replacing boolean,
    places integer[], channels text[], types text[], blobs bytea[],
    out known boolean, out fenced boolean
)
language plpgsql as $$
declare
    ended boolean;
begin
    select outcome is not null into ended from workflow_states where workflow_id = workflow for no key update;
    known := found;
    fenced := not exists (
        select 1 from leases as l
        where l.workflow_id = workflow and l.fence = token and l.owner is not null
            and l.expires_at > clock_timestamp()
    );
    if not known or fenced or ended then
        return;
    end if;
    insert into checkpoint_writes as w (
        thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob
    )
    select workflow::text, namespace, of_checkpoint, task, path, n.place, n.channel, n.type, n.blob
    from unnest(places, channels, types, blobs) as n (place, channel, type, blob)
    on conflict (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) do update set
        channel = excluded.channel, type = excluded.type, blob = excluded.blob
    where replacing;
end
$$;
