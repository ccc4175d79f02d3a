// @ts-check
/** One player's line in the table. It is told rows and shows them; where it stands is the table's business. */
import { Glide, flash } from "./motion.js";

/**
 * @typedef {import("../../clients/rows.js").Row} Row
 * @typedef {import("./motion.js").Counters} Counters
 * @typedef {{first: number, last: number}} Sight the places that are on the screen, from 0
 */

/** How long a movement stays readable beside the rank. */
const MOVEMENT_MS = 4_000;

const numbers = new Intl.NumberFormat();
export const formatNumber = (/** @type {number} */ value) => numbers.format(value);

/** How wide a number is, in digits; what stands between them is narrower. @param {string} text */
export function digitsOf(text) {
  return Math.ceil([...text].reduce((sum, sign) => sum + (/[\p{P}\p{Z}]/u.test(sign) ? 0.6 : 1), 0));
}

export class RowView {
  #counters;
  #index;
  #rank;
  #movement;
  #name;
  #plays;
  #subscore;
  #score;
  #glide;
  /** @type {Animation | null} */ #light = null;
  /** The score on the screen, which may be on its way to the row's. */
  #shown = 0;
  /** Where the row came from and when, for the moves of the last seconds. @type {{at: number, from: number}[]} */
  #moves = [];
  #extras;

  /**
   * @param {Row} row
   * @param {number} index
   * @param {Counters} counters
   * @param {typeof import("./extras.js").RowExtras | null} [Extras] what the row has besides
   */
  constructor(row, index, counters, Extras = null) {
    this.#counters = counters;
    this.#index = index;
    this.element = element("tr", "row", "row");
    this.element.dataset.player = row.player;
    const rank = this.element.appendChild(element("td", "rank", "cell"));
    this.#rank = rank.appendChild(element("span", "plate"));
    this.#movement = rank.appendChild(element("span", "movement"));
    this.#movement.hidden = true;
    const name = this.element.appendChild(element("th", "player", "rowheader"));
    name.scope = "row";
    this.#name = name.appendChild(element("span", "name"));
    this.#name.dir = "auto";
    this.#plays = this.element.appendChild(element("td", "plays", "cell"));
    this.#subscore = this.element.appendChild(element("td", "subscore", "cell"));
    this.#score = this.element.appendChild(element("td", "score", "cell"));
    this.#extras = Extras && new Extras(this.element);
    this.#glide = new Glide(this.element);
    /** @type {Row} */ this.row = row;
    this.#showScore(row.score);
    this.#describe(row);
  }

