// @ts-check
/**
 * One board's live feed: a socket that comes back by itself and never shows a gap.
 *
 * The first socket asks for the board by its path and gets a snapshot. A later one resumes from the last position and
 * gets what was missed, or a snapshot if that is no longer held. A delta that doesn't follow the one before makes the
 * board ask for a snapshot; until it comes, deltas are ignored. What reaches `onFrame` can therefore always be applied.
 */
import { backoffMs } from "./backoff.js";
import { relation } from "./rows.js";

/**
 * @typedef {import("./rows.js").Row} Row
 * @typedef {import("./rows.js").Position} Position
 *
 * @typedef {{type: "snapshot", season: string, epoch: string, offset: number, total: number, entries: Row[]}} Snapshot
 * @typedef {{type: "delta", season: string, epoch: string, offset: number, total: number, changed: Row[], left: string[]}} DeltaFrame
 *
 * @typedef {{kind: "connecting"} | {kind: "live"} | {kind: "paused"} | {kind: "waiting", until: number, offline: boolean}
 *   | {kind: "refused", code: number}} State
 *   `until` is when the next attempt is made, on the clock of performance.now().
 */

/** The server speaks at least every 10 s; two missed heartbeats and a half are no accident. */
const QUIET_MS = 25_000;
/** An answer to a fresh socket, a command or a ping takes a round trip. */
const ANSWER_MS = 8_000;
/** A connection that lasted this long was a good one: the next trouble starts again from short waits. */
const STEADY_MS = 5_000;
const LONGEST_WAIT_MS = 20_000;

/** A socket that is open, whichever implementation made it. */
const OPEN = 1;

/** Close codes after which asking again changes nothing. */
const FINAL_CODES = new Set([4400, 4401, 4403, 4404]);
/** The server has too many sockets: the first waits are skipped. */
const TOO_MANY = 4429;
const TOO_MANY_ATTEMPT = 4;

export class Feed {
  #board;
  #top;
  #base;
  #protocols;
  #WebSocket;
  #onFrame;
  #onState;
  /** @type {WebSocket | null} */ #socket = null;
  /** What the rows shown are. None before the first snapshot and after a gap: then deltas don't apply. @type {Position | null} */
  #position = null;
  #feedAway = false;
  #attempt = 0;
  #openedAt = 0;
  #heardAt = 0;
  #patienceMs = QUIET_MS;
  #waiting = false;
  /** What a restarting server asked us to wait, already spread by it. */
  #askedMs = 0;
  #retryTimer = 0;
  #watchdog = 0;

  /**
   * @param {object} options
   * @param {string} [options.url] where the service is, the page's own origin if left out
   * @param {string} [options.ticket] opens a private board, see docs/protocol.md
   * @param {typeof WebSocket} [options.WebSocket] for hosts that have none of their own, such as Node before 22
   * @param {string} options.board slug
   * @param {number} options.top one of TOPS
   * @param {(frame: Snapshot | DeltaFrame) => void} options.onFrame always applicable, in order
   * @param {(state: State) => void} options.onState
   */
  constructor({ board, top, onFrame, onState, url = globalThis.location?.origin, ticket, WebSocket = globalThis.WebSocket }) {
    if (!url) throw new TypeError("url is needed outside a page");
    this.#base = url.replace(/\/+$/, "").replace(/^http/, "ws");
    this.#protocols = ticket ? ["leaderboard.v1", `ticket.${ticket}`] : [];
    this.#WebSocket = WebSocket;
    this.#board = board;
    this.#top = top;
    this.#onFrame = onFrame;
    this.#onState = onState;
  }

  start() {
    this.#open();
  }

