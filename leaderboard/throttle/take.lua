-- Take tokens from a bucket: all that are needed and some ahead, or none. The twin of `leaderboard.domain.throttle.take`.
-- KEYS: the bucket: the microsecond, by this server's clock, at which it is full again; missing: it is full
-- ARGV: tokens a second, burst, tokens needed, tokens ahead at the most
-- Reply: how many were granted, and the debt afterwards in microseconds
local per_s, burst, need, ahead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function cost(tokens)
  return math.ceil(tokens * 1000000 / per_s)
end

-- A clock that was set back would leave a debt of hours.
local debt = math.min(cost(burst), math.max(0, tonumber(redis.call('GET', KEYS[1]) or 0) - now))
local room = cost(burst) - debt
if cost(need) > room then
  return {0, debt}
end
local granted = need + math.min(ahead, math.floor((room - cost(need)) * per_s / 1000000))
debt = debt + cost(granted)
if granted > 0 then
  redis.call('SET', KEYS[1], string.format('%.0f', now + debt), 'PX', math.floor(debt / 1000) + 1)
end
return {granted, debt}
