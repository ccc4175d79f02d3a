// @ts-check
/**
 * A line to the server that comes back by itself: pauses that grow at random, as long as a leaving server asks for, no faith in silence.
 *
 * It knows nothing of boards. Its owner says where to ask and whether something asked for is still due, and is told what comes.
 * The line is a WebSocket; where those don't get through, a stream of server-sent events, which can only listen.
 */
import { backoffMs } from "./backoff.js";

/**
 * @import { State, Owner, ConnectionOptions, Line, Told, Timer } from "./types.js"
 */

/** The server speaks at least every 10 s; two missed heartbeats and a half are no accident. */
const QUIET_MS = 25_000;
/** An answer to a fresh line, a command or a ping takes a round trip. */
const ANSWER_MS = 8_000;
/** A connection that lasted this long was a good one: the next trouble starts again from short waits. */
const STEADY_MS = 5_000;
const LONGEST_WAIT_MS = 20_000;
/** A line on which nothing came for longer than a heartbeat takes is not to be believed after a sleep. */
const HEARTBEAT_MS = 12_000;

/** Sockets in a row that never opened, after which a stream is tried. */
const BLOCKED = 2;
/** How long a stream is content before it looks whether sockets open again; doubled each time. */
const PROBE_MS = 60_000;
const LONGEST_PROBE_MS = 1_800_000;

/** A socket that is open, whichever implementation made it. */
const OPEN = 1;

/** Close codes after which asking again changes nothing. */
const FINAL_CODES = new Set([4400, 4401, 4403, 4404]);
/** The server has too many sockets: the first waits are skipped. */
const TOO_MANY = 4429;
const TOO_MANY_ATTEMPT = 4;

export class Connection {
  #owner;
  #base;
  #ticket;
  #WebSocket;
  #fetch;
  #transport;
  /** @type {Line | null} */ #line = null;
  /** @type {Told | null} */ #told = null;
  #opened = false;
  #state = "";
  #feedAway = false;
  #attempt = 0;
  #unopened = 0;
  #openedAt = 0;
  #heardAt = 0;
  #patienceMs = QUIET_MS;
  #waiting = false;
  /** What a restarting server asked us to wait, already spread by it. */
  #askedMs = 0;
  #probeMs = PROBE_MS;
  /** @type {Line | null} */ #probe = null;
  /** @type {Timer} */ #probeTimer;
  /** @type {Timer} */ #retryTimer;
  /** @type {Timer} */ #watchdog;

