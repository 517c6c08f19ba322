-- name: states
-- Those with the given ids; without ids all that live or ended a short while ago. Of the context only what a list shows.
select w.workflow_id, w.ticket_id, w.main_state, w.sub_state, w.detailed_state, w.active_states, w.resume_states,
    w.retry_count, w.max_retries, w.timeout_at, w.escalated, w.outcome, w.version, w.driver, w.runner, w.graph_version,
    w.created_at, w.updated_at, w.entered_at, null::timestamptz as due,
    jsonb_strip_nulls(jsonb_build_object(
        'repository', w.context -> 'repository',
        'pr_url', w.context -> 'pr_url',
        'analysis_results', jsonb_build_object(
            'verdict', w.context -> 'analysis_results' -> 'verdict',
            'kind', w.context -> 'analysis_results' -> 'kind',
            'object', w.context -> 'analysis_results' -> 'object',
            'confidence', w.context -> 'analysis_results' -> 'confidence'
        )
    )) as context
from workflow_states as w
where w.workflow_id = any(%(ids)s::uuid[])
    or (%(ids)s::uuid[] is null and (w.outcome is null or w.updated_at > clock_timestamp() - %(kept)s::interval))

-- name: steps
-- What the log says of some workflows after some versions.
select t.workflow_id, t.version, t.ordinal, t.from_state, t.to_state, t.timestamp, t.trigger_event, t.agent_id
from unnest(%(ids)s::uuid[], %(versions)s::integer[]) as known (workflow_id, version)
join state_transitions as t on t.workflow_id = known.workflow_id and t.version > known.version
order by t.workflow_id, t.version, t.ordinal

-- name: claim_round
insert into redis_rounds as r (prefix, owner, claimed_at)
values (%(prefix)s, %(owner)s, clock_timestamp())
on conflict (prefix) do update set owner = excluded.owner, claimed_at = excluded.claimed_at
where r.claimed_at <= clock_timestamp() - %(pause)s::interval
returning prefix

-- name: end_round
update redis_rounds as r set
    ended_at = clock_timestamp(),
    trouble = %(trouble)s,
    trouble_since = case when %(trouble)s = '' then null else coalesce(r.trouble_since, clock_timestamp()) end,
    rounds = r.rounds + 1,
    repaired = r.repaired || coalesce((
        select jsonb_object_agg(n.key, n.value::bigint + coalesce((r.repaired ->> n.key)::bigint, 0))
        from jsonb_each_text(%(repaired)s::jsonb) as n
    ), '{}')
where r.prefix = %(prefix)s

-- name: rounds
select prefix, owner, ended_at, trouble, trouble_since, rounds, repaired, clock_timestamp() as now
from redis_rounds
where claimed_at > clock_timestamp() - %(shown)s::interval
order by prefix

-- name: stand_in_line
-- One process at a time passes on what happens; its connection's end frees the place.
select pg_try_advisory_lock(hashtextextended('sre_bot.redis:' || %(prefix)s, 0)) as first

-- name: lively
select w.workflow_id from workflow_states as w where w.updated_at > clock_timestamp() - %(lively)s::interval
