-- After parts.lua. Write entries in bulk into a board that is being rebuilt, by the version guard, and renew the lease.
-- KEYS: state, order, players
-- ARGV: generation, lease in ms, then per entry score, user, value; each user once, at most 1,000 entries (unpack's stack)
-- Reply: 1, or 0 if the lease is lost
local state, order, players = KEYS[1], KEYS[2], KEYS[3]
if redis.call('GET', state) ~= ARGV[1] then
  return 0
end
redis.call('PEXPIRE', state, ARGV[2])
local users, count = {}, 0
for i = 4, #ARGV, 3 do
  count = count + 1
  users[count] = ARGV[i]
end
local held = redis.call('HMGET', players, unpack(users))
local members, values, last = {}, {}, 0
for i = 1, count do
  local user, value, before = users[i], ARGV[3 * i + 2], held[i]
  if not before or version_of(before) < version_of(value) then
    if before then
      redis.call('ZREM', order, member_of(before, user))
    end
    members[last + 1], members[last + 2] = ARGV[3 * i], member_of(value, user)
    values[last + 1], values[last + 2] = user, value
    last = last + 2
  end
end
if last > 0 then
  redis.call('ZADD', order, unpack(members))
  redis.call('HSET', players, unpack(values))
end
return 1