  /** @param {Owner} owner @param {ConnectionOptions} options */
  constructor(owner, { url = globalThis.location?.origin, ticket, WebSocket = globalThis.WebSocket, transport = "auto", fetch: fetching }) {
    if (!url) throw new TypeError("url is needed outside a page");
    this.#owner = owner;
    this.#base = url.replace(/\/+$/, "");
    this.#ticket = ticket;
    this.#WebSocket = WebSocket;
    this.#transport = transport;
    this.#fetch = fetching;
    if (!WebSocket && this.#transport === "websocket") throw new TypeError("WebSocket is needed where the host has none");
  }

  /** Whether it was opened and neither closed by us nor refused: it may be waiting for its next attempt. */
  get isAlive() {
    return this.#line !== null || this.#waiting;
  }

  /** Whether its line can only listen: what is asked for is what its address said. */
  get isStream() {
    return this.#line?.send === null;
  }

  open() {
    this.close();
    this.#opened = this.#feedAway = false;
    this.#askedMs = 0;
    this.#openedAt = performance.now();
    const told = (this.#told = this.#ears());
    this.#line = this.#way() === "sse" ? this.#stream(told) : this.#socket(this.#owner.socketPath(), told);
    this.expectAnswer();
    this.#report({ kind: "connecting" });
  }

  /** Let go of the line and every timer; `open` begins again. */
  close() {
    for (const timer of [this.#watchdog, this.#retryTimer, this.#probeTimer]) clearTimeout(timer);
    this.#waiting = false;
    this.#told = null;
    this.#probe?.close();
    this.#line?.close();
    this.#probe = this.#line = null;
  }

  /**
   * Send commands, with a ping behind them: the pong tells that they were heard, where they have no other answer.
   * @param {...object} commands
   * @returns {boolean} false if nothing can be said: not open, or a stream
   */
  say(...commands) {
    if (!this.#line?.send || !this.#line.isOpen()) return false;
    for (const command of [...commands, { type: "ping" }]) this.#line.send(JSON.stringify(command));
    this.expectAnswer();
    return true;
  }

  /** Something must come soon, and be what settles the owner, or the line is given up. */
  expectAnswer() {
    this.#expect(ANSWER_MS);
    this.#watch();
  }

  /** The page is back or the network is: don't wait out a pause, and find out now whether the line still lives. */
  nudge() {
    const slept = this.isStream && performance.now() - this.#heardAt > HEARTBEAT_MS;
    if (this.#waiting || slept) this.open();
    else this.say();
  }

  #way() {
    if (this.#transport !== "auto") return this.#transport;
    return !this.#WebSocket || this.#unopened >= BLOCKED ? "sse" : "websocket";
  }

  /** @param {string} path @param {Told} told @returns {Line} */
  #socket(path, told) {
    const protocols = this.#ticket ? ["leaderboard.v1", `ticket.${this.#ticket}`] : [];
    const socket = new this.#WebSocket(this.#base.replace(/^http/, "ws") + path, protocols);
    socket.onopen = () => told.opened();
    socket.onmessage = (event) => told.heard(event.data);
    socket.onclose = (event) => told.lost(event.code);
    return { isOpen: () => socket.readyState === OPEN, send: (text) => socket.send(text), close: () => hangUp(socket) };
  }

  /** Its code is loaded by who needs it. @param {Told} told @returns {Line} */
  #stream(told) {
    const url = this.#base + this.#owner.streamPath();
    const given = new AbortController();
    const options = { ticket: this.#ticket, fetch: this.#fetch, signal: given.signal };
    void import("./sse.js").then(({ listen }) => listen(url, options, told), () => told.lost(0));
    return { isOpen: () => false, send: null, close: () => given.abort() };
  }

  /** @returns {Told} */
  #ears() {
    const present = () => this.#told === ears;
    /** @type {Told} */
    const ears = {
      opened: () => void (present() && this.#begin()),
      heard: (text) => void (present() && this.#hear(parsed(text))),
      lost: (code, askedMs) => void (present() && this.#lost(code, askedMs)),
    };
    return ears;
  }

  #begin() {
    this.#opened = true;
    if (this.#line?.send) {
      this.#unopened = 0;
      this.#probeMs = PROBE_MS;
    } else {
      this.#probeLater();
      if (this.#owner.settled()) this.#live(); // nothing comes to one who missed nothing
    }
    this.#owner.opened();
  }

  /** @param {any} message */
  #hear(message) {
    const told = this.#told;
    if (performance.now() - this.#openedAt > STEADY_MS) this.#attempt = 0;
    if (message.type === "bye") this.#askedMs = Math.min(LONGEST_WAIT_MS, Number(message.retry_in_ms) || 0);
    else if (message.type === "status") this.#feedAway = message.live === false;
    else {
      if (message.type === "delta") this.#feedAway = false;
      this.#owner.heard(message);
    }
    if (told !== this.#told) return; // who heard it has closed us, or opened anew
    if (this.#feedAway || this.#owner.settled()) this.#live(); // while an answer is due, other messages are none
  }

  #live() {
    this.#expect(QUIET_MS);
    this.#report({ kind: this.#feedAway ? "paused" : "live" });
  }

  /** @param {State} state */
  #report(state) {
    if (state.kind === this.#state && state.kind !== "waiting") return;
    this.#state = state.kind;
    this.#owner.state(state);
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

  /** @param {number} code 0 if the line was given up by us @param {number} [askedMs] */
  #lost(code, askedMs = this.#askedMs) {
    // A stream that did not open either proves nothing about sockets: the server may have been away. It is their turn again.
    if (!this.#opened) this.#unopened = this.#line?.send ? this.#unopened + 1 : BLOCKED - 1;
    this.close();
    if (FINAL_CODES.has(code)) return this.#report({ kind: "refused", code });
    if (code === TOO_MANY) this.#attempt = Math.max(this.#attempt, TOO_MANY_ATTEMPT);
    const waitMs = Math.max(askedMs, backoffMs(this.#attempt++, LONGEST_WAIT_MS));
    this.#waiting = true;
    this.#retryTimer = setTimeout(() => this.open(), waitMs);
    this.#report({ kind: "waiting", until: performance.now() + waitMs, offline: globalThis.navigator?.onLine === false });
  }

  /** Beside a stream, look now and then whether sockets open again. The stream goes on until one has. */
  #probeLater() {
    if (this.#transport !== "auto" || !this.#WebSocket) return;
    this.#probeTimer = setTimeout(() => {
      this.#probe = this.#socket("/ws/", {
        opened: () => {
          this.#unopened = 0;
          this.open();
        },
        heard: () => {},
        lost: () => {
          this.#probeMs = Math.min(LONGEST_PROBE_MS, 2 * this.#probeMs);
          this.#probeLater();
        },
      });
    }, this.#probeMs);
  }
}

/** @param {WebSocket} socket what it still says is about the past */
function hangUp(socket) {
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.close();
}

/** @param {string} text @returns {any} an object; empty if the text is none */
function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
