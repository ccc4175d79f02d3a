-- The frames after a position.
-- KEYS: position, frames
-- ARGV: epoch, offset
-- Reply: the frames, oldest first, or nil if they can't be had: another epoch, a later offset, or no longer held
local held = redis.call('HMGET', KEYS[1], 'epoch', 'offset')
if not held[1] or held[1] ~= ARGV[1] then
  return false
end
local missing = tonumber(held[2]) - tonumber(ARGV[2])
if missing == 0 then
  return {}
end
if missing < 0 or missing > redis.call('LLEN', KEYS[2]) then
  return false
end
return redis.call('LRANGE', KEYS[2], -missing, -1)