  /** Let go of the socket and every timer; `start` resumes. */
  stop() {
    this.#drop();
    clearTimeout(this.#retryTimer);
    this.#waiting = false;
  }

  /**
   * Watch another size of the same board.
   * @param {number} top one of TOPS
   */
  watch(top) {
    if (top === this.#top) return;
    this.#top = top;
    this.#position = null;
    if (this.#socket?.readyState === OPEN) this.#subscribe();
    else if (this.#socket || this.#waiting) this.#open();
  }

  /** The page is back or the network is: don't wait out a pause, and find out now whether the socket still lives. */
  nudge() {
    if (this.#waiting) this.#open();
    else if (this.#socket?.readyState === OPEN) this.#ask({ type: "ping" });
  }

  #open() {
    this.stop();
    const socket = new this.#WebSocket(this.#address(), this.#protocols);
    this.#socket = socket;
    this.#feedAway = false;
    this.#askedMs = 0;
    this.#openedAt = performance.now();
    this.#expect(ANSWER_MS);
    this.#watch();
    this.#onState({ kind: "connecting" });
    socket.onopen = () => this.#position && this.#subscribe();
    socket.onmessage = (event) => this.#hear(event.data);
    socket.onclose = (event) => this.#lost(event.code);
  }

  /** By the path a snapshot comes unasked, and a refusal is a close code; the bare address takes `since`. */
  #address() {
    if (this.#position) return `${this.#base}/ws/`;
    return `${this.#base}/ws/leaderboard/${encodeURIComponent(this.#board)}/?top=${this.#top}`;
  }

  #subscribe() {
    const since = this.#position ? { since: this.#position } : {};
    // Nothing is sent to one who missed nothing; the pong behind the subscription tells that it was heard.
    this.#socket?.send(JSON.stringify({ type: "subscribe", leaderboard: this.#board, top: this.#top, ...since }));
    this.#ask({ type: "ping" });
  }

  /** @param {object} command something that is answered at once */
  #ask(command) {
    this.#socket?.send(JSON.stringify(command));
    this.#expect(ANSWER_MS);
    this.#watch();
  }

  /** @param {number} patienceMs how long silence is borne from now */
  #expect(patienceMs) {
    this.#heardAt = performance.now();
    this.#patienceMs = patienceMs;
  }

  /** One timer that looks when the patience would be over, instead of one that is set again by every message. */
  #watch() {
    clearTimeout(this.#watchdog);
    const left = this.#heardAt + this.#patienceMs - performance.now();
    if (left <= 0) this.#lost(0);
    else this.#watchdog = setTimeout(() => this.#watch(), left + 1);
  }

  /** @param {string} text */
  #hear(text) {
    // While a snapshot is due, other messages are no answer.
    if (this.#position || this.#feedAway) this.#expect(QUIET_MS);
    if (performance.now() - this.#openedAt > STEADY_MS) this.#attempt = 0;
    const message = parsed(text);
    if (message.type === "pong") this.#answered();
    else if (message.type === "heartbeat") this.#compare(message.positions?.[this.#board]);
    else if (message.type === "status") this.#feed(message.live !== false);
    else if (message.type === "bye") this.#askedMs = Math.min(LONGEST_WAIT_MS, Number(message.retry_in_ms) || 0);
    else if (message.type === "error") this.#distrust();
    else if (message.leaderboard !== this.#board || message.top !== this.#top) return;
    else if (message.type === "snapshot") this.#snapshot(message);
    else if (message.type === "delta") this.#delta(message);
  }

  #answered() {
    if (this.#position) this.#report();
  }

  /** Something we asked was refused. A close code may follow and say more; else the board is asked for anew by its path. */
  #distrust() {
    this.#position = null;
    this.#expect(ANSWER_MS);
    this.#watch();
  }

  #report() {
    this.#onState({ kind: this.#feedAway ? "paused" : "live" });
  }

  /** @param {boolean} live */
  #feed(live) {
    this.#feedAway = !live;
    this.#report();
  }

  /** @param {Snapshot} frame */
  #snapshot(frame) {
    this.#take(frame);
    this.#expect(QUIET_MS);
    this.#report();
  }

  /** @param {DeltaFrame} frame */
  #delta(frame) {
    if (!this.#position) return;
    const fit = relation(this.#position, frame);
    if (fit === "gap") this.#startOver();
    if (fit !== "next") return;
    this.#take(frame);
    this.#feed(true);
  }

  /** @param {Snapshot | DeltaFrame} frame */
  #take(frame) {
    this.#position = { epoch: frame.epoch, offset: frame.offset };
    this.#onFrame(frame);
  }

  /**
   * A heartbeat comes behind the frames it counts: a position ahead of ours means that the last of them was lost.
   * @param {Position | undefined} theirs
   */
  #compare(theirs) {
    if (!theirs || !this.#position) return;
    if (theirs.epoch !== this.#position.epoch || theirs.offset > this.#position.offset) this.#startOver();
  }

  #startOver() {
    this.#position = null;
    this.#subscribe();
  }

  /** @param {number} code 0 if the socket was given up by us */
  #lost(code) {
    this.#drop();
    if (FINAL_CODES.has(code)) return this.#onState({ kind: "refused", code });
    if (code === TOO_MANY) this.#attempt = Math.max(this.#attempt, TOO_MANY_ATTEMPT);
    const waitMs = Math.max(this.#askedMs, backoffMs(this.#attempt++, LONGEST_WAIT_MS));
    this.#askedMs = 0;
    this.#waiting = true;
    this.#retryTimer = setTimeout(() => this.#open(), waitMs);
    this.#onState({ kind: "waiting", until: performance.now() + waitMs, offline: globalThis.navigator?.onLine === false });
  }

  #drop() {
    clearTimeout(this.#watchdog);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null; // what it still says is about the past
    socket.close();
  }
}

/**
 * @param {string} text
 * @returns {any} an object; empty if the text is none
 */
function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
