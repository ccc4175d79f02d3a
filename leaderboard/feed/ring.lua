-- After marks.lua. Mark leaderboards as dirty and as changed, count their scores, and decide who rings the bell.
-- KEYS: dirty, changed, mark, bell, rung_at, scores (one slot)
-- ARGV: tick in ms, then leaderboards, each with how many scores it took
-- Reply: in how many ms the caller is to ring, -1 if somebody else does
local tick = tonumber(ARGV[1])
local now = math.floor(now_us / 1000)

local mark = next_mark(KEYS[3])
for i = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], mark)
  redis.call('HSET', KEYS[2], ARGV[i], mark)
  if ARGV[i + 1] ~= '0' then
    redis.call('HINCRBY', KEYS[6], ARGV[i], ARGV[i + 1])
  end
end

-- The bell expires, so that one whose task was lost is rung again by the next mark.
if not redis.call('SET', KEYS[4], '1', 'NX', 'PX', math.max(1000, 2 * tick)) then
  return -1
end
local rung_at = tonumber(redis.call('GET', KEYS[5]) or '0')
if rung_at > now and rung_at <= now + tick then
  return -1 -- the bell was taken early (by a late task, the sweep), and the task it was for is still to come
end
local delay = math.max(0, math.min(tick, rung_at + tick - now)) -- past a tick only if the clock has stepped back
redis.call('SET', KEYS[5], text(now + delay))
return delay
