-- Take a mark off unless a newer one was made.
-- KEYS: dirty
-- ARGV: leaderboard, mark
-- Reply: 1 if the leaderboard is not dirty now, else 0
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and held ~= ARGV[2] then
  return 0
end
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
