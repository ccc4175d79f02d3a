-- After parts.lua. Write entries by the version guard and tell where they stand.
-- KEYS: state, order, players
-- ARGV: per entry score, user, value
-- Reply: nil if the board is cold (a rebuild under way still takes the writes), else packed {total, then per entry rank,
--        previous rank}, ranks from 1, 0 for a player that was not on the board
-- Each command is called once for CHUNK entries where it can be: a call from Lua costs more than most of them do.
local state, order, players = KEYS[1], KEYS[2], KEYS[3]
local stage = redis.call('GET', state)
local ready = stage == 'ready'
if not stage or (ready and not complete(state, order, players)) then
  return false
end

local CHUNK = 1000 -- unpack's stack takes 8,000 values
local call = redis.call
local reply = {0}

local function rank_of(member)
  return ready and call('ZRANK', order, member) + 1 or 0
end

-- Of a player's entries in the chunk the newest counts: its place, by user, and the users in turn.
local function newest_of(first, last)
  local newest, users = {}, {}
  for i = first, last, 3 do
    local user = ARGV[i + 1]
    local other = newest[user]
    if not other then
      users[#users + 1] = user
      newest[user] = i
    elseif version_of(ARGV[other + 2]) < version_of(ARGV[i + 2]) then
      newest[user] = i
    end
  end
  return newest, users
end

-- Whether members that stay have another score than before, as after a correction.
local function moved_by_score(members, scores)
  local moved = {}
  if #members > 0 then
    for i, score in ipairs(call('ZMSCORE', order, unpack(members))) do
      moved[members[i]] = not score or tonumber(score) ~= tonumber(scores[i])
    end
  end
  return moved
end

local function place(first, last)
  local newest, users = newest_of(first, last)
  local held = call('HMGET', players, unpack(users))
  local member, previous = {}, {}
  local added, gone, values, staying, staying_scores = {}, {}, {}, {}, {}
  for i, user in ipairs(users) do
    local at, before = newest[user], held[i]
    local score, value = ARGV[at], ARGV[at + 2]
    if before and version_of(before) >= version_of(value) then
      member[user] = member_of(before, user)
    else
      local now, was = member_of(value, user), before and member_of(before, user)
      member[user] = now
      values[#values + 1] = user
      values[#values + 1] = value
      if now == was then
        staying[#staying + 1], staying_scores[#staying + 1] = now, score
      elseif was then
        previous[user] = rank_of(was)
        gone[#gone + 1] = was
      else
        previous[user] = 0
      end
      if now ~= was then
        added[#added + 1] = score
        added[#added + 1] = now
      end
    end
  end
  local moved = moved_by_score(staying, staying_scores)
  for i, now in ipairs(staying) do
    if moved[now] then
      previous[user_of(now)] = rank_of(now)
      added[#added + 1] = staying_scores[i]
      added[#added + 1] = now
    end
  end
  if #gone > 0 then
    call('ZREM', order, unpack(gone))
  end
  if #added > 0 then
    call('ZADD', order, unpack(added))
  end
  if #values > 0 then
    call('HSET', players, unpack(values))
  end
  if ready then
    local ranks = {}
    for i = first, last, 3 do
      local user = ARGV[i + 1]
      local rank = ranks[user]
      if not rank then
        rank = rank_of(member[user])
        ranks[user] = rank
      end
      reply[#reply + 1] = rank
      reply[#reply + 1] = previous[user] or rank
    end
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