  /**
   * @param {Row} row
   * @param {number} index
   * @param {Sight} sight what nobody sees is set without a show
   */
  update(row, index, sight) {
    if (index !== this.#index) this.#glideTo(index, sight);
    if (row === this.row) return;
    const before = this.row;
    this.row = row;
    this.#describe(row);
    if (row.rank !== before.rank) this.#moved(before.rank);
    if (row.score !== before.score) this.#scored(before.score, sight);
  }

  /**
   * Another player's row, or this one's as it was read anew: no news.
   * @param {Row} row
   */
  replace(row) {
    if (row === this.row) return;
    this.row = row;
    this.#describe(row);
    this.#showScore(row.score);
  }

  /** @param {boolean} followed whether this is the player whom the viewer follows */
  mark(followed) {
    if (this.element.hasAttribute("aria-current") === followed) return;
    if (followed) this.element.setAttribute("aria-current", "true");
    else this.element.removeAttribute("aria-current");
    this.#extras?.mark(followed);
  }

  /** Its place in what is shown, from 0. */
  get index() {
    return this.#index;
  }

  /** @param {number} share of the leader's score, 0 to 1 */
  fill(share) {
    this.#style("--share-part", share.toFixed(3));
  }

  /**
   * Let what is too old to be news go.
   * @param {number} now on the clock of performance.now()
   * @returns {boolean} whether there is still some to be shown
   */
  expire(now) {
    forgetOld(this.#moves, now);
    this.#showMovement();
    return Boolean(this.#extras?.expire(now)) || this.#moves.length > 0;
  }

  /** Nothing runs on for a row that is gone. */
  leave() {
    this.#counters.forget(this);
    this.#light?.cancel();
    this.#glide.stop();
    this.element.ariaHidden = "true";
  }

  /** @param {Row} row */
  #describe(row) {
    this.#write(this.#rank, formatNumber(row.rank));
    this.#write(this.#name, row.name || row.player);
    if (this.#name.title !== this.#name.textContent) this.#name.title = this.#name.textContent ?? "";
    this.#style("--own-ch", String(digitsOf(formatNumber(row.score))));
    this.#write(this.#plays, row.submissions == null ? "" : formatNumber(row.submissions));
    this.#write(this.#subscore, row.subscore == null ? "" : formatNumber(row.subscore));
    if (this.element.dataset.player !== row.player) this.element.dataset.player = row.player;
    if (this.element.dataset.rank !== String(row.rank)) this.element.dataset.rank = String(row.rank);
    this.#extras?.describe(row);
  }

  /**
   * @param {number} index
   * @param {Sight} sight
   */
  #glideTo(index, sight) {
    const from = this.#index;
    this.#index = index;
    const seen = Math.min(from, index) <= sight.last && Math.max(from, index) >= sight.first;
    if (seen) this.#glide.move(from - index);
    else this.#glide.stop();
  }

  /** @param {number} from the rank before */
  #moved(from) {
    this.element.dataset.way = from > this.row.rank ? "up" : "down";
    this.#moves.push({ at: performance.now(), from });
    this.#showMovement();
  }

  #showMovement() {
    const gained = this.#moves.length ? this.#moves[0].from - this.row.rank : 0;
    this.#movement.hidden = gained === 0;
    if (gained === 0) return;
    const places = Math.abs(gained);
    this.#write(this.#movement, `${gained > 0 ? "▲" : "▼"}${formatNumber(places)}`);
    this.#movement.role = "img";
    this.#movement.ariaLabel = `${gained > 0 ? "up" : "down"} ${formatNumber(places)} ${places === 1 ? "place" : "places"}`;
    this.#movement.dataset.way = gained > 0 ? "up" : "down";
  }

  /**
   * @param {number} from the score before
   * @param {Sight} sight
   */
  #scored(from, sight) {
    const { score } = this.row;
    this.#extras?.scored(from);
    if (this.#index < sight.first || this.#index > sight.last) {
      this.#counters.forget(this);
      return this.#showScore(score);
    }
    this.#light = flash(this.element, this.#light);
    this.#counters.run(this, this.#shown, score, (value) => this.#showScore(value));
  }

  /** @param {number} score */
  #showScore(score) {
    this.#shown = score;
    this.#write(this.#score, formatNumber(score));
  }

  /**
   * Only what differs is written: an equal write would still cost a layout.
   * @param {HTMLElement} target holds one text node at most
   * @param {string} text
   */
  #write(target, text) {
    const node = target.firstChild;
    if (!node) target.textContent = text;
    else if (node.nodeValue !== text) node.nodeValue = text;
  }

  /**
   * @param {string} property
   * @param {string} value
   */
  #style(property, value) {
    if (this.element.style.getPropertyValue(property) !== value) this.element.style.setProperty(property, value);
  }
}

/**
 * The rows are laid out as grids, for which some browsers forget that they are a table's: hence the roles.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} className
 * @param {string} [role]
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, className, role) {
  const made = document.createElement(tag);
  made.className = className;
  if (role) made.setAttribute("role", role);
  return made;
}

/**
 * @param {{at: number}[]} news the oldest first
 * @param {number} now
 */
export function forgetOld(news, now) {
  const fresh = news.findIndex(({ at }) => now - at < MOVEMENT_MS);
  news.splice(0, fresh < 0 ? news.length : fresh);
}
