-- After parts.lua, page.lua and ties.lua. Where a value would stand that came last of its equals.
-- KEYS: state, order, players
-- ARGV: score, subscore key, the user whose own entry does not count ('' for none)
-- Reply: nil if the board is cold, else {how many others there are, rank, {member, score} of the one just before, {value}}
local others = complete(KEYS[1], KEYS[2], KEYS[3])
if not others then
  return false
end
local better = before(KEYS[2], ARGV[1], tonumber(ARGV[2]), true)
local ahead = better - 1
local held = ARGV[3] ~= '' and redis.call('HGET', KEYS[3], ARGV[3])
if held then
  others = others - 1
  local own = redis.call('ZRANK', KEYS[2], member_of(held, ARGV[3]))
  if own < better then
    better = better - 1
  end
  if own == ahead then
    ahead = ahead - 1
  end
end
local found = ahead < 0 and {0, 0, {}, {}} or page(KEYS[2], KEYS[3], others, ahead, ahead)
return {others, better + 1, found[3], found[4]}
