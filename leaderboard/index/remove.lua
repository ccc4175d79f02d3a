-- After parts.lua. Take players off a board. A rebuild under way may have read them already: it loses its lease.
-- KEYS: state, order, players
-- ARGV: users
-- Reply: how many were on it
local removed = 0
for i = 1, #ARGV do
  local held = redis.call('HGET', KEYS[3], ARGV[i])
  if held then
    redis.call('ZREM', KEYS[2], member_of(held, ARGV[i]))
    redis.call('HDEL', KEYS[3], ARGV[i])
    removed = removed + 1
  end
end
if redis.call('GET', KEYS[1]) ~= 'ready' then
  redis.call('DEL', KEYS[1])
end
return removed
