-- After parts.lua and page.lua. Several players' entries, each with its neighbours, as of one moment.
-- KEYS: state, order, players
-- ARGV: user, how many on either side, and so on
-- Reply: nil if the board is cold, else {total, page, ...}: a page for each, {} for a player that is not on the board
local total = complete(KEYS[1], KEYS[2], KEYS[3])
if not total then
  return false
end
local found = {total}
for i = 1, #ARGV, 2 do
  local held, limit = redis.call('HGET', KEYS[3], ARGV[i]), tonumber(ARGV[i + 1])
  if held then
    local rank = redis.call('ZRANK', KEYS[2], member_of(held, ARGV[i]))
    found[#found + 1] = page(KEYS[2], KEYS[3], total, math.max(0, rank - limit), rank + limit)
  else
    found[#found + 1] = {}
  end
end
return found
