// @ts-check
/**
 * One board's live feed: a connection that comes back by itself and never shows a gap.
 *
 * The first socket asks for the board by its path and gets a snapshot. A later one resumes from the last position and
 * gets what was missed, or a snapshot if that is no longer held. A delta that doesn't follow the one before makes the
 * board ask for a snapshot; until it comes, deltas are ignored. What reaches `onFrame` can therefore always be applied.
 */
import { Channel } from "./channel.js";
import { Connection } from "./connection.js";

/**
 * @typedef {import("./types.js").Snapshot} Snapshot
 * @typedef {import("./types.js").DeltaFrame} DeltaFrame
 * @typedef {import("./types.js").Viewport} Viewport
 * @typedef {import("./types.js").State} State
 * @typedef {import("./types.js").ChannelOptions & import("./types.js").ConnectionOptions & {onState?: (state: State) => void}} FeedOptions
 */

export class Feed {
  #channel;
  #connection;

  /** @param {FeedOptions} options */
  constructor({ url, ticket, WebSocket, transport, fetch, onState = () => {}, ...channel }) {
    this.#channel = new Channel(channel);
    const owner = {
      socketPath: () => (this.#channel.position ? "/ws/" : `/ws${this.#path()}?${this.#channel.query}`),
      streamPath: () => `/sse${this.#path()}?${this.#since()}`,
      opened: () => void (this.#channel.position && this.#connection.say(this.#channel.command)),
      heard: (/** @type {any} */ message) => this.#hear(message),
      settled: () => this.#channel.position !== null,
      state: onState,
    };
    this.#connection = new Connection(owner, { url, ticket, WebSocket, transport, fetch });
  }

  start() {
    this.#connection.open();
  }

  /** Let go of the connection and every timer; `start` resumes. */
  stop() {
    this.#connection.close();
  }

  /**
   * Watch another size of the same board.
   * @param {number} top one of TOPS
   */
  watch(top) {
    if (top === this.#channel.top) return;
    this.#channel.top = top;
    this.#channel.position = null;
    this.#subscribe();
  }

  /**
   * Be told where another player stands, and who is near; nobody's for `{}`.
   * @param {Viewport} viewport
   */
  follow(viewport) {
    this.#channel.follow(viewport);
    this.#subscribe();
  }

  /** The page is back or the network is: don't wait out a pause, and find out now whether the connection still lives. */
  nudge() {
    this.#connection.nudge();
  }

  /** @param {any} message */
  #hear(message) {
    if (message.type === "error") {
      // Something we asked was refused. A close code may follow and say more; else the board is asked for anew by its path.
      this.#channel.position = null;
      this.#connection.expectAnswer();
    } else if (!this.#channel.hear(message)) this.#subscribe();
  }

  #subscribe() {
    if (!this.#connection.say(this.#channel.command) && this.#connection.isAlive) this.#connection.open();
  }

  #path() {
    return `/leaderboard/${encodeURIComponent(this.#channel.board)}/`;
  }

  /** In the address, where it needs no leave of the server for a page of another site, as a header would. */
  #since() {
    const { query, position } = this.#channel;
    if (position) query.set("since", `${position.epoch}:${position.offset}`);
    return query;
  }
}
