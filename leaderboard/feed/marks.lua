-- Shared by the scripts that give out marks.
-- Marks grow and, with the clock under them, do so over a flush: no two are equal.

local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]

local function text(number)
  return string.format('%.0f', number)
end

-- The next mark, as text; `last` is the key of the last one given out.
local function next_mark(last)
  local mark = text(math.max(now_us, tonumber(redis.call('GET', last) or '0') + 1))
  redis.call('SET', last, mark)
  return mark
end
