// @ts-check
/** How many watch and how fast scores come in. */
import { part, write } from "./parts.js";
import { formatNumber } from "./row.js";

/** @typedef {{watching: number, scores_per_minute: number | null}} Pulse */

const UNKNOWN = "–";

export class PulseView {
  #watching = part("watching");
  #pace = part("pace");

  /** @param {Pulse} pulse */
  show({ watching, scores_per_minute: pace }) {
    write(this.#watching, formatNumber(watching));
    write(this.#pace, pace == null ? UNKNOWN : formatNumber(pace));
  }

  /** What was heard on a line that is gone is no present number. */
  forget() {
    write(this.#watching, UNKNOWN);
    write(this.#pace, UNKNOWN);
  }
}
