// @ts-check
/**
 * Many boards on one socket, each with its own position: one that is refused, or has a gap, leaves the others as they are.
 *
 * A socket carries 32 boards, as many as the server allows; for more, another is opened. A stream in a socket's place is opened anew for
 * every change of what is watched, and each board resumes.
 */
import { backoffMs } from "./backoff.js";
import { Channel } from "./channel.js";
import { Connection } from "./connection.js";
import { roundUp } from "./rows.js";

/**
 * @typedef {import("./types.js").State} State
 * @typedef {{code: string, detail: string}} Refusal
 * @typedef {Omit<import("./types.js").ChannelOptions, "board" | "top"> & {top?: number, onRefused?: (refusal: Refusal) => void}} WatchOptions
 * @typedef {{channel: Channel, onRefused: (refusal: Refusal) => void, attempt: number, resting: boolean}} Watched
 *   `resting`: refused for now, to be asked for again
 */

/** What the server allows a socket. */
const BOARDS = 32;
/** How long changes are gathered before a stream is opened anew for them: a page that is scrolled has many. */
const GATHER_MS = 500;
/** Characters of a path and query; the server takes 8,192. */
const LONGEST_ADDRESS = 8_000;
const LONGEST_WAIT_MS = 20_000;

/** Refusals of a board that asking again does not change. */
const FINAL_ERRORS = new Set(["invalid_parameter", "not_authenticated", "forbidden", "leaderboard_not_found"]);

/** From the best to the worst: with two sockets the worse one's state is told. */
const STATES = ["live", "paused", "connecting", "waiting", "refused"];

export class Boards {
  #options;
  #onState;
  /** @type {Bundle[]} */ #bundles = [];
  #started = false;
  #told = "";

  /** @param {import("./types.js").ConnectionOptions & {onState?: (state: State) => void}} [options] */
  constructor({ onState = () => {}, ...connection } = {}) {
    this.#options = connection;
    this.#onState = onState;
  }

