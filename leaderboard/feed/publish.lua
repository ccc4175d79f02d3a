-- Store a frame and the state it leads to, if the position is still the one it was made from.
-- KEYS: state, position, frames
-- ARGV: epoch and offset before, epoch and offset after, state, frame, 1 if the frame resets, how many frames to keep
-- Reply: 1, or 0 if the position is another
local held = redis.call('HMGET', KEYS[2], 'epoch', 'offset')
if (held[1] or '') ~= ARGV[1] or (held[2] or '0') ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[2], 'epoch', ARGV[3], 'offset', ARGV[4])
redis.call('SET', KEYS[1], ARGV[5])
if ARGV[7] == '1' then
  redis.call('UNLINK', KEYS[3])
end
redis.call('RPUSH', KEYS[3], ARGV[6])
redis.call('LTRIM', KEYS[3], -tonumber(ARGV[8]), -1)
return 1
