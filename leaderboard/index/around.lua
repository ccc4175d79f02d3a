-- After parts.lua and page.lua. A player's entry with its neighbours.
-- KEYS: state, order, players
-- ARGV: user, how many on either side
-- Reply: nil if the board is cold, {} if the player is not on it, else the page
local total = complete(KEYS[1], KEYS[2], KEYS[3])
if not total then
  return false
end
local held = redis.call('HGET', KEYS[3], ARGV[1])
if not held then
  return {}
end
local rank = redis.call('ZRANK', KEYS[2], member_of(held, ARGV[1]))
local limit = tonumber(ARGV[2])
return page(KEYS[2], KEYS[3], total, math.max(0, rank - limit), rank + limit)
