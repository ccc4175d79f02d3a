// @ts-check
/** When the season ends, counted down. At zero the next one is asked for until it is there. */
import { part, write } from "./parts.js";
import { dateAndTime, seasonLabel, timeLeft } from "./words.js";

/** @typedef {ReturnType<typeof import("./rest.js").reader>} Read */

const SECOND_MS = 1_000;
const AGAIN_MS = 5_000;
const LONGEST_MS = 60_000;

export class Season {
  #read;
  #label = part("season");
  #number = part("season-left");
  #countdown = part("ends-in");
  #word = part("ends-word");
  /** @type {string | null | undefined} */ #season;
  /** On this machine's clock. @type {number | null} */ #ends = null;
  #turn = 0;
  #againMs = AGAIN_MS;
  #again = 0;
  #tick = 0;

  /** @param {Read} read */
  constructor(read) {
    this.#read = read;
  }

  /**
   * @param {string | null} season of a frame
   * @returns {boolean} whether another one has begun
   */
  saw(season) {
    if (season === this.#season) return false;
    const begun = this.#season !== undefined;
    this.#season = season;
    write(this.#label, seasonLabel(season));
    this.#againMs = AGAIN_MS;
    this.#ask();
    return begun;
  }

  async #ask() {
    const turn = ++this.#turn; // what an earlier one is answered may be of the season before
    clearTimeout(this.#again);
    try {
      const { body, at } = await this.#read("");
      if (turn === this.#turn) this.#show(body, at);
    } catch {
      if (turn === this.#turn) this.#failed();
    }
  }

  /** @param {{season: string | null, season_ends: string | null}} board @param {number} at the server's time */
  #show({ season, season_ends: ends }, at) {
    const left = ends === null ? null : Date.parse(ends) - at;
    // Not ours yet: the feed or the calendar is a moment ahead of the other.
    if (season !== this.#season || (left !== null && left <= 0)) return this.#askAgain();
    this.#againMs = AGAIN_MS;
    this.#ends = left === null ? null : Date.now() + left;
    this.#number.hidden = left === null;
    this.#countdown.title = ends === null ? "" : dateAndTime(Date.parse(ends));
    clearInterval(this.#tick);
    this.#tick = 0;
    if (left === null) return;
    this.#count();
    this.#tick = setInterval(() => this.#count(), SECOND_MS);
  }

  #failed() {
    if (this.#ends === null && !this.#number.hidden) write(this.#countdown, "unknown");
    this.#askAgain();
  }

  #askAgain() {
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#ask(), this.#againMs);
    this.#againMs = Math.min(LONGEST_MS, this.#againMs * 2);
  }

  #count() {
    const left = (this.#ends ?? 0) - Date.now();
    write(this.#word, left > 0 ? "Season ends in" : "Season over");
    write(this.#countdown, left > 0 ? timeLeft(left) : "next one begins");
    if (left > 0) return;
    clearInterval(this.#tick);
    this.#tick = 0;
    this.#askAgain();
  }
}
