// @ts-check
/**
 * One board on a connection: what is asked for, where it is, and what of the messages it is told is news. No I/O.
 *
 * What reaches `onFrame` can always be applied: a delta that doesn't follow the one before is a gap, and from there deltas are ignored
 * until a snapshot has come.
 */
import { relation } from "./rows.js";

/**
 * @import { Position } from "./rows.js"
 * @import { Snapshot, DeltaFrame, Viewport, ChannelOptions } from "./types.js"
 */

/** Rows on either side for who names a player and no number. */
const AROUND = 3;

const nobody = () => {};

export class Channel {
  /** What the rows shown are. None before the first snapshot and after a gap. @type {Position | null} */
  position = null;
  #told;
  #pulse;
  /** @type {Viewport} */ #viewport = {};

  /** @param {ChannelOptions} options */
  constructor({ board, top, pulse = false, around, player, own, onFrame, onPulse, onAround, onOvertake }) {
    this.board = board;
    this.top = top;
    this.#pulse = pulse;
    this.#told = { frame: onFrame ?? nobody, pulse: onPulse ?? nobody, around: onAround ?? nobody, overtake: onOvertake ?? nobody };
    this.follow({ around, player, own });
  }

  /** @param {Viewport} viewport */
  follow({ around = AROUND, player, own }) {
    if (player !== undefined && own) throw new TypeError("player or own, not both");
    this.#viewport = own ? { around, own } : player !== undefined ? { around, player } : {};
  }

  /** What is asked for, as a command has it. */
  get wanted() {
    return { top: this.top, ...(this.#pulse && { pulse: true }), ...this.#viewport };
  }

  /** Replaces what the server knew of this board's subscription. */
  get command() {
    return { type: "subscribe", leaderboard: this.board, ...this.wanted, ...(this.position && { since: this.position }) };
  }

  /** What is asked for, as an address has it. */
  get query() {
    const { pulse, own, ...rest } = /** @type {any} */ (this.wanted);
    return new URLSearchParams({ ...rest, ...(pulse && { pulse: "1" }), ...(own && { own: "1" }) });
  }

  /**
   * @param {any} message
   * @returns {boolean} false for a gap: the board must be asked for anew
   */
  hear(message) {
    if (message.type === "heartbeat") return this.#compare(message.positions?.[this.board]);
    if (message.leaderboard !== this.board) return true;
    if (message.type === "snapshot" && message.top === this.top) this.#take(message);
    else if (message.type === "delta" && message.top === this.top) return this.#delta(message);
    else if (message.type === "pulse") this.#told.pulse(message);
    else if (message.type === "around" && this.#follows(message.player)) this.#told.around(message);
    else if (message.type === "overtake" && this.#follows(message.player)) this.#told.overtake(message);
    return true;
  }

  /** One who was followed before may still be told of. @param {string} player */
  #follows(player) {
    return this.#viewport.own === true || this.#viewport.player === player;
  }

  /** @param {DeltaFrame} frame */
  #delta(frame) {
    if (!this.position) return true; // a snapshot is due
    const fit = relation(this.position, frame);
    if (fit === "gap") return this.#lost();
    if (fit === "next") this.#take(frame);
    return true;
  }

  /** @param {Snapshot | DeltaFrame} frame */
  #take(frame) {
    this.position = { epoch: frame.epoch, offset: frame.offset };
    this.#told.frame(frame);
  }

  /**
   * A heartbeat comes behind the frames it counts: a position ahead of ours means that the last of them was lost.
   * @param {Position | undefined} theirs
   */
  #compare(theirs) {
    if (!theirs || !this.position) return true;
    return theirs.epoch !== this.position.epoch || theirs.offset > this.position.offset ? this.#lost() : true;
  }

  #lost() {
    this.position = null;
    return false;
  }
}
