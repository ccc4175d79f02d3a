// @ts-check
/** A board that keeps itself up to date: the rows of a feed, put together. */
import { Feed } from "./feed.js";
import { applyDelta, roundUp } from "./rows.js";

/**
 * @typedef {import("./rows.js").Row} Row
 * @typedef {import("./types.js").State} State
 * @typedef {import("./feed.js").Snapshot | import("./feed.js").DeltaFrame} Frame
 *
 * @typedef {object} Standings
 * @property {readonly Row[]} rows in order of rank
 * @property {number} total entries on the board
 * @property {string} season
 * @property {import("./rows.js").Position} position
 */

export class LiveBoard {
  /** @type {Standings | null} the present ones; null before the first snapshot */
  standings = null;
  /** @type {State} */
  state = { kind: "connecting" };
  #feed;

  /**
   * @param {Omit<import("./feed.js").FeedOptions, "top" | "onFrame"> & {top?: number, onChange?: (standings: Standings) => void}} options
   *   what `Feed` takes, but: `top` is the rows wanted, 1 to 100; `onChange` is called after each frame
   */
  constructor({ top = 10, onChange = () => {}, onState = () => {}, ...feed }) {
    this.#feed = new Feed({
      ...feed,
      top: roundUp(top),
      onFrame: (frame) => onChange((this.standings = this.#after(frame))),
      onState: (state) => onState((this.state = state)),
    });
  }

  start() {
    this.#feed.start();
    return this;
  }

  /** Let go of the socket and every timer; `start` resumes where it was. */
  stop() {
    this.#feed.stop();
  }

  /** @param {number} top */
  watch(top) {
    this.#feed.watch(roundUp(top));
  }

  /** @param {import("./types.js").Viewport} viewport whose neighbourhood is told to `onAround`; `{}` for nobody's */
  follow(viewport) {
    this.#feed.follow(viewport);
  }

  /** The page is back or the network is: see `Feed.nudge`. */
  nudge() {
    this.#feed.nudge();
  }

  /** @param {Frame} frame @returns {Standings} */
  #after(frame) {
    const rows = frame.type === "snapshot" ? frame.entries : applyDelta(this.standings?.rows ?? [], frame);
    return { rows, total: frame.total, season: frame.season, position: { epoch: frame.epoch, offset: frame.offset } };
  }
}
