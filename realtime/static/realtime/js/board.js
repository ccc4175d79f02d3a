// @ts-check
/** The live page: what arrives from the connection goes to the standings, and what the viewer picks goes back. */
import { Feed } from "../../clients/feed.js";
import { applyDelta, roundUp } from "../../clients/rows.js";
import { formatNumber } from "./row.js";
import { Standings } from "./table.js";

/**
 * @typedef {import("../../clients/rows.js").Row} Row
 * @typedef {import("../../clients/feed.js").State} State
 * @typedef {import("../../clients/feed.js").Snapshot} Snapshot
 * @typedef {import("../../clients/feed.js").DeltaFrame} DeltaFrame
 */

/** The leader is called out at most this often; a screen reader is no sports reporter. */
const CALL_OUT_MS = 5_000;

/** Why a refused board stays closed; keyed by close code. */
const REFUSALS = new Map([
  [4400, "This page and the server do not understand each other. Reload the page."],
  [4401, "Sign in to watch this leaderboard."],
  [4403, "You may not watch this leaderboard."],
  [4404, "There is no such leaderboard any more."],
]);

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** @param {string} name what the element does, its data-part */
const part = (name) => /** @type {HTMLElement} */ (document.querySelector(`[data-part="${name}"]`));

const page = {
  root: document.documentElement,
  board: part("board"),
  standings: /** @type {HTMLTableElement} */ (part("standings")),
  caption: part("caption"),
  empty: part("empty"),
  season: part("season"),
  total: part("total"),
  players: part("players"),
  updated: /** @type {HTMLTimeElement} */ (part("updated")),
  status: part("status"),
  countdown: part("countdown"),
  reason: part("reason"),
  leader: part("leader"),
  tops: part("tops"),
  picker: /** @type {HTMLDetailsElement} */ (part("picker")),
  fullScreen: part("full-screen"),
};

const board = page.board.dataset.board ?? "";
const standings = new Standings(page.standings);
/** @type {readonly Row[]} */
let rows = [];
let top = roundUp(Number(new URLSearchParams(location.search).get("top")) || Number(page.board.dataset.top));

const connection = new Feed({ board, top, onFrame: receive, onState: showState });

/** @param {Snapshot | DeltaFrame} frame */
function receive(frame) {
  rows = frame.type === "snapshot" ? frame.entries : applyDelta(rows, frame);
  standings.show(rows);
  showFacts(frame);
  callOutLeader();
}

/** @param {Snapshot | DeltaFrame} frame */
function showFacts(frame) {
  const now = new Date();
  write(page.total, formatNumber(frame.total));
  write(page.players, frame.total === 1 ? "player" : "players");
  write(page.season, seasonLabel(frame.season));
  write(page.updated, clock.format(now));
  page.updated.dateTime = now.toISOString();
  write(page.caption, rows.length < frame.total ? `Top ${formatNumber(rows.length)}` : "All players");
  page.empty.hidden = rows.length > 0;
  page.standings.hidden = rows.length === 0;
}

/** @param {string | null} season as on the wire: a name, or when it began */
function seasonLabel(season) {
  if (!season) return "All time";
  const began = /^\d{4}-\d{2}-\d{2}/.test(season) ? new Date(season) : null;
  if (began && !Number.isNaN(began.getTime())) return `Season of ${day.format(began)}`;
  const words = season.replaceAll(/[-_]/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** @type {string | null} */ let calledOut = null;
let callTimer = 0;
let lastCall = -Infinity;

/** Tell the leader's change to whoever listens; the one that leads when it is time to speak. */
function callOutLeader() {
  if (calledOut === null) calledOut = rows[0]?.player ?? null; // who led when the page came is no change
  if (callTimer || !rows.length || rows[0].player === calledOut) return;
  callTimer = setTimeout(() => {
    callTimer = 0;
    if (!rows.length || rows[0].player === calledOut) return;
    calledOut = rows[0].player;
    lastCall = performance.now();
    page.leader.textContent = `${rows[0].name || rows[0].player} leads with ${formatNumber(rows[0].score)}`;
  }, Math.max(0, lastCall + CALL_OUT_MS - performance.now()));
}

let countdownTimer = 0;

/** @param {State} state */
function showState(state) {
  clearInterval(countdownTimer);
  page.root.dataset.state = state.kind;
  write(page.status, stateWord(state));
  write(page.countdown, "");
  write(page.reason, reason(state));
  page.reason.hidden = !page.reason.textContent;
  if (state.kind === "waiting") countDown(state.until);
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

/** @param {number} until on the clock of performance.now() */
function countDown(until) {
  const show = () => write(page.countdown, ` in ${formatNumber(Math.max(1, Math.ceil((until - performance.now()) / 1000)))} s`);
  show();
  countdownTimer = setInterval(show, 250);
}

/**
 * @param {HTMLElement} target
 * @param {string} text
 */
function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

function followTop() {
  page.root.dataset.top = String(top);
  for (const input of page.tops.querySelectorAll("input")) input.checked = Number(input.value) === top;
}

/** @param {Event} event */
function pickTop(event) {
  top = Number(/** @type {HTMLInputElement} */ (event.target).value);
  const address = new URL(location.href);
  address.searchParams.set("top", String(top));
  history.replaceState(null, "", address);
  followTop();
  connection.watch(top);
}

/** A projector's machine should not fall asleep; where the browser can't promise that, it is no harm. */
async function keepAwake() {
  if (!document.fullscreenElement || !("wakeLock" in navigator)) return;
  await navigator.wakeLock.request("screen").catch(() => undefined);
}

function toggleFullScreen() {
  return document.fullscreenElement ? document.exitFullscreen() : page.root.requestFullscreen().catch(() => undefined);
}

/** @param {Event} event */
function closePicker(event) {
  if (event instanceof KeyboardEvent && event.key !== "Escape") return;
  if (event.type === "click" && page.picker.contains(/** @type {Node} */ (event.target))) return;
  page.picker.open = false;
}

page.tops.addEventListener("change", pickTop);
page.fullScreen.hidden = !document.fullscreenEnabled;
page.fullScreen.addEventListener("click", toggleFullScreen);
document.addEventListener("fullscreenchange", () => {
  page.fullScreen.ariaPressed = String(document.fullscreenElement !== null);
  keepAwake();
});
document.addEventListener("click", closePicker);
document.addEventListener("keydown", closePicker);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  connection.nudge();
  keepAwake();
});
addEventListener("online", () => connection.nudge());
addEventListener("offline", () => connection.nudge());
// A page in the back/forward cache holds no socket.
addEventListener("pagehide", () => connection.stop());
addEventListener("pageshow", (event) => event.persisted && connection.start());

followTop();
connection.start();
