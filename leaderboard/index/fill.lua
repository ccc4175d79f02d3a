-- After parts.lua. Write entries in bulk into a board that is being rebuilt, by the version guard, and renew the lease.
-- KEYS: state, order, players
-- ARGV: generation, lease in ms, then per entry score, user, value; each user once, at most 1,000 entries (unpack's stack)
-- Reply: 1, or 0 if the lease is lost
local state, order, players = KEYS[1], KEYS[2], KEYS[3]
if redis.call('GET', state) ~= ARGV[1] then
  return 0
end
redis.call('PEXPIRE', state, ARGV[2])
local users = {}
for i = 3, #ARGV, 3 do
  users[#users + 1] = ARGV[i + 1]
end
local held = redis.call('HMGET', players, unpack(users))
local members, values = {}, {}
for i = 1, #users do
  local score, user, value = ARGV[3 * i], users[i], ARGV[3 * i + 2]
  if not held[i] or version_of(held[i]) < version_of(value) then
    if held[i] then
      redis.call('ZREM', order, member_of(held[i], user))
    end
    members[#members + 1] = score
    members[#members + 1] = member_of(value, user)
    values[#values + 1] = user
    values[#values + 1] = value
  end
end
if #members > 0 then
  redis.call('ZADD', order, unpack(members))
  redis.call('HSET', players, unpack(values))
end
return 1
