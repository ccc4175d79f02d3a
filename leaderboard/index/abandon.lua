-- Give up a rebuild that failed, so that the next need not wait for the lease to run out.
-- KEYS: state, order, players
-- ARGV: generation
-- Reply: 1, or 0 if the lease was lost before
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
return 1
