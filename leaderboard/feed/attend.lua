-- Say how many watch by one process, and learn how many watch by all.
-- KEYS: processes, and what this one says (one slot; what the others say is beside it)
-- ARGV: this process, what its key begins with, for how many ms its word counts, how many boards it says, each with its watchers;
--       then the leaderboards that are asked for
-- Reply: the watchers of each
local process, root, life, said = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local STEP = 1000 -- of a call's arguments: Lua's stack takes 8,000

redis.call('UNLINK', KEYS[2])
for first = 5, 4 + 2 * said, STEP do
  redis.call('HSET', KEYS[2], unpack(ARGV, first, math.min(first + STEP - 1, 4 + 2 * said)))
end
if said > 0 then
  redis.call('PEXPIRE', KEYS[2], life)
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + life), process)
else
  redis.call('ZREM', KEYS[1], process)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
if redis.call('PTTL', KEYS[1]) < life then -- another's word may count for longer
  redis.call('PEXPIRE', KEYS[1], life)
end

local watching = {}
for _, other in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  for first = 5 + 2 * said, #ARGV, STEP do
    local counts = redis.call('HMGET', root .. other, unpack(ARGV, first, math.min(first + STEP - 1, #ARGV)))
    for i, count in ipairs(counts) do
      local place = first - 4 - 2 * said + i - 1
      watching[place] = (watching[place] or 0) + tonumber(count or '0')
    end
  end
end
for place = 1, #ARGV - 4 - 2 * said do
  watching[place] = watching[place] or 0
end
return watching
