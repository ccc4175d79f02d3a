// @ts-check
/** How the connection is: a word beside the lamp, and a sentence where a word is not enough. */
import { part, write } from "./parts.js";
import { formatNumber } from "./row.js";

/** @typedef {import("../../clients/feed.js").State} State */

/** Why a refused board stays closed; keyed by close code. */
const REFUSALS = new Map([
  [4400, "This page and the server do not understand each other. Reload the page."],
  [4401, "Sign in to watch this leaderboard."],
  [4403, "You may not watch this leaderboard."],
  [4404, "There is no such leaderboard any more."],
]);

const COUNTDOWN_MS = 250;

export class Status {
  #root = document.documentElement;
  #word = part("status");
  #countdown = part("countdown");
  #reason = part("reason");
  #timer = 0;

  /** @param {State} state */
  show(state) {
    clearInterval(this.#timer);
    this.#root.dataset.state = state.kind;
    write(this.#word, stateWord(state));
    write(this.#countdown, "");
    write(this.#reason, reason(state));
    this.#reason.hidden = !this.#reason.textContent;
    if (state.kind === "waiting") this.#countDown(state.until);
  }

  /** @param {number} until on the clock of performance.now() */
  #countDown(until) {
    const show = () => write(this.#countdown, ` in ${formatNumber(Math.max(1, Math.ceil((until - performance.now()) / 1000)))} s`);
    show();
    this.#timer = setInterval(show, COUNTDOWN_MS);
  }
}

/** @param {State} state */
function stateWord(state) {
  if (state.kind === "waiting") return state.offline ? "Offline, trying again" : "Reconnecting";
  return { connecting: "Connecting", live: "Live", paused: "Paused", refused: "Closed" }[state.kind];
}

/** @param {State} state */
function reason(state) {
  if (state.kind === "refused") return REFUSALS.get(state.code) ?? "";
  if (state.kind === "paused") return "The live feed is away. Scores still count; the board catches up by itself.";
  return "";
}
