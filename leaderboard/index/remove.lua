-- After parts.lua. Take players off a board. A rebuild under way may have read them already: it loses its lease.
-- KEYS: state, order, players, removed
-- ARGV: the last session that is taken back (0: whatever is held goes), how many seconds that is kept, then users
-- Reply: how many were on it
-- `removed` keeps user -> last session, so that a late write of what was taken back is known as such: see place.lua.
local last = tonumber(ARGV[1])
local removed = 0
for i = 3, #ARGV do
  local user = ARGV[i]
  local held = redis.call('HGET', KEYS[3], user)
  if held and (last == 0 or session_of(held) <= last) then
    redis.call('ZREM', KEYS[2], member_of(held, user))
    redis.call('HDEL', KEYS[3], user)
    removed = removed + 1
  end
  if last > 0 and last > tonumber(redis.call('HGET', KEYS[4], user) or 0) then
    redis.call('HSET', KEYS[4], user, ARGV[1])
  end
end
if last > 0 then
  redis.call('EXPIRE', KEYS[4], ARGV[2])
end
if redis.call('GET', KEYS[1]) ~= 'ready' then
  redis.call('DEL', KEYS[1])
end
return removed
