// @ts-check
/**
 * The ranks behind the live top, read by REST as the viewer scrolls. Only what is near the screen is in the document, and only the pages
 * near it are held; what is in view is read anew every few seconds while the board moves. The space for all of it is there from the
 * beginning, so that nothing jumps and the scroll bar tells the truth.
 */
import { RowExtras } from "./extras.js";
import { Counters } from "./motion.js";
import { part, write } from "./parts.js";
import { RowView, formatNumber } from "./row.js";
import { clockTime } from "./words.js";

/**
 * @typedef {import("../../clients/rows.js").Row} Row
 * @typedef {ReturnType<typeof import("./rest.js").reader>} Read
 * @typedef {{rows: Row[], at: number, moved: boolean}} Leaf a page of ranks as it was read; `moved`: the board has moved since
 */

const LEAF = 100;
const LEAVES_HELD = 6;
/** Rows outside the screen that are there already, for a quick hand and for who reads by ear. */
const MARGIN = 12;
/** While the view flies past, nothing is asked for. */
const SETTLE_MS = 120;
const FRESH_MS = 4_000;
const LONGEST_MS = 60_000;
/** A browser can't lay out a page of any height. */
const ROWS_SHOWN = 200_000;

export class Beyond {
  #read;
  #table;
  #body;
  #note = part("beyond-note");
  #where = part("beyond-where");
  #when = part("beyond-when");
  #counters = new Counters(); // nothing counts here; the rows want one
  /** @type {Map<number, Leaf>} by number, from 0 */ #leaves = new Map();
  /** @type {Set<number>} */ #asking = new Set();
  /** @type {Map<number, RowView>} by rank */ #views = new Map();
  #first = Infinity;
  #total = 0;
  #lead = 0;
  /** @type {Set<string>} who is in the live rows; a page read before may still have them */ #live = new Set();
  /** @type {string | null} */ #followed = null;
  #frame = 0;
  #settling = 0;
  #refresher = 0;
  #failures = 0;
  #notBefore = 0;
  #turn = 0;

