-- What people asked of the bot. Rows are only added: the newest pause or resume of a scope is the one that counts, and
-- a cancellation counts until its workflow has ended.

create table operator_requests (
    id bigint generated always as identity primary key,
    kind varchar(20) not null,
    workflow_id uuid references workflow_states (workflow_id),
    repository text,
    why text not null,
    asked_by text not null,
    asked_at timestamp with time zone not null default clock_timestamp(),

    constraint operator_requests_kind_known check (kind in ('pause', 'resume', 'retry', 'cancel')),
    constraint operator_requests_about check (
        (kind in ('retry', 'cancel')) = (workflow_id is not null) and (repository is null or workflow_id is null))
);

create index operator_requests_workflow_id on operator_requests (workflow_id) where workflow_id is not null;
create index operator_requests_scope on operator_requests (repository, id) where workflow_id is null;

create or replace function refuse_rewriting() returns trigger
language plpgsql as $$
begin
    raise exception '% is append-only: % refused', tg_table_name, tg_op using errcode = 'integrity_constraint_violation';
end
$$;

create trigger append_only before update or delete on operator_requests
    for each row execute function refuse_rewriting();
create trigger append_only_table before truncate on operator_requests
    for each statement execute function refuse_rewriting();

-- What must not be begun now: a repository, or (null) everything.
create view pauses as
select repository, why, asked_by, asked_at
from (
    select distinct on (repository) repository, kind, why, asked_by, asked_at
    from operator_requests
    where workflow_id is null
    order by repository, id desc
) as newest
where kind = 'pause';

create function is_paused(w workflow_states) returns boolean
language sql stable as $$
    select exists (
        select 1 from pauses as p
        where p.repository is null or lower(p.repository) = lower(w.context ->> 'repository')
    )
$$;

create function cancelled_at(w workflow_states) returns timestamp with time zone
language sql stable as $$
    select min(r.asked_at) from operator_requests as r where r.workflow_id = w.workflow_id and r.kind = 'cancel'
$$;

-- When somebody should run a workflow, now also to cancel it: nothing but telling the ticket makes that wait.
create or replace function due_of(w workflow_states) returns timestamp with time zone
language sql stable as $$
    select case
        when w.outcome is not null then null
        when w.detailed_state is distinct from 'escalation' and cancelled_at(w) is not null then cancelled_at(w)
        when w.detailed_state = 'retry' then w.due_at
        else least(w.due_at, (select min(k.woken_at) from workflow_wakes as k where k.workflow_id = w.workflow_id))
    end
$$;
