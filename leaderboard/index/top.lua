-- After parts.lua and page.lua. A page by rank; with limit 0 it only counts.
-- KEYS: state, order, players
-- ARGV: offset, limit
-- Reply: nil if the board is cold, else the page
local total = complete(KEYS[1], KEYS[2], KEYS[3])
if not total then
  return false
end
local offset, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
if limit == 0 then
  return {total, offset + 1, {}, {}}
end
return page(KEYS[2], KEYS[3], total, offset, offset + limit - 1)
