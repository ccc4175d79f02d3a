-- After parts.lua. Write entries by the version guard and tell where they stand.
-- KEYS: state, order, players
-- ARGV: per entry score, user, value
-- Reply: nil if the board is cold (a rebuild under way still takes the writes), else {total, then per entry rank,
--        previous rank}, ranks from 1, 0 for a player that was not on the board
local state, order, players = KEYS[1], KEYS[2], KEYS[3]
local stage = redis.call('GET', state)
local ready = stage == 'ready'
if not stage or (ready and not complete(state, order, players)) then
  return false
end

local function rank_of(member)
  return ready and redis.call('ZRANK', order, member) + 1 or 0
end

local reply = {0}
for i = 1, #ARGV, 3 do
  local score, user, value = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local member = member_of(value, user)
  local held = redis.call('HGET', players, user)
  local held_member = held and member_of(held, user)
  local previous = held and rank_of(held_member) or 0
  local rank = previous
  if not held or version_of(held) < version_of(value) then
    if held and held_member ~= member then
      redis.call('ZREM', order, held_member)
    end
    if redis.call('ZADD', order, 'CH', score, member) == 1 then
      rank = rank_of(member)
    end
    redis.call('HSET', players, user, value)
  end
  reply[#reply + 1] = rank
  reply[#reply + 1] = previous
end
if not ready then
  return false
end
reply[1] = redis.call('ZCARD', order)
return reply
