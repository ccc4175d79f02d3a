// @ts-check
/** What the dashboard's rows have beside those of every board: what the score gained, and a star to follow the player. */
import { element, forgetOld, formatNumber } from "./row.js";

/** @typedef {import("../../clients/rows.js").Row} Row */

const differences = new Intl.NumberFormat(undefined, { signDisplay: "exceptZero" });

export class RowExtras {
  #row;
  #star;
  #gain;
  /** The score that it had before those of the last seconds. @type {{at: number, from: number}[]} */
  #gains = [];
  #score = 0;

  /** @param {HTMLElement} row with all its other cells */
  constructor(row) {
    this.#row = row;
    const follow = element("td", "follow", "cell");
    row.querySelector(".player")?.after(follow);
    this.#star = follow.appendChild(element("button", "star"));
    this.#star.type = "button";
    this.#star.tabIndex = -1; // one of all is a tab stop: whose list this is sees to it
    this.#star.ariaPressed = "false";
    const gain = element("td", "gain", "cell");
    row.querySelector(".score")?.before(gain);
    this.#gain = gain.appendChild(element("span", "by"));
  }

  /** @param {Row} row */
  describe(row) {
    this.#score = row.score;
    this.#row.ariaRowIndex = String(row.rank + 1); // the header is the first row
    this.#star.ariaLabel = `Follow ${row.name || row.player}`;
  }

  /** @param {boolean} followed */
  mark(followed) {
    this.#star.ariaPressed = String(followed);
  }

  /** @param {number} from the score before */
  scored(from) {
    this.#gains.push({ at: performance.now(), from });
    this.#show();
  }

  /**
   * @param {number} now on the clock of performance.now()
   * @returns {boolean} whether there is still a gain to be shown
   */
  expire(now) {
    forgetOld(this.#gains, now);
    this.#show();
    return this.#gains.length > 0;
  }

  #show() {
    const gained = this.#gains.length ? this.#score - this.#gains[0].from : 0;
    this.#gain.hidden = gained === 0;
    if (gained === 0) return;
    const text = differences.format(gained);
    if (this.#gain.textContent !== text) this.#gain.textContent = text;
    this.#gain.role = "img";
    this.#gain.ariaLabel = `${gained > 0 ? "gained" : "lost"} ${formatNumber(Math.abs(gained))}`;
  }
}
