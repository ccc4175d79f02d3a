// @ts-check
/**
 * `<gaming-leaderboard board="friday-cup" top="10">`: a live board for any site, by one script (`/embed.js`).
 *
 * It watches public boards without a credential; `ticket` opens a private one. Its looks are the host page's to choose, by the custom
 * properties listed in STYLE and by ::part(); nothing leaks in or out otherwise. No inline style or script: it works under a strict CSP that
 * allows this origin in script-src and connect-src.
 */
import { LiveBoard } from "../../clients/live.js";
import { formatNumber } from "./row.js";
import { Standings } from "./table.js";

/** Where this script is from: the service that it asks. */
const HOME = new URL(import.meta.url).origin;

const STATES = new Map([
  ["connecting", "Connecting"],
  ["live", "Live"],
  ["paused", "Waiting for the live feed"],
  ["waiting", "Reconnecting"],
  ["refused", "This leaderboard can't be shown"],
]);

const STYLE = `
:host {
  --board-ink: var(--leaderboard-color, CanvasText);
  --board-paper: var(--leaderboard-background, Canvas);
  --board-quiet: var(--leaderboard-muted, color-mix(in srgb, var(--board-ink) 65%, var(--board-paper)));
  --board-line: var(--leaderboard-line, color-mix(in srgb, var(--board-ink) 14%, var(--board-paper)));
  --board-accent: var(--leaderboard-accent, #d3184a);
  --board-up: var(--leaderboard-up, light-dark(#00706f, #37e6d4));
  --board-down: var(--leaderboard-down, light-dark(#b3123c, #ff7d9c));
  display: block;
  color: var(--board-ink);
  background: var(--board-paper);
  border: 1px solid var(--board-line);
  border-radius: var(--leaderboard-radius, 0.6rem);
  font-family: var(--leaderboard-font, inherit);
  line-height: 1.25;
  overflow: hidden;
}
:host([hidden]), [hidden] { display: none !important; }
*, *::before, *::after { box-sizing: border-box; }
header { display: flex; gap: 0.75rem; align-items: baseline; justify-content: space-between; padding: 0.75rem 1rem; }
h2 { margin: 0; font-size: 1.1em; overflow-wrap: anywhere; }
p { margin: 0; color: var(--board-quiet); font-size: 0.85em; white-space: nowrap; }
p.empty { padding: 0 1rem 1rem; white-space: normal; }
.lamp { display: inline-block; inline-size: 0.55em; block-size: 0.55em; margin-inline-end: 0.4em; border-radius: 50%; background: var(--board-quiet); }
[data-state="live"] .lamp { background: var(--board-up); }
table { display: block; position: relative; inline-size: 100%; }
thead { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); }
tbody { display: block; }
tbody.leaving { position: absolute; inset: 0 0 auto; pointer-events: none; }
.leaving tr { position: absolute; inset: 0 0 auto; }
tr.row {
  position: relative;
  display: grid;
  grid-template-columns: 4.6em minmax(0, 1fr) auto;
  column-gap: 0.5em;
  align-items: center;
  block-size: var(--leaderboard-row-height, 2.6em);
  padding-inline: 1rem;
  border-block-start: 1px solid var(--board-line);
  background: linear-gradient(to right, color-mix(in srgb, var(--board-accent) 9%, transparent) calc(var(--share-part, 0) * 100%), transparent 0) var(--board-paper);
}
:host(:dir(rtl)) tr.row { background: linear-gradient(to left, color-mix(in srgb, var(--board-accent) 9%, transparent) calc(var(--share-part, 0) * 100%), transparent 0) var(--board-paper); }
tr.row::after { content: ""; position: absolute; inset: 0; background: color-mix(in srgb, var(--board-accent) 22%, transparent); opacity: 0; pointer-events: none; }
td, th { padding: 0; font-weight: inherit; text-align: start; }
.plays, .subscore { display: none; }
.rank, .score { font-variant-numeric: tabular-nums; }
.rank { display: flex; gap: 0.4em; align-items: baseline; }
.plate, .score { font-weight: 700; }
.score { font-size: calc(1em * min(1, 12 / var(--own-ch))); }
.movement { font-size: 0.75em; }
.movement[data-way="up"] { color: var(--board-up); }
.movement[data-way="down"] { color: var(--board-down); }
.name { display: inline-block; max-inline-size: 100%; vertical-align: bottom; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
`;

