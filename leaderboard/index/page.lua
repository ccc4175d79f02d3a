-- After parts.lua. A page of ranks first..last (from 0) as {total, rank of the first from 1, {member, score, ...}, {value, ...}}.
local function page(order, players, total, first, last)
  local found = redis.call('ZRANGE', order, first, last, 'WITHSCORES')
  if #found == 0 then
    return {total, first + 1, {}, {}}
  end
  local users = {}
  for i = 1, #found, 2 do
    users[#users + 1] = user_of(found[i])
  end
  return {total, first + 1, found, redis.call('HMGET', players, unpack(users))}
end
