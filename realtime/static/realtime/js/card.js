// @ts-check
/** One board in the lobby: its first three, its pulse, and how long its season lasts. */
import { applyDelta } from "../../clients/rows.js";
import { formatNumber } from "./row.js";
import { Standings } from "./table.js";
import { timeLeft } from "./time-left.js";

/**
 * @typedef {import("../../clients/rows.js").Row} Row
 * @typedef {import("../../clients/feed.js").Snapshot} Snapshot
 * @typedef {import("../../clients/feed.js").DeltaFrame} DeltaFrame
 * @typedef {{watching: number, scores_per_minute: number | null}} Pulse
 */

const SHOWN = 3;
/** When a season ends, everybody who watches asks for the next one's end: not all in the same moment. */
const ASK_MS = [1_000, 6_000];

export class Card {
  #element;
  #template;
  /** @type {Standings | null} */ #standings = null;
  /** @type {readonly Row[]} */ #rows = [];
  /** @type {string | null} */ #season = null;
  #skewMs;
  #asking = 0;
  /** The last pulse, which sorting goes by. @type {Pulse} */ last = { watching: 0, scores_per_minute: null };
  /** On the clock of Date.now(); Infinity if it has no end. */ ends = Infinity;

  /**
   * @param {HTMLElement} element with the board in its data attributes
   * @param {HTMLTemplateElement} template what it is filled with when it is opened
   * @param {number} skewMs how far this machine's clock is ahead of the server's
   */
  constructor(element, template, skewMs) {
    this.#element = element;
    this.#skewMs = skewMs;
    this.#template = template;
    this.slug = element.dataset.board ?? "";
    this.title = element.dataset.title ?? "";
    this.text = fold(`${this.title} ${this.slug} ${element.dataset.of ?? ""}`);
    this.#end(element.dataset.ends ?? "");
  }

  /** It came into view: make what the standings stand in, once. */
  open() {
    if (this.#standings) return;
    this.#element.append(this.#template.content.cloneNode(true));
    const table = /** @type {HTMLTableElement} */ (this.#element.querySelector("table"));
    table.ariaLabel = `Top of ${this.title}`;
    this.#standings = new Standings(table);
    this.#hint();
    this.tick(Date.now());
  }

  end() {
    clearTimeout(this.#asking);
    this.#asking = 0;
  }

  /** @param {Snapshot | DeltaFrame} frame */
  show(frame) {
    this.#rows = frame.type === "snapshot" ? frame.entries : applyDelta(this.#rows, frame);
    this.#standings?.show(this.#rows.slice(0, SHOWN));
    this.#part("vacant").hidden = this.#rows.length > 0;
    /** @type {HTMLElement} */ (this.#element.querySelector("table")).hidden = !this.#rows.length;
    this.#write("players", formatNumber(frame.total));
    if (this.#season !== null && this.#season !== frame.season) this.#askSoon();
    this.#season = frame.season;
  }

  /** @param {Pulse} pulse */
  pulse(pulse) {
    this.last = pulse;
    this.#write("watching", formatNumber(pulse.watching));
    this.#write("pace", pulse.scores_per_minute === null ? "–" : formatNumber(pulse.scores_per_minute));
    this.#element.toggleAttribute("data-moving", (pulse.scores_per_minute ?? 0) > 0);
  }

  /** @param {number} now on the clock of Date.now() */
  tick(now) {
    if (!this.#standings) return;
    this.#part("season").hidden = this.ends === Infinity;
    if (this.ends === Infinity) return;
    this.#write("ends", this.ends > now ? timeLeft(this.ends - now) : "now");
    if (this.ends <= now) this.#askSoon();
  }

  /** @param {string} moment RFC 3339, or nothing */
  #end(moment) {
    this.ends = moment ? Date.parse(moment) + this.#skewMs : Infinity;
  }

  /** Until there is another end. */
  #askSoon() {
    const [least, most] = ASK_MS;
    this.#asking ||= setTimeout(() => this.#ask(), least + Math.random() * (most - least));
  }

  async #ask() {
    this.#asking = 0;
    const answer = await fetch(`/api/v1/leaderboard/${encodeURIComponent(this.slug)}/`).catch(() => null);
    if (!answer?.ok) return;
    this.#end((await answer.json()).season_ends ?? "");
    this.tick(Date.now());
  }

  #hint() {
    const hint = this.#part("hint");
    const mode = this.#element.dataset.mode;
    const score = { player: "ada", score: 1200, ...(mode ? { game_mode: mode } : {}), leaderboards: [this.slug] };
    const lines = [
      `curl ${hint.dataset.url}`,
      '-H "Authorization: Api-Key $API_KEY"',
      '-H "Content-Type: application/json"',
      `-d '${JSON.stringify(score)}'`,
    ];
    hint.textContent = lines.join(" \\\n  ");
  }

  /** @param {string} name */
  #part(name) {
    return /** @type {HTMLElement} */ (this.#element.querySelector(`[data-part="${name}"]`));
  }

  /** @param {string} name @param {string} text */
  #write(name, text) {
    const target = this.#part(name);
    if (target.textContent !== text) target.textContent = text;
  }
}

/** As it is compared when something is looked for: no case, no accents. @param {string} text */
export function fold(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase();
}