const MARKUP = `
<section part="board" data-state="connecting">
  <header part="header">
    <h2 part="heading"><slot></slot></h2>
    <p part="status"><span class="lamp" aria-hidden="true"></span><span role="status"></span> <span part="total"></span></p>
  </header>
  <p class="empty" part="empty" hidden>No scores yet</p>
  <table part="standings" role="table" hidden>
    <thead role="rowgroup"><tr role="row">
      <th role="columnheader" scope="col">Rank</th><th role="columnheader" scope="col">Player</th>
      <th role="columnheader" scope="col">Score</th>
    </tr></thead>
    <tbody role="rowgroup" data-rows></tbody>
    <tbody class="leaving" data-leaving aria-hidden="true"></tbody>
  </table>
</section>`;

const sheet = new CSSStyleSheet();
sheet.replaceSync(STYLE);
const template = document.createElement("template");
template.innerHTML = MARKUP;

export class GamingLeaderboard extends HTMLElement {
  static observedAttributes = ["board", "top", "src", "ticket"];
  /** @type {LiveBoard | null} */ #live = null;
  #shadow = this.attachShadow({ mode: "open" });
  #due = 0;

  constructor() {
    super();
    this.#shadow.adoptedStyleSheets = [sheet];
  }

  connectedCallback() {
    addEventListener("online", this.#nudge);
    document.addEventListener("visibilitychange", this.#nudge);
    clearTimeout(this.#due); // an element that was there before this script is told its attributes first
    this.#due = 0;
    this.#begin();
  }

  disconnectedCallback() {
    removeEventListener("online", this.#nudge);
    document.removeEventListener("visibilitychange", this.#nudge);
    this.#end();
  }

  /** Several attributes that change together make one new board. */
  attributeChangedCallback() {
    if (!this.isConnected || this.#due) return;
    this.#due = setTimeout(() => {
      this.#due = 0;
      if (this.isConnected) this.#begin();
    });
  }

  #nudge = () => {
    if (!document.hidden) this.#live?.nudge();
  };

  #begin() {
    this.#end();
    this.#shadow.replaceChildren(template.content.cloneNode(true));
    const slot = /** @type {HTMLSlotElement} */ (this.#shadow.querySelector("slot"));
    const showHeading = () => (this.#part("heading").hidden = !this.textContent?.trim()); // an empty one is read aloud
    slot.onslotchange = showHeading;
    showHeading();
    const board = this.getAttribute("board");
    if (!board) return this.#state("refused");
    const standings = new Standings(/** @type {HTMLTableElement} */ (this.#part("standings")));
    this.#part("standings").setAttribute("aria-label", board);
    this.#state("connecting");
    this.#live = new LiveBoard({
      url: this.getAttribute("src") ?? HOME,
      ticket: this.getAttribute("ticket") ?? undefined,
      board,
      top: Number(this.getAttribute("top")) || 10,
      onChange: ({ rows, total }) => this.#show(standings, rows, total),
      onState: ({ kind }) => this.#state(kind),
    }).start();
  }

  #end() {
    this.#live?.stop();
    this.#live = null;
  }

  /** @param {Standings} standings @param {readonly import("../../clients/rows.js").Row[]} rows @param {number} total */
  #show(standings, rows, total) {
    const wanted = Math.min(Number(this.getAttribute("top")) || 10, rows.length);
    standings.show(rows.slice(0, wanted)); // the watched size may be the next larger
    this.#part("standings").hidden = !rows.length;
    this.#part("empty").hidden = rows.length > 0;
    this.#part("total").textContent = `· ${formatNumber(total)} ${total === 1 ? "player" : "players"}`;
    this.dispatchEvent(new CustomEvent("leaderboard-change", { detail: { rows, total } }));
  }

  /** @param {string} kind */
  #state(kind) {
    this.#part("board").dataset.state = kind;
    const status = /** @type {HTMLElement} */ (this.#shadow.querySelector("[role=status]"));
    const word = STATES.get(kind) ?? "";
    if (status.textContent !== word) status.textContent = word;
  }

  /** @param {string} name */
  #part(name) {
    return /** @type {HTMLElement} */ (this.#shadow.querySelector(`[part="${name}"]`));
  }
}

if (!customElements.get("gaming-leaderboard")) customElements.define("gaming-leaderboard", GamingLeaderboard);
