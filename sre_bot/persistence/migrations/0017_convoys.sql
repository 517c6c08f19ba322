-- Checkpoints of several workflows that are ready at the same time travel together: one call, one commit.

-- A check is read and prepared anew by every statement that writes to its table, and lists are long to read: eight
-- checks took a tenth of a checkpoint. A function is read once in a session.
create function is_known_workflow(
    main_state text, sub_state text, detailed_state text, outcome text, driver text, runner text, version integer
) returns boolean
language plpgsql immutable as $$
begin
    return main_state in ('system_idle', 'ticket_processing', 'error_handling')
        and sub_state in ('ticket_acceptance', 'analysis', 'remediation', 'review', 'deployment')
        and detailed_state in (
            'monitoring', 'ticket_detected',
            'validating_ticket', 'accepting_ticket', 'ticket_accepted', 'ticket_rejected',
            'data_collection', 'k8s_event_analysis', 'source_code_analysis', 'correlation',
            'root_cause_generation', 'confidence_calculation', 'analysis_complete',
            'fix_generation', 'code_validation', 'test_generation', 'pr_creation', 'remediation_complete',
            'awaiting_review', 'review_in_progress', 'changes_requested', 'approved', 'rejected',
            'triggering_deployment', 'deployment_in_progress', 'validation_in_progress',
            'deployment_complete', 'deployment_failed',
            'error_detection', 'retry_evaluation', 'retry', 'escalation')
        and outcome in (
            'resolved', 'ticket_rejected', 'duplicate', 'no_action_needed', 'needs_human', 'fix_rejected',
            'deployment_failed', 'escalated', 'expired', 'cancelled')
        and driver in ('graph', 'external')
        and runner in ('worker', 'server')
        and (outcome is null or (main_state = 'system_idle' and detailed_state is null))
        and version >= 1;
end
$$;

alter table workflow_states
    drop constraint workflow_states_main_state_known,
    drop constraint workflow_states_sub_state_known,
    drop constraint workflow_states_detailed_state_known,
    drop constraint workflow_states_outcome_known,
    drop constraint workflow_states_driver_known,
    drop constraint workflow_states_runner_known,
    drop constraint workflow_states_ended_is_idle,
    drop constraint workflow_states_version_positive,
    add constraint workflow_states_hold_known_values check (
        is_known_workflow(main_state, sub_state, detailed_state, outcome, driver, runner, version));

-- As before, but whoever is not patient passes over a workflow whose row somebody else has locked: known is null then.
drop function save_checkpoint(
    uuid, text, text, text, jsonb, jsonb, jsonb, bigint, integer, jsonb, jsonb, bytea);

create function save_checkpoint(
    workflow uuid, namespace text, saved_id text, parent text, content jsonb, about jsonb,
    entry jsonb, token bigint, from_version integer, point jsonb, places jsonb, bytes bytea, patient boolean default true,
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
    if patient then
        select w.version, w.timeout_at, w.chain_hash, w.outcome is null and w.driver = 'graph'
        into new_version, new_deadline, chain, movable
        from workflow_states as w where w.workflow_id = workflow for no key update;
    else
        select w.version, w.timeout_at, w.chain_hash, w.outcome is null and w.driver = 'graph'
        into new_version, new_deadline, chain, movable
        from workflow_states as w where w.workflow_id = workflow for no key update skip locked;
        if not found then
            return;
        end if;
    end if;
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

-- Calls of save_checkpoint, each an object with its arguments by name; size says how many of the bytes are its own.
-- Answers each with [known, version, deadline], in their order.
create function save_checkpoints(batch jsonb, bytes bytea, patient boolean) returns jsonb
language plpgsql as $$
declare
    calls integer := jsonb_array_length(batch);
    call jsonb;
    first integer := 1;
    size integer;
    saved record;
    answers jsonb := '[]';
begin
    for nth in 0 .. calls - 1 loop
        call := batch -> nth;
        size := call ->> 'size';
        saved := save_checkpoint(
            (call ->> 'workflow')::uuid, call ->> 'namespace', call ->> 'saved_id', call ->> 'parent',
            call -> 'content', call -> 'about', nullif(call -> 'entry', 'null'), (call ->> 'token')::bigint,
            (call ->> 'from_version')::integer, nullif(call -> 'point', 'null'), nullif(call -> 'places', 'null'),
            substring(bytes from first for size), patient
        );
        first := first + size;
        answers := answers || jsonb_build_array(
            jsonb_build_array(saved.known, saved.new_version, iso_time(saved.new_deadline)));
    end loop;
    return answers;
end
$$;
