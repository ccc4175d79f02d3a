-- After parts.lua. Whether a board is complete.
-- KEYS: state, order, players
-- Reply: 1 or 0
return complete(KEYS[1], KEYS[2], KEYS[3]) and 1 or 0
