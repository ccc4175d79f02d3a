// @ts-check
/**
 * What happened between two standings of the same board, size and season, as a spectator would tell it. Pure.
 *
 * A player has one event at most, the most important that is true of it: to take the lead is told as that and not as an overtake too.
 *
 * @typedef {import("./rows.js").Row} Row
 * @typedef {{player: string, name: string}} Who
 *
 * @typedef {{kind: "lead", player: string, name: string, score: number, from: Who | null}} Lead `from` led before; null on an empty board
 * @typedef {{kind: "overtake", player: string, name: string, rank: number, previousRank: number, passed: Who[]}} Overtake
 *   by its own score; `passed` has the one right behind it first
 * @typedef {{kind: "entered", player: string, name: string, rank: number}} Entered
 * @typedef {{kind: "left", player: string, name: string}} Left out of these standings; it may still be ranked below
 * @typedef {Lead | Overtake | Entered | Left} BoardEvent
 */

/**
 * @param {readonly Row[]} old
 * @param {readonly Row[]} next
 * @returns {BoardEvent[]} the most important first: the lead, overtakes and entries by rank, who left
 */
export function eventsBetween(old, next) {
  const before = new Map(old.map((row) => [row.player, row]));
  const lead = next.length > 0 && next[0].player !== old[0]?.player ? [leadOf(old, next)] : [];
  const others = next.slice(lead.length);
  const entered = others.filter((row) => !before.has(row.player)).map(({ player, name, rank }) => /** @type {Entered} */ ({ kind: "entered", player, name, rank }));
  return [...lead, ...others.flatMap((row) => overtakeOf(row, before, next)), ...entered, ...leftOf(old, next)];
}

/** @param {readonly Row[]} old @param {readonly Row[]} next @returns {Lead} */
function leadOf(old, next) {
  const { player, name, score } = next[0];
  return { kind: "lead", player, name, score, from: old.length ? who(old[0]) : null };
}

/**
 * Who only slid up because others fell or left has overtaken nobody.
 * @param {Row} row @param {Map<string, Row>} before @param {readonly Row[]} next
 * @returns {Overtake[]} one or none
 */
function overtakeOf(row, before, next) {
  const held = before.get(row.player);
  if (!held || row.rank >= held.rank || (row.score === held.score && row.subscore === held.subscore)) return [];
  const passed = next.slice(row.rank).filter((other) => (before.get(other.player)?.rank ?? Infinity) < held.rank);
  if (!passed.length) return [];
  return [{ kind: "overtake", player: row.player, name: row.name, rank: row.rank, previousRank: held.rank, passed: passed.map(who) }];
}

/** @param {readonly Row[]} old @param {readonly Row[]} next @returns {Left[]} */
function leftOf(old, next) {
  const present = new Set(next.map((row) => row.player));
  return old.filter((row) => !present.has(row.player)).map(({ player, name }) => ({ kind: "left", player, name }));
}

/** @param {Row} row @returns {Who} */
function who({ player, name }) {
  return { player, name };
}
