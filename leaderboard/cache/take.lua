-- KEYS: entries, and last the lease of filling them. ARGV 1: the lease's life in ms.
-- The entries as they are held, then 1 if one is missing and the caller is to fill it, else 0.
local held = redis.call('MGET', unpack(KEYS, 1, #KEYS - 1))
local missing = false
for place = 1, #KEYS - 1 do
  if not held[place] then
    missing = true
  end
end
held[#KEYS] = missing and redis.call('SET', KEYS[#KEYS], '', 'NX', 'PX', ARGV[1]) and 1 or 0
return held
