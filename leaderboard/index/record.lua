-- Add sessions to a chunk of the ledger.
-- KEYS: chunk
-- ARGV: how long to keep it in s, then per word its number in the chunk and its bits
for i = 2, #ARGV, 2 do
  local place = '#' .. ARGV[i]
  local held = redis.call('BITFIELD', KEYS[1], 'GET', 'u32', place)[1]
  local both = bit.bor(held, tonumber(ARGV[i + 1])) % 4294967296 -- bit's numbers are signed
  redis.call('BITFIELD', KEYS[1], 'SET', 'u32', place, string.format('%.0f', both))
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
