-- After parts.lua. End a rebuild.
-- KEYS: state, order, players
-- ARGV: generation
-- Reply: 1 if the board is ready now, 0 if the lease or part of the board was lost
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], 'ready')
if complete(KEYS[1], KEYS[2], KEYS[3]) then
  return 1
end
redis.call('DEL', KEYS[1])
return 0
