// @ts-check
/**
 * A board's rows and how a delta changes them. Pure: nothing here touches the page or the network.
 *
 * @typedef {object} Row
 * @property {number} rank 1 is the first
 * @property {string} player unique on a board
 * @property {string} name what is shown
 * @property {number} score
 * @property {number} [subscore]
 * @property {number} [submissions]
 * @property {string} [achieved_at] RFC 3339, UTC
 *
 * @typedef {{epoch: string, offset: number}} Position
 *
 * @typedef {object} Delta
 * @property {Row[]} changed rows that are new, moved or altered
 * @property {string[]} left players that are gone
 */

/** The sizes that can be watched; a request is rounded up. */
export const TOPS = [3, 10, 25, 50, 100];

/**
 * The smallest watched size that holds `top` rows, the largest if none does.
 * @param {number} top
 */
export function roundUp(top) {
  return TOPS.find((size) => size >= top) ?? TOPS[TOPS.length - 1];
}

/**
 * Take out `left` and every changed player, insert each changed row at its rank, number 1..N.
 * Neither argument is altered; rows that keep their rank are the same objects.
 * @param {readonly Row[]} rows
 * @param {Delta} delta
 * @returns {Row[]}
 */
export function applyDelta(rows, delta) {
  const gone = new Set(delta.left);
  for (const row of delta.changed) gone.add(row.player);
  const next = rows.filter((row) => !gone.has(row.player));
  for (const row of [...delta.changed].sort((a, b) => a.rank - b.rank)) next.splice(row.rank - 1, 0, row);
  return next.map((row, index) => (row.rank === index + 1 ? row : { ...row, rank: index + 1 }));
}

/**
 * What an arriving delta's position is to the one held: "next" fits, "known" is late and harmless, "gap" can't be applied.
 * @param {Position} held
 * @param {Position} arriving
 * @returns {"next" | "known" | "gap"}
 */
export function relation(held, arriving) {
  if (held.epoch !== arriving.epoch) return "gap";
  if (arriving.offset === held.offset + 1) return "next";
  return arriving.offset <= held.offset ? "known" : "gap";
}