  /**
   * @param {string} board slug, not one that is watched here already
   * @param {WatchOptions} [options]
   * @returns {() => void} stops watching it
   */
  watch(board, { top = 10, onRefused = () => {}, ...channel } = {}) {
    if (this.#bundles.some((bundle) => bundle.has(board))) throw new TypeError(`${board} is watched already`);
    const bundle = this.#bundles.find((candidate) => candidate.size < BOARDS) ?? this.#bundle();
    const watched = {
      channel: new Channel({ ...channel, board, top: roundUp(top) }),
      onRefused: (/** @type {Refusal} */ refusal) => {
        if (!bundle.size) this.#drop(bundle);
        onRefused(refusal);
      },
      attempt: 0,
      resting: false,
    };
    bundle.add(watched);
    return () => {
      if (bundle.remove(watched) && !bundle.size) this.#drop(bundle);
    };
  }

  start() {
    this.#started = true;
    for (const bundle of this.#bundles) bundle.open();
    return this;
  }

  /** Let go of the sockets and every timer; `start` resumes where each board was. */
  stop() {
    this.#started = false;
    for (const bundle of this.#bundles) bundle.close();
  }

  /** The page is back or the network is: see `Feed.nudge`. */
  nudge() {
    for (const bundle of this.#bundles) bundle.nudge();
  }

  #bundle() {
    const bundle = new Bundle(this.#options, () => this.#tell());
    this.#bundles.push(bundle);
    if (this.#started) bundle.open();
    return bundle;
  }

  /** @param {Bundle} bundle */
  #drop(bundle) {
    bundle.close();
    this.#bundles.splice(this.#bundles.indexOf(bundle), 1);
    this.#tell();
  }

  #tell() {
    const states = this.#bundles.map((bundle) => bundle.state);
    const worst = states.sort((a, b) => STATES.indexOf(b.kind) - STATES.indexOf(a.kind))[0];
    const text = JSON.stringify(worst);
    if (!worst || text === this.#told) return;
    this.#told = text;
    this.#onState(worst);
  }
}

/** One socket and its boards. */
class Bundle {
  /** @type {State} */ state = { kind: "connecting" };
  /** @type {Map<string, Watched>} */ #boards = new Map();
  /** @type {object[]} */ #unsaid = [];
  /** @type {Set<ReturnType<typeof setTimeout>>} */ #timers = new Set();
  /** @type {import("./types.js").Timer} */ #anew;
  #connection;

  /** @param {import("./types.js").ConnectionOptions} options @param {() => void} onState */
  constructor(options, onState) {
    const owner = {
      socketPath: () => "/ws/",
      streamPath: () => this.#streamPath,
      opened: () => this.#askAll(),
      heard: (/** @type {any} */ message) => this.#hear(message),
      settled: () => [...this.#boards.values()].every(({ channel, resting }) => channel.position !== null || resting),
      state: (/** @type {State} */ state) => {
        this.state = state;
        onState();
      },
    };
    this.#connection = new Connection(owner, options);
  }

  get size() {
    return this.#boards.size;
  }

  /** @param {string} board */
  has(board) {
    return this.#boards.has(board);
  }

  open() {
    this.#connection.open();
  }

  close() {
    for (const timer of [...this.#timers, this.#anew]) clearTimeout(timer);
    this.#timers.clear();
    this.#anew = undefined;
    this.#unsaid = [];
    this.#connection.close();
  }

  nudge() {
    this.#connection.nudge();
  }

  /** @param {Watched} watched */
  add(watched) {
    this.#boards.set(watched.channel.board, watched);
    this.#say(watched.channel.command);
  }

  /** @param {Watched} watched @returns {boolean} whether it was still watched */
  remove(watched) {
    const { board } = watched.channel;
    if (this.#boards.get(board) !== watched) return false;
    this.#boards.delete(board);
    this.#say({ type: "unsubscribe", leaderboard: board });
    return true;
  }

  get #commands() {
    return [...this.#boards.values()].map(({ channel }) => channel.command);
  }

  /** Where a stream of all of them is. If saying where each is would be too long for the server, they begin again. */
  get #streamPath() {
    const address = (/** @type {object} */ without) =>
      `/sse/?${new URLSearchParams(this.#commands.map((command) => ["subscribe", JSON.stringify({ ...command, ...without })]))}`;
    const whole = address({ type: undefined });
    return whole.length > LONGEST_ADDRESS ? address({ type: undefined, since: undefined }) : whole;
  }

  /** On a fresh socket nothing is watched: whatever was to be said before is part of this. A stream has said it all by its address. */
  #askAll() {
    for (const watched of this.#boards.values()) watched.resting = false;
    if (this.#connection.say(...this.#commands)) this.#unsaid = [];
  }

  /** What is to be said in one go has one ping behind it: a page that opens thirty boards says no more than it must. @param {object} command */
  #say(command) {
    if (this.#unsaid.push(command) > 1) return;
    queueMicrotask(() => {
      const commands = this.#unsaid.splice(0);
      if (commands.length && !this.#connection.say(...commands) && this.#connection.isStream) this.#openSoon();
    });
  }

  #openSoon() {
    this.#anew ??= setTimeout(() => {
      this.#anew = undefined;
      if (this.#connection.isStream) this.#connection.open();
    }, GATHER_MS);
  }

  /** @param {any} message */
  #hear(message) {
    if (message.type === "heartbeat") {
      for (const { channel } of this.#boards.values()) if (!channel.hear(message)) this.#say(channel.command);
      return;
    }
    const watched = this.#boards.get(message.leaderboard);
    if (!watched) return;
    if (message.type === "error") this.#refused(watched, message);
    else if (!watched.channel.hear(message)) this.#say(watched.channel.command);
    else if (message.type === "snapshot") watched.attempt = 0;
  }

  /** @param {Watched} watched @param {Refusal} refusal */
  #refused(watched, { code, detail }) {
    watched.channel.position = null;
    if (FINAL_ERRORS.has(code)) {
      this.#boards.delete(watched.channel.board);
      return watched.onRefused({ code, detail });
    }
    watched.resting = true;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!watched.resting || this.#boards.get(watched.channel.board) !== watched) return;
      watched.resting = false;
      this.#say(watched.channel.command);
    }, backoffMs(watched.attempt++, LONGEST_WAIT_MS));
    this.#timers.add(timer);
  }
}
