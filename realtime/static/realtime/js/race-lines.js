// @ts-check
/**
 * A player's score over time, and how a long one is thinned. Pure: nothing here touches the page.
 *
 * @typedef {[at: number, score: number]} Point from that moment (milliseconds) on the score was this
 */

/** A line holds no more points than this: wider screens could not show them either. */
export const POINTS_MAX = 256;

/**
 * At most `most` points: of each stretch of time the first and the last, the least and the greatest.
 * @param {readonly Point[]} points the oldest first
 * @param {number} most
 * @returns {Point[]}
 */
export function thinned(points, most) {
  if (points.length <= most) return [...points];
  const first = points[0][0];
  const span = points[points.length - 1][0] - first + 1;
  const stretches = Math.floor(most / 4);
  /** @type {Point[][]} */ const groups = Array.from({ length: stretches }, () => []);
  for (const point of points) groups[Math.floor(((point[0] - first) * stretches) / span)].push(point);
  return groups.flatMap((group) => {
    if (group.length <= 4) return group;
    let least = 0;
    let greatest = 0;
    group.forEach(([, score], place) => {
      if (score < group[least][1]) least = place;
      if (score > group[greatest][1]) greatest = place;
    });
    const kept = new Set([0, least, greatest, group.length - 1]);
    return [...kept].sort((one, other) => one - other).map((place) => group[place]);
  });
}

/**
 * The points with one more. Its time is no earlier than the last one's; an equal score adds nothing. Long ones are thinned to half.
 * @param {Point[]} points altered
 * @param {number} at
 * @param {number} score
 * @returns {boolean} whether there was anything new
 */
export function add(points, at, score) {
  const last = points[points.length - 1];
  if (last && last[1] === score) return false;
  points.push([last ? Math.max(at, last[0]) : at, score]);
  if (points.length > POINTS_MAX) points.splice(0, points.length, ...thinned(points, POINTS_MAX / 2));
  return true;
}

/**
 * Drop what is older than `start`, but for the point that says what was held then.
 * @param {Point[]} points altered
 * @param {number} start
 */
export function forget(points, start) {
  let held = 0;
  while (held + 1 < points.length && points[held + 1][0] <= start) held += 1;
  if (held) points.splice(0, held);
}

/**
 * The point that tells the score at a moment, -1 if nothing was held yet.
 * @param {readonly Point[]} points
 * @param {number} at
 */
export function placeAt(points, at) {
  let place = points.length - 1;
  while (place >= 0 && points[place][0] > at) place -= 1;
  return place;
}
