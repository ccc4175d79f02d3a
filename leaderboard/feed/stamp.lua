-- After marks.lua. Give those leaderboards a `changed` that have none: never changed, or flushed.
-- KEYS: changed, mark (one slot)
-- ARGV: leaderboards
-- Reply: what each has now
local missing = {}
for _, leaderboard in ipairs(ARGV) do
  if redis.call('HEXISTS', KEYS[1], leaderboard) == 0 then
    missing[#missing + 1] = leaderboard
  end
end
if #missing > 0 then
  local mark = next_mark(KEYS[2])
  for _, leaderboard in ipairs(missing) do
    redis.call('HSET', KEYS[1], leaderboard, mark)
  end
end
return redis.call('HMGET', KEYS[1], unpack(ARGV))
