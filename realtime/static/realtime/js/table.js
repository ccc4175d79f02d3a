// @ts-check
/**
 * The standings: rows keyed by player. However many snapshots arrive, the newest is drawn once an animation frame.
 * The layout is read once a drawing, before anything is written, and never per row.
 */
import { Counters, fadeIn, fadeOut } from "./motion.js";
import { RowView, digitsOf, formatNumber } from "./row.js";

/**
 * @typedef {import("../../clients/rows.js").Row} Row
 * @typedef {import("./row.js").Sight} Sight
 */

/** More than this leave at once only when the board starts anew: then they go without ceremony. */
const FAREWELLS = 30;
const SWEEP_MS = 500;

export class Standings {
  #table;
  #Extras;
  /** @type {string | null} */ #followed = null;
  #body;
  #leaving;
  #counters = new Counters();
  /** @type {Map<string, RowView>} */ #views = new Map();
  /** @type {readonly Row[] | null} */ #due = null;
  #frame = 0;
  #sweeper = 0;

  /**
   * @param {HTMLTableElement} table with a body for the rows and one for those that leave:
   *   `<tbody data-rows>` and `<tbody data-leaving>`
   * @param {{Extras?: typeof import("./extras.js").RowExtras | null}} [options] what rows have besides; the table needs headers for it
   */
  constructor(table, { Extras = null } = {}) {
    this.#table = table;
    this.#Extras = Extras;
    this.#body = /** @type {HTMLElement} */ (table.querySelector("[data-rows]"));
    this.#leaving = /** @type {HTMLElement} */ (table.querySelector("[data-leaving]"));
  }

  /** @param {readonly Row[]} rows the whole board, numbered */
  show(rows) {
    this.#due = rows;
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  /** Without a row: these were of somebody else, and no way leads from there to here. */
  clear() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    for (const view of this.#views.values()) view.leave();
    this.#views.clear();
    this.#body.replaceChildren();
    this.#leaving.replaceChildren();
  }

  /** @param {string | null} player whom the viewer follows */
  mark(player) {
    this.#followed = player;
    for (const view of this.#views.values()) view.mark(view.row.player === player);
  }

  #draw() {
    this.#frame = 0;
    const rows = this.#due ?? [];
    this.#due = null;
    const sight = this.#sight();
    const opening = this.#views.size === 0; // a first sight is no news: nothing fades in
    this.#partWith(rows);
    const views = rows.map((row, index) => this.#view(row, index, sight, opening));
    this.#arrange(views);
    this.#measureUp(rows, views);
    this.#sweeper ||= setTimeout(() => this.#sweep(), SWEEP_MS);
  }

  /**
   * Which places the viewer can see; what moves elsewhere isn't worth animating.
   * @returns {Sight}
   */
  #sight() {
    const box = this.#body.getBoundingClientRect();
    const height = box.height / this.#body.childElementCount || Infinity;
    return { first: Math.floor(-box.top / height), last: Math.ceil((innerHeight - box.top) / height) };
  }

  /** @param {readonly Row[]} rows */
  #partWith(rows) {
    const present = new Set(rows.map((row) => row.player));
    const gone = [...this.#views.values()].filter((view) => !present.has(view.row.player));
    const quietly = this.#leaving.childElementCount + gone.length > FAREWELLS;
    for (const view of gone) {
      this.#views.delete(view.row.player);
      view.leave();
      if (quietly) view.element.remove();
      else this.#sayGoodbye(view);
    }
  }

  /** @param {RowView} view */
  #sayGoodbye(view) {
    const place = view.index;
    this.#leaving.append(view.element);
    fadeOut(view.element, place, () => view.element.remove());
  }

  /**
   * @param {Row} row
   * @param {number} index
   * @param {Sight} sight
   * @param {boolean} opening
   */
  #view(row, index, sight, opening) {
    const known = this.#views.get(row.player);
    if (known) {
      known.update(row, index, sight);
      return known;
    }
    const view = new RowView(row, index, this.#counters, this.#Extras);
    view.mark(row.player === this.#followed);
    this.#views.set(row.player, view);
    if (!opening) fadeIn(view.element);
    return view;
  }

  /**
   * Bring the elements into the rows' order, so that what is read aloud is what is seen. A focus stays on the player that has it.
   * @param {RowView[]} views
   */
  #arrange(views) {
    const focused = /** @type {HTMLElement | null} */ (this.#body.contains(document.activeElement) ? document.activeElement : null);
    let place = this.#body.firstElementChild;
    for (const { element } of views) {
      if (place === element) place = place.nextElementSibling;
      else this.#body.insertBefore(element, place);
    }
    if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  }

  /**
   * What depends on all rows together: the width of the numbers and each one's share of the leader's score.
   * @param {readonly Row[]} rows
   * @param {RowView[]} views
   */
  #measureUp(rows, views) {
    const lead = rows.length ? rows[0].score : 0;
    const comparable = lead > 0 && rows.every((row) => row.score >= 0 && row.score <= lead);
    views.forEach((view, index) => view.fill(comparable ? rows[index].score / lead : 0));
    this.#reserve("--score-ch", rows, (row) => row.score);
    this.#reserve("--subscore-ch", rows, (row) => row.subscore);
    this.#reserve("--plays-ch", rows, (row) => row.submissions);
    this.#table.classList.toggle("has-subscore", rows.some((row) => row.subscore));
  }

  /**
   * @param {string} property
   * @param {readonly Row[]} rows
   * @param {(row: Row) => number | undefined} value
   */
  #reserve(property, rows, value) {
    const widest = String(Math.max(5, ...rows.map((row) => digitsOf(formatNumber(value(row) ?? 0)))));
    if (this.#table.style.getPropertyValue(property) !== widest) this.#table.style.setProperty(property, widest);
  }

  #sweep() {
    const now = performance.now();
    const moving = [...this.#views.values()].filter((view) => view.expire(now));
    this.#sweeper = moving.length ? setTimeout(() => this.#sweep(), SWEEP_MS) : 0;
  }
}
