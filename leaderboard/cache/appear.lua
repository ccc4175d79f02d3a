-- KEYS: entries. ARGV 1: the value of what is not there.
-- Drops those entries that say so; others stay, what was forgotten stays forgotten.
for place = 1, #KEYS do
  if redis.call('GET', KEYS[place]) == ARGV[1] then
    redis.call('DEL', KEYS[place])
  end
end
