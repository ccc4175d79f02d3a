-- Begin a rebuild: drop what the board holds and take the lease.
-- KEYS: state, order, players
-- ARGV: generation (names this rebuild), lease in ms
-- Reply: 1, or 0 if another rebuild holds the lease
local stage = redis.call('GET', KEYS[1])
if stage and stage ~= 'ready' then
  return 0
end
redis.call('UNLINK', KEYS[2], KEYS[3])
redis.call('HSET', KEYS[3], '', ARGV[1]) -- no user's field is empty: the mark that `complete` counts on
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
