-- Replaces one hint if nobody replaced it since it was read.
--
-- KEYS: the hash of hints. ARGV: the resource, what was read, what to keep (each empty: nothing).
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then
    return 0
end
if ARGV[3] == '' then
    redis.call('HDEL', KEYS[1], ARGV[1])
else
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 1
