// @ts-check
/** The live page: what arrives from the connection goes to the parts, and what the viewer picks goes back. */
import { eventsBetween } from "../../clients/events.js";
import { Feed } from "../../clients/feed.js";
import { applyDelta, roundUp } from "../../clients/rows.js";
import { Announcer } from "./announcer.js";
import { Beyond } from "./beyond.js";
import { RowExtras } from "./extras.js";
import { ticketOfFragment } from "./fragment.js";
import { listenForKeys } from "./keys.js";
import { Me, aroundFor } from "./me.js";
import { News } from "./news.js";
import { part, write } from "./parts.js";
import { PulseView } from "./pulse.js";
import { Race } from "./race.js";
import { reader } from "./rest.js";
import { formatNumber } from "./row.js";
import { Season } from "./season.js";
import { keepAwake, setTheStage, showView, toggleFullScreen } from "./stage.js";
import { Stars } from "./stars.js";
import { Status } from "./status.js";
import { Standings } from "./table.js";
import { Toasts } from "./toasts.js";
import { clockTime, seasonLabel } from "./words.js";

/**
 * @typedef {import("../../clients/rows.js").Row} Row
 * @typedef {import("../../clients/feed.js").State} State
 * @typedef {import("../../clients/feed.js").Snapshot} Snapshot
 * @typedef {import("../../clients/feed.js").DeltaFrame} DeltaFrame
 */

const root = document.documentElement;
const table = /** @type {HTMLTableElement} */ (part("standings"));
const tops = part("tops");
const updated = /** @type {HTMLTimeElement} */ (part("updated"));

const board = part("board").dataset.board ?? "";
const ticket = ticketOfFragment();
const read = reader(board, ticket);
/** @type {readonly Row[]} */
let rows = [];
let shownTop = 0;
let top = roundUp(Number(new URLSearchParams(location.search).get("top")) || Number(part("board").dataset.top));

const status = new Status();
const standings = new Standings(table, { Extras: RowExtras });
const beyond = new Beyond(table, read);
const announcer = new Announcer(part("spoken"));
const news = new News(part("news-list"), part("news-empty"));
const pulse = new PulseView();
const season = new Season(read);
const race = new Race(read);
const stars = new Stars(table, (player) => me.follow(player === me.player ? null : player));
const me = new Me({ board, toasts: new Toasts(part("toasts")), announcer, resolve: playerCalled, onChange: follow });

const connection = new Feed({
  board,
  top,
  ticket,
  pulse: true,
  onFrame: receive,
  onState: showState,
  onPulse: showPulse,
  onAround: (around) => me.around(around),
  onOvertake: (overtake) => me.overtaken(overtake),
});

/** @param {Snapshot | DeltaFrame} frame */
function receive(frame) {
  const before = rows;
  rows = frame.type === "snapshot" ? frame.entries : applyDelta(rows, frame);
  const comparable = shownTop === top;
  shownTop = top;
  if (season.saw(frame.season)) beginSeason(frame.season);
  else if (comparable) tellNews(before);
  standings.show(rows);
  beyond.follow(rows, frame.total);
  race.follow(rows);
  showFacts(frame);
}

/** @param {string} label */
function beginSeason(label) {
  news.begin(seasonLabel(label));
  beyond.forget();
  race.load();
}

/** @param {readonly Row[]} before */
function tellNews(before) {
  const events = eventsBetween(before, rows);
  news.tell(events);
  const leader = events.find(({ kind }) => kind === "lead");
  if (leader) announcer.say("lead", () => leads(before[0]?.player));
}

/** Who leads when it is time to speak. @param {string | undefined} before who led when there was something to say */
function leads(before) {
  if (!rows.length || rows[0].player === before) return null;
  return `${rows[0].name || rows[0].player} leads with ${formatNumber(rows[0].score)}`;
}

/** @param {Snapshot | DeltaFrame} frame */
function showFacts(frame) {
  const now = new Date();
  write(part("total"), formatNumber(frame.total));
  write(part("players"), frame.total === 1 ? "player" : "players");
  write(updated, clockTime(now));
  updated.dateTime = now.toISOString();
  write(part("caption"), rows.length < frame.total ? `Top ${formatNumber(rows.length)} live, the other ranks as they are scrolled to` : "All players");
  part("waiting").hidden = true;
  part("empty").hidden = rows.length > 0;
  table.hidden = rows.length === 0;
  requestAnimationFrame(() => stars.settle());
}

/** @param {State} state */
function showState(state) {
  status.show(state);
  if (state.kind === "waiting" || state.kind === "refused") pulse.forget();
}

/** @param {import("./pulse.js").Pulse} told */
function showPulse(told) {
  pulse.show(told);
  if (told.scores_per_minute) beyond.moved();
}

/** Of many boards this one is seen in their row. */
function showThisBoard() {
  const strip = part("boards");
  const here = /** @type {HTMLElement | null} */ (strip.querySelector("[aria-current]"));
  if (here) strip.scrollLeft += here.getBoundingClientRect().left - strip.getBoundingClientRect().left - (strip.clientWidth - here.offsetWidth) / 2;
}

/** @param {string | null} player */
function follow(player) {
  standings.mark(player);
  beyond.mark(player);
  connection.follow(player === null ? {} : { around: aroundFor(innerHeight), player });
}

/** @param {string} asked */
function playerCalled(asked) {
  if (rows.some(({ player }) => player === asked)) return asked;
  const named = rows.find(({ name }) => name?.toLocaleLowerCase() === asked.toLocaleLowerCase());
  return named?.player ?? asked;
}

/** To the followed player's row, wherever on the board it is. */
function jumpToMe() {
  if (me.rank === null) return;
  showView("board");
  const place = beyond.place(me.rank);
  if (place !== null) return scrollTo({ top: place - innerHeight / 2 });
  table.querySelector("[data-rows] [aria-current]")?.scrollIntoView({ block: "center" });
}

function followTop() {
  root.dataset.top = String(top);
  for (const input of tops.querySelectorAll("input")) input.checked = Number(input.value) === top;
}

/** @param {number} size */
function pickTop(size) {
  top = size;
  const address = new URL(location.href);
  address.searchParams.set("top", String(top));
  history.replaceState(null, "", address);
  followTop();
  connection.watch(top);
}

/** @param {number} step */
function toBoard(step) {
  const links = [...part("boards").querySelectorAll("a")];
  const here = links.findIndex((link) => link.hasAttribute("aria-current"));
  links[here + step]?.click();
}

function findMe() {
  showView("me");
  if (me.player === null) part("find-player").focus();
  else part("unfollow").focus();
}

tops.addEventListener("change", (event) => pickTop(Number(/** @type {HTMLInputElement} */ (event.target).value)));
part("my-jump").addEventListener("click", jumpToMe);
part("to-top").addEventListener("click", () => scrollTo({ top: 0 }));
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
listenForKeys({
  f: toggleFullScreen,
  "/": findMe,
  m: jumpToMe,
  t: () => scrollTo({ top: 0 }),
  "[": () => toBoard(-1),
  "]": () => toBoard(1),
  1: () => pickTop(3),
  2: () => pickTop(10),
  3: () => pickTop(25),
  4: () => pickTop(50),
  5: () => pickTop(100),
});
setTheStage();

followTop();
showThisBoard();
me.recall();
connection.start();
race.load();
