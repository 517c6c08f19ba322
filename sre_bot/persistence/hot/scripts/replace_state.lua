-- Replaces what is known of one workflow, and appends its new steps, if nobody replaced it since it was read.
--
-- KEYS: the hash of states, the stream of the workflow's steps.
-- ARGV: the workflow, what was read (empty: nothing), what to keep (empty: nothing), '1' to begin the stream anew,
-- seconds until the states are forgotten, seconds until the stream is, most entries of the stream, then an id and a
-- document for each step.
local stored = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if stored ~= ARGV[2] then
    return 0
end
if ARGV[3] == '' then
    redis.call('HDEL', KEYS[1], ARGV[1])
    redis.call('DEL', KEYS[2])
    return 1
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[5])
if ARGV[4] == '1' then
    redis.call('DEL', KEYS[2])
end
for at = 8, #ARGV, 2 do
    redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], ARGV[at], 'transition', ARGV[at + 1])
end
redis.call('EXPIRE', KEYS[2], ARGV[6])
return 1
