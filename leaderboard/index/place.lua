-- After parts.lua. Write entries by the version guard and tell where they stand.
-- KEYS: state, order, players, removed
-- ARGV: per entry score, user, value
-- Reply: nil if the board is cold (a rebuild under way still takes the writes), else packed {total, then per entry rank,
--        previous rank}, ranks from 1, 0 for a player that was not on the board. What was taken back meanwhile gets the rank it would have
-- Each command is called once for CHUNK entries where it can be: a call from Lua costs more than most of them do.
local state, order, players = KEYS[1], KEYS[2], KEYS[3]
local stage = redis.call('GET', state)
local ready = stage == 'ready'
if not stage or (ready and not complete(state, order, players)) then
  return false
end

local CHUNK = 1000 -- unpack's stack takes 8,000 values
local call = redis.call
local reply, told = {0}, 1
local any_removed = call('EXISTS', KEYS[4]) == 1

local function rank_of(member)
  return ready and call('ZRANK', order, member) + 1 or 0
end

-- The chunk's players in turn, the turn of each, and where the newest of its entries begins.
local function players_of(first, last)
  local users, turns, newest, count = {}, {}, {}, 0
  for i = first, last, 3 do
    local user = ARGV[i + 1]
    local turn = turns[user]
    if not turn then
      count = count + 1
      users[count], turns[user], newest[count] = user, count, i
    elseif version_of(ARGV[newest[turn] + 2]) < version_of(ARGV[i + 2]) then
      newest[turn] = i
    end
  end
  return users, turns, newest
end

-- Write the newest entries of these players; their members, and the previous rank of each that moves, by turn.
local function write(users, newest)
  local held = call('HMGET', players, unpack(users))
  local taken_back = any_removed and call('HMGET', KEYS[4], unpack(users)) or {}
  local members, previous = {}, {}
  local gone, added, values = {}, {}, {}
  local removals, additions, writes = 0, 0, 0
  for turn = 1, #users do
    local user, score, value, before = users[turn], ARGV[newest[turn]], ARGV[newest[turn] + 2], held[turn]
    local was = before and member_of(before, user)
    if before and version_of(before) >= version_of(value) then
      members[turn] = was
    elseif taken_back[turn] and session_of(value) <= tonumber(taken_back[turn]) then
      members[turn] = was or false
    else
      local now = member_of(value, user)
      members[turn] = now
      values[writes + 1], values[writes + 2] = user, value
      writes = writes + 2
      -- A member that stays moves only by its score, as after a correction.
      if now ~= was or tonumber(call('ZSCORE', order, now)) ~= tonumber(score) then
        previous[turn] = was and rank_of(was) or 0
        added[additions + 1], added[additions + 2] = score, now
        additions = additions + 2
      end
      if was and now ~= was then
        removals = removals + 1
        gone[removals] = was
      end
    end
  end
  if removals > 0 then
    call('ZREM', order, unpack(gone))
  end
  if additions > 0 then
    call('ZADD', order, unpack(added))
  end
  if writes > 0 then
    call('HSET', players, unpack(values))
  end
  return members, previous
end

local function place(first, last)
  local users, turns, newest = players_of(first, last)
  local members, previous = write(users, newest)
  if not ready then
    return
  end
  local ranks = {}
  for turn = 1, #members do
    ranks[turn] = members[turn] and rank_of(members[turn]) or call('ZCOUNT', order, '-inf', '(' .. ARGV[newest[turn]]) + 1
  end
  for i = first, last, 3 do
    local turn = turns[ARGV[i + 1]]
    reply[told + 1], reply[told + 2] = ranks[turn], previous[turn] or ranks[turn]
    told = told + 2
  end
end

for first = 1, #ARGV, 3 * CHUNK do
  place(first, math.min(#ARGV, first + 3 * CHUNK - 1))
end
if not ready then
  return false
end
reply[1] = call('ZCARD', order)
return cmsgpack.pack(reply)
