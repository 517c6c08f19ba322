-- Forgets what a holder held, all of it where no resource is named.
--
-- KEYS: the hash of hints. ARGV: the holder, then resources.
local named = {}
for at = 2, #ARGV do
    named[ARGV[at]] = true
end
local hints = redis.call('HGETALL', KEYS[1])
local freed = 0
for at = 1, #hints, 2 do
    if hints[at + 1] == ARGV[1] and (#ARGV == 1 or named[hints[at]]) then
        freed = freed + redis.call('HDEL', KEYS[1], hints[at])
    end
end
return freed
