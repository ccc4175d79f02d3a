// @ts-check
/** How long to wait before trying again. */

const FIRST_WAIT_MS = 500;

/**
 * Full jitter: anywhere between nothing and a bound that doubles, so that clients of a restarted server don't come as one.
 * @param {number} attempt from 0
 * @param {number} longestMs
 * @param {number} [random] in [0, 1)
 * @returns {number} milliseconds
 */
export function backoffMs(attempt, longestMs, random = Math.random()) {
  return random * Math.min(longestMs, FIRST_WAIT_MS * 2 ** attempt);
}
