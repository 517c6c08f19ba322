-- People can ask for a rewind: the log holds it as a step of its own, this table beside everything else they asked for.

alter table operator_requests
    drop constraint operator_requests_kind_known,
    drop constraint operator_requests_about,
    add constraint operator_requests_kind_known check (kind in ('pause', 'resume', 'retry', 'cancel', 'rewind')),
    add constraint operator_requests_about check (
        (kind in ('retry', 'cancel', 'rewind')) = (workflow_id is not null)
        and (repository is null or workflow_id is null));

-- The first round of effects after the newest rewind of a workflow; null where it never was rewound.
create function rewound_to_round(workflow uuid) returns integer
language sql stable as $$
    select (t.metadata -> 'rewound' ->> 'round')::integer
    from state_transitions as t
    where t.workflow_id = workflow and t.trigger_event = 'rewound' and t.metadata ? 'rewound'
    order by t.version desc
    limit 1
$$;
