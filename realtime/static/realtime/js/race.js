// @ts-check
/** The race of the top ten: read once, then drawn on by the frames. The chart is loaded by itself: without it the page is still a board. */
import { part, write } from "./parts.js";

/**
 * @typedef {ReturnType<typeof import("./rest.js").reader>} Read
 * @typedef {import("../../clients/rows.js").Row} Row
 */

const RUNNERS = 10;
const AGAIN_MS = 10_000;
const LONGEST_MS = 120_000;

export class Race {
  #read;
  #reason = part("race-reason");
  #minutes = /** @type {HTMLSelectElement} */ (part("race-minutes"));
  /** @type {import("./chart.js").RaceChart | null} */ #chart = null;
  /** Whose past the chart has. @type {Set<string>} */ #known = new Set();
  /** @type {readonly Row[]} */ #rows = [];
  #timer = 0;
  #waitMs = AGAIN_MS;
  #turn = 0;

  /** @param {Read} read */
  constructor(read) {
    this.#read = read;
    this.#minutes.addEventListener("change", () => this.load());
  }

  /** Read the past anew: at the beginning, of another season, of another span, after a gap. */
  async load() {
    const turn = ++this.#turn;
    clearTimeout(this.#timer);
    this.#timer = 0;
    try {
      const [{ RaceChart }, { body }] = await Promise.all([import("./chart.js"), this.#read("race/", { limit: RUNNERS, minutes: this.#minutes.value })]);
      if (turn !== this.#turn) return;
      this.#chart ??= new RaceChart(part("race-chart"));
      this.#chart.load(body);
      this.#known = new Set(body.players.map((/** @type {{player: string}} */ { player }) => player));
      this.#chart.follow(this.#rows);
      this.#waitMs = AGAIN_MS;
      this.#say("");
    } catch {
      if (turn === this.#turn) this.#failed();
    }
  }

  /** @param {readonly Row[]} rows */
  follow(rows) {
    this.#rows = rows;
    this.#chart?.follow(rows);
    const strangers = rows.slice(0, RUNNERS).some(({ player }) => !this.#known.has(player));
    if (this.#chart && strangers) this.#timer ||= setTimeout(() => this.load(), AGAIN_MS); // who came up has a past, too
  }

  #failed() {
    this.#say(this.#chart ? "The race can't be read anew; it goes on from what is here." : "The race can't be shown now. It is tried again.");
    this.#timer = setTimeout(() => this.load(), this.#waitMs);
    this.#waitMs = Math.min(LONGEST_MS, this.#waitMs * 2);
  }

  /** @param {string} text */
  #say(text) {
    write(this.#reason, text);
    this.#reason.hidden = !text;
  }
}
