-- Shared by the scripts of the index: the bytes of encoding.py, as far as Lua must know them, and what "ready" means.
-- Strings are never compared by < here: Lua compares them by the server's locale.

local byte, sub, abs = string.byte, string.sub, math.abs

local function version_of(value)
  local version = 0
  for at = 8, byte(value, 7) - 121 do
    version = version * 256 + byte(value, at)
  end
  return version
end

-- The session that set the value: the last of its numbers.
local function session_of(value)
  local subscore = byte(value, 7) - 120
  local at = subscore + 1 + abs(byte(value, subscore) - 128)
  local session = 0
  for place = at + 1, at + byte(value, at) - 128 do
    session = session * 256 + byte(value, place)
  end
  return session
end

-- A value ends with the member's first part; the user is its last.
local function member_of(value, user)
  return sub(value, byte(value, 7) - 120) .. user
end

-- A member is three numbers; the last is the user.
local function user_of(member)
  local session = 2 + abs(byte(member, 1) - 128)
  return sub(member, session + 1 + abs(byte(member, session) - 128))
end

-- How many the board holds if it is complete, else nil. `players` has one field more, the mark that `begin` left there:
-- if any of the three keys was lost alone, the counts differ or the state is missing.
local function complete(state, order, players)
  if redis.call('GET', state) ~= 'ready' then
    return nil
  end
  local total = redis.call('ZCARD', order)
  return redis.call('HLEN', players) == total + 1 and total or nil
end
