// @ts-check
/**
 * The lobby: cards that are live while they are in view, over one socket. The order changes only when the viewer asks.
 */
import { Boards } from "../../clients/boards.js";
import { Card } from "./card.js";
import { Findable, ORDERS } from "./order.js";
import { InView } from "./in-view.js";

/** @typedef {import("../../clients/types.js").State} State */

/** The server's bound on what one socket watches. */
const WATCHED = 32;
const SECOND_MS = 1_000;
/** Why a card is taken out. */
const GONE = new Set(["leaderboard_not_found", "not_authenticated", "forbidden"]);

/** @param {string} name what the element does, its data-part */
const part = (name) => /** @type {HTMLElement | null} */ (document.querySelector(`[data-part="${name}"]`));

const stage = /** @type {HTMLTemplateElement} */ (part("stage"));
const elements = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".card"));
const skewMs = Date.now() - Date.parse(document.body.dataset.now ?? "");
const cards = new Map([...elements].map((element) => [element, new Card(element, stage, skewMs)]));

const boards = new Boards({ onState: showState });
/** How to let go of what is watched. @type {Map<HTMLElement, () => void>} */
const watched = new Map();
const inView = new InView(WATCHED, watch, letGo);

/** @param {HTMLElement} element */
function watch(element) {
  const card = /** @type {Card} */ (cards.get(element));
  card.open();
  const stop = boards.watch(card.slug, {
    top: 3,
    pulse: true,
    onFrame: (frame) => card.show(frame),
    onPulse: (pulse) => card.pulse(pulse),
    onRefused: (refusal) => refused(element, refusal.code),
  });
  watched.set(element, stop);
}

/** @param {HTMLElement} element */
function letGo(element) {
  watched.get(element)?.();
  watched.delete(element);
}

/**
 * A board that is no longer everybody's is no longer here; what else is refused leaves its card as it stands.
 * @param {HTMLElement} element
 * @param {string} code
 */
function refused(element, code) {
  if (!GONE.has(code)) return;
  inView.forget(element);
  watched.delete(element);
  cards.get(element)?.end();
  cards.delete(element);
  element.remove();
  findable?.forget();
}

/** @param {State} state */
function showState(state) {
  document.documentElement.dataset.state = state.kind;
  const words = { connecting: "Connecting", live: "Live", paused: "Paused", refused: "Closed" };
  const word = state.kind === "waiting" ? (state.offline ? "Offline, trying again" : "Reconnecting") : words[state.kind];
  const status = part("status");
  if (status && status.textContent !== word) status.textContent = word;
}

// --- Finding and sorting ---------------------------------------------------------------------------------------------

const controls = part("controls");
const search = /** @type {HTMLInputElement | null} */ (part("search"));
const orders = part("orders");
const findable = controls && new Findable(cards);

function find() {
  const text = search?.value ?? "";
  const count = findable?.filter(text) ?? cards.size;
  const found = part("found");
  const nothing = part("nothing");
  if (nothing) nothing.hidden = count > 0;
  if (found) found.textContent = text.trim() ? `${count} of ${cards.size}` : "";
  const address = new URL(location.href);
  if (text.trim()) address.searchParams.set("q", text);
  else address.searchParams.delete("q");
  if (address.href !== location.href) history.replaceState(history.state, "", address);
}

/** @param {Event} event */
function sort(event) {
  const button = /** @type {HTMLElement} */ (event.target).closest("button");
  const order = button?.dataset.order;
  if (!order || !orders) return;
  for (const other of orders.querySelectorAll("button")) other.ariaPressed = String(other === button);
  findable?.sort(ORDERS[order]);
}

/** @param {KeyboardEvent} event */
function shortcut(event) {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement) return;
  event.preventDefault();
  search?.focus();
}

if (controls) controls.hidden = false;
orders?.addEventListener("click", sort);
if (search) {
  search.value = new URLSearchParams(location.search).get("q") ?? search.value;
  search.addEventListener("input", find);
  document.addEventListener("keydown", shortcut);
  find();
}

// --- The page's life -------------------------------------------------------------------------------------------------

let clock = 0;

function begin() {
  boards.start();
  clock ||= setInterval(() => {
    if (!document.hidden) for (const element of watched.keys()) cards.get(element)?.tick(Date.now());
  }, SECOND_MS);
}

function end() {
  boards.stop();
  clearInterval(clock);
  clock = 0;
}

addEventListener("online", () => boards.nudge());
addEventListener("offline", () => boards.nudge());
document.addEventListener("visibilitychange", () => document.hidden || boards.nudge());
// A page in the back/forward cache holds no socket.
addEventListener("pagehide", end);
addEventListener("pageshow", (event) => event.persisted && begin());

const lamp = part("lamp");
if (lamp) lamp.hidden = false;
for (const element of cards.keys()) inView.add(element);
begin();