  /** @param {HTMLTableElement} table with `<tbody data-beyond>` @param {Read} read */
  constructor(table, read) {
    this.#read = read;
    this.#table = table;
    this.#body = /** @type {HTMLElement} */ (table.querySelector("[data-beyond]"));
    const look = () => this.#look();
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look, { passive: true });
    document.addEventListener("visibilitychange", look);
  }

  /** After each frame. @param {readonly Row[]} rows the live ones @param {number} total */
  follow(rows, total) {
    this.#live = new Set(rows.map((row) => row.player));
    this.#lead = rows[0]?.score ?? 0;
    this.#measure(rows.length + 1, Math.min(total, ROWS_SHOWN));
    for (const leaf of this.#leaves.values()) leaf.moved = true;
    this.#table.ariaRowCount = String(total + 1);
    this.#look();
  }

  /** Scores come in without a frame, too: far behind the top. */
  moved() {
    for (const leaf of this.#leaves.values()) leaf.moved = true;
  }

  /** Another season, or another order: what was read is of no use. */
  forget() {
    this.#turn++;
    this.#leaves.clear();
    this.#asking.clear();
    this.#look();
  }

  /** @param {string | null} player */
  mark(player) {
    this.#followed = player;
    for (const view of this.#views.values()) view.mark(view.row.player === player);
  }

  /** Where a rank is on the page, in pixels from its beginning; null if it isn't behind the top. @param {number} rank */
  place(rank) {
    if (rank < this.#first || rank > this.#total) return null;
    const box = this.#body.getBoundingClientRect();
    return scrollY + box.top + (rank - this.#first + 0.5) * this.#height(box);
  }

  /** @param {number} first @param {number} total */
  #measure(first, total) {
    this.#first = first;
    this.#total = total;
    const count = String(Math.max(0, total - first + 1));
    if (this.#body.style.getPropertyValue("--rows") !== count) this.#body.style.setProperty("--rows", count);
    this.#body.hidden = count === "0";
  }

  /** @param {DOMRect} box */
  #height(box) {
    return box.height / Math.max(1, this.#total - this.#first + 1);
  }

  #look() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #draw() {
    const sight = this.#sight();
    this.#tell(sight);
    this.#clear(sight);
    for (let rank = sight.first; rank <= sight.last; rank++) this.#show(rank);
    if (sight.last < sight.first) return this.#rest();
    this.#settling ||= setTimeout(() => this.#settle(), SETTLE_MS);
    this.#refresher ||= setInterval(() => this.#refresh(), FRESH_MS);
  }

  /** The ranks of the rows to be there, and of those that are on the screen. An empty range: `last` before `first`. */
  #sight() {
    const box = this.#body.getBoundingClientRect();
    if (this.#body.hidden || !box.height || box.top > innerHeight || box.bottom < 0) return { first: 1, last: 0, seen: 0 };
    const height = this.#height(box);
    const seen = this.#first + Math.max(0, Math.floor(-box.top / height));
    const last = this.#first + Math.ceil((innerHeight - box.top) / height) - 1;
    return { first: Math.max(this.#first, seen - MARGIN), last: Math.min(this.#total, last + MARGIN), seen, end: Math.min(this.#total, last) };
  }

  /** @param {number} rank */
  #show(rank) {
    const row = this.#leaves.get(leafOf(rank))?.rows[(rank - 1) % LEAF];
    const view = this.#views.get(rank);
    if (!row || row.rank !== rank || this.#live.has(row.player)) return this.#drop(rank, view);
    if (view) view.replace(row);
    else this.#insert(rank, new RowView(row, rank, this.#counters, RowExtras));
    const shown = /** @type {RowView} */ (this.#views.get(rank));
    shown.mark(row.player === this.#followed);
    shown.fill(this.#lead > 0 && row.score > 0 ? Math.min(1, row.score / this.#lead) : 0);
  }

  /** In the order of ranks, so that what is read aloud is what is seen. @param {number} rank @param {RowView} view */
  #insert(rank, view) {
    this.#views.set(rank, view);
    view.element.style.setProperty("--at", String(rank - this.#first));
    let next = rank + 1;
    while (next <= rank + 2 * MARGIN && !this.#views.has(next)) next++;
    const after = this.#views.get(next)?.element ?? [...this.#body.children].find((child) => Number(/** @type {HTMLElement} */ (child).dataset.rank) > rank) ?? null;
    this.#body.insertBefore(view.element, after);
  }

  /** @param {{first: number, last: number}} sight */
  #clear({ first, last }) {
    for (const [rank, view] of this.#views) {
      const focused = view.element.contains(document.activeElement) && rank >= this.#first && rank <= this.#total;
      if ((rank < first || rank > last) && !focused) this.#drop(rank, view);
      else view.element.style.setProperty("--at", String(rank - this.#first));
    }
  }

  /** @param {number} rank @param {RowView} [view] */
  #drop(rank, view) {
    if (!view) return;
    view.leave();
    view.element.remove();
    this.#views.delete(rank);
  }

  #settle() {
    this.#settling = 0;
    this.#load((leaf) => leaf === undefined);
  }

  #refresh() {
    if (document.hidden) return;
    this.#load((leaf) => leaf === undefined || leaf.moved);
  }

  #rest() {
    clearInterval(this.#refresher);
    this.#refresher = 0;
  }

  /** Read what is in sight and wanted. @param {(leaf: Leaf | undefined) => boolean} wanted */
  #load(wanted) {
    const { first, last } = this.#sight();
    if (last < first || performance.now() < this.#notBefore) return;
    for (let leaf = leafOf(first); leaf <= leafOf(last); leaf++) {
      if (!this.#asking.has(leaf) && wanted(this.#leaves.get(leaf))) this.#ask(leaf);
    }
  }

  /** @param {number} leaf */
  async #ask(leaf) {
    const turn = this.#turn;
    this.#asking.add(leaf);
    try {
      const { body } = await this.#read("top/", { limit: LEAF, offset: leaf * LEAF });
      if (turn !== this.#turn) return;
      this.#leaves.set(leaf, { rows: body.entries, at: Date.now(), moved: false });
      this.#failures = 0;
      this.#trim(leaf);
    } catch {
      if (turn === this.#turn) this.#notBefore = performance.now() + Math.min(LONGEST_MS, FRESH_MS * 2 ** this.#failures++);
    } finally {
      if (turn === this.#turn) this.#asking.delete(leaf);
    }
    this.#look();
  }

  /** Of the pages held, those far from here go. @param {number} here */
  #trim(here) {
    const far = [...this.#leaves.keys()].sort((a, b) => Math.abs(b - here) - Math.abs(a - here));
    for (const leaf of far.slice(0, Math.max(0, far.length - LEAVES_HELD))) this.#leaves.delete(leaf);
  }

  /** @param {{seen: number, end?: number}} sight */
  #tell({ seen, end = 0 }) {
    const past = seen > this.#first;
    this.#note.hidden = !past;
    if (!past) return;
    write(this.#where, `Ranks ${formatNumber(seen)}–${formatNumber(end)} of ${formatNumber(this.#total)}`);
    write(this.#when, this.#state(seen, end));
  }

  /** @param {number} seen @param {number} end */
  #state(seen, end) {
    if (this.#failures) return "can't be read anew now, trying again";
    const leaves = [this.#leaves.get(leafOf(seen)), this.#leaves.get(leafOf(end))];
    const oldest = Math.min(...leaves.map((leaf) => leaf?.at ?? 0));
    return oldest ? `as read at ${clockTime(oldest)}` : "being read";
  }
}

/** @param {number} rank */
function leafOf(rank) {
  return Math.floor((rank - 1) / LEAF);
}
