-- After parts.lua. A page of ranks first..last (from 0) as the reply {total, rank of the first from 1, user, score, value, ...}.
local function page(order, players, total, first, last)
  local reply = {total, first + 1}
  local found = redis.call('ZRANGE', order, first, last, 'WITHSCORES')
  if #found == 0 then
    return reply
  end
  local users = {}
  for i = 1, #found, 2 do
    users[#users + 1] = user_of(found[i])
  end
  local values = redis.call('HMGET', players, unpack(users))
  for i = 1, #users do
    reply[#reply + 1] = users[i]
    reply[#reply + 1] = found[2 * i]
    reply[#reply + 1] = values[i]
  end
  return reply
end
