-- After parts.lua. A player's entry.
-- KEYS: state, order, players
-- ARGV: user
-- Reply: nil if the board is cold, {} if the player is not on it, else a page of the one
local total = complete(KEYS[1], KEYS[2], KEYS[3])
if not total then
  return false
end
local value = redis.call('HGET', KEYS[3], ARGV[1])
if not value then
  return {}
end
local member = member_of(value, ARGV[1])
local rank, score = redis.call('ZRANK', KEYS[2], member), redis.call('ZSCORE', KEYS[2], member)
return {total, rank + 1, {member, score}, {value}}
