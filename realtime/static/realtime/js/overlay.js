// @ts-check
/**
 * The stream overlay: a board and nothing else, over whatever the stream shows.
 *
 * It is watched by thousands and looked after by nobody: whatever happens to the connection, it says nothing. The last standings stay, are
 * dimmed when they are old, and go on when they can. Which board it is stands in the address, what opens a private one behind the `#`.
 */
import { Client } from "../../clients/client.js";
import { LiveBoard } from "../../clients/live.js";
import { DelayLine } from "./delay.js";
import { ticketOfFragment } from "./fragment.js";
import { isLight, readOptions } from "./overlay-options.js";
import { formatNumber } from "./row.js";
import { Standings } from "./table.js";

/**
 * @typedef {import("../../clients/rows.js").Row} Row
 * @typedef {import("../../clients/feed.js").State} State
 * @typedef {{season: string, player: string, rank: number | null, entries: Row[]}} Around
 * @typedef {{rows: readonly Row[], pinned: Row | null, stale: boolean}} View what is to be seen at one moment
 */

/** Standings that are older than this are dimmed: a reconnect is no matter, an outage is. */
const STALE_MS = 60_000;
/** A refusal may end (the board is opened, its catalog is back), so it is asked again, seldom. */
const REFUSED_MS = 60_000;
/** The server does not take what was asked for, which can only be the player. */
const BAD_MESSAGE = 4400;

const { options, faults } = readOptions(location.search);
const board = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const ticket = ticketOfFragment();

/** @param {string} name */
const part = (name) => /** @type {HTMLElement} */ (document.querySelector(`[data-part="${name}"]`));

const page = {
  root: document.documentElement,
  overlay: part("overlay"),
  title: part("title"),
  standings: /** @type {HTMLTableElement} */ (part("standings")),
  debug: part("debug"),
};

const standings = new Standings(page.standings);
standings.mark(options.player || null);
const line = new DelayLine(options.delay * 1000, show);

/** The newest of all that was heard. @type {View & {season: string, around: Around | null}} */
const heard = { rows: [], pinned: null, stale: false, season: "", around: null };
/** @type {string} what the debug panel tells of the connection */ let said = "connecting";
let isKnown = false;
let isTitled = false;
let isFollowing = options.player !== "";
let staleTimer = 0;
let retryTimer = 0;

const live = new LiveBoard({
  board,
  ticket,
  top: options.rows,
  ...(options.player ? { around: 1, player: options.player, onAround: hearAround } : {}),
  onChange: hear,
  onState: follow,
});

/** @param {{rows: readonly Row[], season: string}} now */
function hear(now) {
  isKnown = true;
  heard.rows = now.rows.slice(0, options.rows);
  heard.season = now.season;
  pass();
}

/** @param {Around} around */
function hearAround(around) {
  heard.around = around;
  if (isKnown) pass();
}

function pass() {
  line.push({ rows: heard.rows, pinned: pinnedRow(), stale: heard.stale });
  tell();
}

/** The player's row, if it is not among those that are shown. @returns {Row | null} */
function pinnedRow() {
  const { around, rows, season } = heard;
  if (!around || around.season !== season || around.rank === null) return null;
  if (around.rank <= options.rows || rows.some((row) => row.player === around.player)) return null;
  return around.entries.find((row) => row.player === around.player) ?? null;
}

/** @param {View} view */
function show({ rows, pinned: own, stale }) {
  page.overlay.hidden = rows.length === 0;
  page.overlay.toggleAttribute("data-stale", stale);
  page.standings.toggleAttribute("data-apart", own !== null);
  const lines = own ? [...rows, own] : rows;
  fit(lines);
  standings.show(lines);
}

/** Long scores make a wider board, not shorter names. @param {readonly Row[]} rows */
function fit(rows) {
  const chars = String(Math.max(7, ...rows.map((row) => formatNumber(row.score).length)));
  if (page.root.style.getPropertyValue("--chars") !== chars) page.root.style.setProperty("--chars", chars);
}

/** @param {State} state */
function follow(state) {
  said = state.kind === "refused" ? `refused (${state.code})` : state.kind;
  clearTimeout(retryTimer);
  if (state.kind === "live") {
    clearTimeout(staleTimer);
    staleTimer = 0;
    if (heard.stale) age(false);
    entitle();
  } else staleTimer ||= setTimeout(() => age(true), STALE_MS);
  if (state.kind === "refused") retryTimer = setTimeout(again, state.code === BAD_MESSAGE ? withoutPlayer() : REFUSED_MS * (1 + Math.random()));
  tell();
}

/** @param {boolean} stale */
function age(stale) {
  heard.stale = stale;
  if (isKnown) pass();
}

/** The board is more than its follower. @returns {number} how long to wait */
function withoutPlayer() {
  if (!isFollowing) return REFUSED_MS;
  isFollowing = false;
  live.follow({});
  return 1_000;
}

function again() {
  live.stop();
  live.start();
}

/** The title is asked for once there is something to put it over; without it the overlay does as well. */
async function entitle() {
  if (!options.title || isTitled) return;
  isTitled = true;
  try {
    const definition = await new Client({ ticket }).board(board);
    page.title.textContent = definition.title;
    page.title.hidden = false;
  } catch {
    isTitled = false; // with the next connection
  }
}

/** For who sets the overlay up, never for a stream. */
function tell() {
  if (!options.debug) return;
  const lines = [
    ...faults,
    `Connection: ${said}${said.startsWith("refused") ? ". There is no such board, or the ticket does not open it." : ""}`,
    `Delay: ${options.delay} s, ${line.length} states wait`,
    `Ticket: ${ticket ? "given" : "none"}`,
  ];
  page.debug.hidden = false;
  page.debug.textContent = lines.join("\n");
}

function dress() {
  page.root.dataset.theme = options.theme;
  page.root.dataset.position = options.position;
  const { style } = page.root;
  style.setProperty("--scale", String(options.scale));
  style.setProperty("--lines", String(options.rows + (options.player ? 1.2 : 0) + (options.title ? 1.1 : 0)));
  if (options.theme !== "custom") return;
  for (const name of /** @type {const} */ (["accent", "ink", "paper"])) style.setProperty(`--${name}`, options[name]);
  style.setProperty("--light", `${options.accent.slice(0, 7)}59`); // numbers in the accent stay to be read in its light
  page.root.dataset.ink = isLight(options.ink) ? "light" : "dark";
}

addEventListener("online", () => live.nudge());
addEventListener("hashchange", () => location.reload()); // another ticket is another board's visitor
dress();
tell();
live.start();
