// @ts-check
/** The newest events of the board. A fast board has more than can be read: of each second the most important are told. */
import { made, nameOf, write } from "./parts.js";
import { formatNumber } from "./row.js";
import { ago, clockTime } from "./words.js";

/**
 * @typedef {import("../../clients/events.js").BoardEvent} BoardEvent
 * @typedef {{at: number, sign: string, kind: string, words: (string | Node)[]}} Item
 */

const KEPT = 30;
const GATHER_MS = 1_000;
const TOLD_AT_ONCE = 3;
const AGE_MS = 5_000;

export class News {
  #list;
  #empty;
  /** @type {{event: BoardEvent, at: number}[]} at most as many as are kept */ #due = [];
  #gathering = 0;
  #aging = 0;
  /** @type {Map<Element, number>} */ #times = new Map();

  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} empty shown until there is news
   */
  constructor(list, empty) {
    this.#list = list;
    this.#empty = empty;
  }

  /** @param {readonly BoardEvent[]} events the most important first */
  tell(events, at = Date.now()) {
    const news = events.filter(({ kind }) => kind !== "left"); // who sinks out of sight is no news here
    if (!news.length) return;
    this.#due = [...news.map((event) => ({ event, at })), ...this.#due].sort(byImportance).slice(0, KEPT);
    this.#gathering ||= setTimeout(() => this.#flush(), GATHER_MS);
  }

  /** A season that begins is news by itself, and the old ones are of another board. @param {string} label */
  begin(label, at = Date.now()) {
    this.#due = [];
    this.#list.replaceChildren();
    this.#times.clear();
    this.#add({ at, sign: "⚑", kind: "season", words: [`${label} begins`] });
  }

  #flush() {
    this.#gathering = 0;
    const told = this.#due.slice(0, TOLD_AT_ONCE);
    this.#due = [];
    for (const { event, at } of told.reverse()) this.#add({ at, kind: event.kind, ...story(event) });
  }

  /** @param {Item} item */
  #add({ at, sign, kind, words }) {
    const time = made("time", "when", ago(at, at));
    time.dateTime = new Date(at).toISOString();
    time.title = clockTime(at);
    const mark = made("span", "sign", sign);
    mark.ariaHidden = "true";
    const item = made("li", "event", mark, made("span", "story", ...words), time);
    item.dataset.kind = kind;
    this.#times.set(time, at);
    this.#list.prepend(item);
    this.#empty.hidden = true;
    while (this.#list.childElementCount > KEPT) this.#forget(/** @type {Element} */ (this.#list.lastElementChild));
    this.#aging ||= setInterval(() => this.#age(), AGE_MS);
  }

  /** @param {Element} item */
  #forget(item) {
    this.#times.delete(/** @type {Element} */ (item.querySelector("time")));
    item.remove();
  }

  #age() {
    if (document.hidden) return;
    const now = Date.now();
    for (const [time, at] of this.#times) write(/** @type {HTMLElement} */ (time), ago(at, now));
  }
}

const WEIGHT = { lead: 0, overtake: 1, entered: 1, left: 2 };

/** @param {{event: BoardEvent}} a @param {{event: BoardEvent}} b */
function byImportance({ event: a }, { event: b }) {
  return WEIGHT[a.kind] - WEIGHT[b.kind] || ("rank" in a ? a.rank : 1) - ("rank" in b ? b.rank : 1);
}

/**
 * A sign with the new rank for who looks, and all of it in words.
 * @param {BoardEvent} event
 * @returns {{sign: string, words: (string | Node)[]}}
 */
function story(event) {
  const who = nameOf(event);
  const at = "rank" in event ? formatNumber(event.rank) : "";
  if (event.kind === "lead") return { sign: "★", words: [who, " takes the lead", ...(event.from ? [" from ", nameOf(event.from)] : [])] };
  if (event.kind === "entered") return { sign: `+ ${at}`, words: [who, " enters", unseen(` at rank ${at}`)] };
  if (event.kind === "left") return { sign: "▽", words: [who, " drops out of sight"] };
  return { sign: `▲ ${at}`, words: [who, " passes ", ...passed(event.passed), unseen(`, now rank ${at}`)] };
}

/** @param {string} text for who listens */
function unseen(text) {
  return made("span", "unseen", text);
}

/** @param {{player: string, name: string}[]} others */
export function passed(others) {
  const more = others.length - 1;
  return more > 0 ? [nameOf(others[0]), ` and ${formatNumber(more)} more`] : [nameOf(others[0])];
}
