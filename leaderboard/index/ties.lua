-- After parts.lua. Where values stand on a board. A value is a score and a subscore key, with which the members begin.

-- Exact: a subscore key is within +-(2^53 - 1).
local function subscore_of(member)
  local size, number = byte(member, 1) - 128, 0
  for at = 2, 1 + abs(size) do
    number = number * 256 + (size > 0 and byte(member, at) or 255 - byte(member, at))
  end
  return size < 0 and -number or number
end

-- How many stand before the first with this value, or one worse. With `past`: with a worse value. O(log n) steps of O(log n).
local function before(order, score, subscore, past)
  local low = redis.call('ZCOUNT', order, '-inf', '(' .. score)
  local high = redis.call('ZCOUNT', order, '-inf', score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local found = subscore_of(redis.call('ZRANGE', order, middle, middle)[1])
    if found < subscore or (past and found == subscore) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

-- How many different values stand before each of these places (from 0), which ascend. It walks to the last one: some 5 ms for 10,000.
local function values_before(order, places)
  local STEP = 1000 -- a walk in steps keeps the reply of each small
  local counts, turn, count, score, subscore = {}, 1, 0, nil, nil
  local last = places[#places] or 0
  for first = 0, last - 1, STEP do
    local found = redis.call('ZRANGE', order, first, math.min(last, first + STEP) - 1, 'WITHSCORES')
    for i = 1, #found, 2 do
      while places[turn] == first + (i - 1) / 2 do
        counts[turn], turn = count, turn + 1
      end
      local now = sub(found[i], 1, 1 + abs(byte(found[i], 1) - 128))
      if found[i + 1] ~= score or now ~= subscore then
        score, subscore, count = found[i + 1], now, count + 1
      end
    end
  end
  for rest = turn, #places do
    counts[rest] = count
  end
  return counts
end

-- The ranks (from 1) of values that begin at these places, which ascend. `kind` is 'competition', or for dense ranks within how many
-- places they are told; 0 for those beyond.
local function shared_ranks(order, places, kind)
  local most, ranks, near = tonumber(kind), {}, {}
  for turn, place in ipairs(places) do
    ranks[turn] = most and 0 or place + 1
    if most and place < most then
      near[turn] = place
    end
  end
  for turn, count in ipairs(values_before(order, near)) do
    ranks[turn] = count + 1
  end
  return ranks
end
