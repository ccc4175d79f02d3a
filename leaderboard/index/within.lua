-- After parts.lua and page.lua. A page of the entries with scores from low to high.
-- KEYS: state, order, players
-- ARGV: low, high, offset, limit
-- Reply: nil if the board is cold, else the page
local total = complete(KEYS[1], KEYS[2], KEYS[3])
if not total then
  return false
end
local first = redis.call('ZCOUNT', KEYS[2], '-inf', '(' .. ARGV[1]) + tonumber(ARGV[3])
local past = math.min(redis.call('ZCOUNT', KEYS[2], '-inf', ARGV[2]), first + tonumber(ARGV[4]))
if past <= first then
  return {total, first + 1, {}, {}}
end
return page(KEYS[2], KEYS[3], total, first, past - 1)
