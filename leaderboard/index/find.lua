-- After parts.lua and ties.lua. The entries of some players, as of one moment.
-- KEYS: state, order, players
-- ARGV: the kind of shared ranks ('' for none), then users, each once
-- Reply: nil if the board is cold, else {total, {member, score, ...}, {value, ...}, {rank, ...}, {shared rank, ...}} of those on it, in
--        board order
local total = complete(KEYS[1], KEYS[2], KEYS[3])
if not total then
  return false
end
local users = {}
for i = 2, #ARGV do
  users[i - 1] = ARGV[i]
end
local found = {}
for i, value in ipairs(redis.call('HMGET', KEYS[3], unpack(users))) do
  if value then
    local member = member_of(value, users[i])
    found[#found + 1] = {redis.call('ZRANK', KEYS[2], member), member, redis.call('ZSCORE', KEYS[2], member), value}
  end
end
table.sort(found, function(one, other) return one[1] < other[1] end)
local members, values, ranks, begins = {}, {}, {}, {}
for i, place in ipairs(found) do
  ranks[i], members[2 * i - 1], members[2 * i], values[i] = place[1] + 1, place[2], place[3], place[4]
  if ARGV[1] ~= '' then
    begins[i] = before(KEYS[2], place[3], subscore_of(place[2]))
  end
end
return {total, members, values, ranks, shared_ranks(KEYS[2], begins, ARGV[1])}
