-- name: put
insert into artifacts (digest, media_type, size, content)
values (%(digest)s, %(media_type)s, %(size)s, %(content)s)
on conflict (digest) do nothing

-- name: get
select content from artifacts where digest = %(digest)s
