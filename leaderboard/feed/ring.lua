-- Mark leaderboards as dirty and decide who rings the bell.
-- KEYS: dirty, mark, bell, rung_at (one slot)
-- ARGV: tick in ms, then leaderboards
-- Reply: in how many ms the caller is to ring, -1 if somebody else does
local tick = tonumber(ARGV[1])
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now = math.floor(now_us / 1000)
local function text(number)
  return string.format('%.0f', number)
end

-- Marks grow and, with the clock under them, do so over a flush: no two are equal, which is what `settle` needs.
local mark = math.max(now_us, tonumber(redis.call('GET', KEYS[2]) or '0') + 1)
redis.call('SET', KEYS[2], text(mark))
for i = 2, #ARGV do
  redis.call('HSET', KEYS[1], ARGV[i], text(mark))
end

-- The bell expires, so that one whose task was lost is rung again by the next mark.
if not redis.call('SET', KEYS[3], '1', 'NX', 'PX', math.max(1000, 2 * tick)) then
  return -1
end
local rung_at = tonumber(redis.call('GET', KEYS[4]) or '0')
if rung_at > now and rung_at <= now + tick then
  return -1 -- the bell was taken early (by a late task, the sweep), and the task it was for is still to come
end
local delay = math.max(0, math.min(tick, rung_at + tick - now)) -- past a tick only if the clock has stepped back
redis.call('SET', KEYS[4], text(now + delay))
return delay
