-- After parts.lua, page.lua and ties.lua: a page that also tells what its first entry is ranked if equals share a rank.
-- The last of ARGV is the kind, as `shared_ranks` takes it.
local plain = page
local function page(order, players, total, first, last)
  local reply = plain(order, players, total, first, last)
  local found = reply[3]
  if #found > 0 then
    reply[5] = shared_ranks(order, {before(order, found[2], subscore_of(found[1]))}, ARGV[#ARGV])[1]
  end
  return reply
end
