// @ts-check
/**
 * The race of a board's best as lines over time: what was read once (`load`), and what frames bring (`follow`).
 *
 * Nothing runs while nothing changes: a change asks for one animation frame, and frames follow as long as something moves. Hidden pages get
 * none. A line is known by its colour, its dashes, its marker and its label, which never cover each other.
 */
import { add, forget, placeAt, thinned } from "./race-lines.js";
import { edges, scoreTicks, spread, timeTicks } from "./race-scale.js";

/**
 * @typedef {import("../../clients/rows.js").Row} Row
 * @typedef {import("./race-lines.js").Point} Point
 * @typedef {{player: string, name: string, rank: number, points: [string, number][]}} Told
 * @typedef {{season: string, since: string, until: string, players: Told[]}} RaceAnswer as the REST interface gives it
 */

const SLOTS = 10;
const AWAY_MAX = 20; // players that left the top, remembered in case they come back
const SPAN_MS = 3_600_000; // shown if nothing says otherwise
const SPAN_LEAST_MS = 60_000;
const SKEW_MS = 15_000; // a viewer's clock that is off by less is taken as right
const EASE_MS = 110;
const TABLE_MS = 5_000;
const LABEL_LEAST = 13; // px: below it the last ones have no label
const SVG = "http://www.w3.org/2000/svg";

/** One for each slot, around (0, 0). */
const MARKERS = [
  "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
  "M-4-4h8v8h-8z",
  "M0-5.4 5.2 4h-10.4z",
  "M0-5.8 5.8 0 0 5.8-5.8 0z",
  "M0 5.4-5.2-4h10.4z",
  "M-1.7-5.2h3.4v3.5h3.5v3.4h-3.5v3.5h-3.4v-3.5h-3.5v-3.4h3.5z",
  "M-5-2.9 0-5.8 5-2.9v5.8l-5 2.9-5-2.9z",
  "M0-6 1.6-1.9 6-1.8 2.6.9 3.7 5.1 0 2.7-3.7 5.1-2.6.9-6-1.8-1.6-1.9z",
  "M-5.4-2.4h10.8v4.8h-10.8z",
  "M-2.4-5.4h4.8v10.8h-4.8z",
];

const reduced = matchMedia("(prefers-reduced-motion: reduce)");
const whole = new Intl.NumberFormat();
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 2 });
const minutes = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const seconds = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit", second: "2-digit" });

/** A player on the chart. What it shows is on its way to what it holds. */
class Runner {
  /** @type {Point[]} */ points = [];
  rank = 0;
  name = "";
  shown = NaN; // the score at the line's end
  labelAt = NaN; // px, the label's centre
  labelTo = 0;
  drawn = ""; // the path's steps but for the last, made for the chart's `#drawing`
  drawing = -1;

  /** @param {string} player @param {number} slot */
  constructor(player, slot) {
    this.player = player;
    this.slot = slot;
    this.group = shape("g", `race-line race-slot-${slot + 1}`);
    this.line = this.group.appendChild(shape("path", "race-path"));
    this.link = this.group.appendChild(shape("path", "race-link"));
    this.head = this.group.appendChild(shape("path", "race-head"));
    this.head.setAttribute("d", MARKERS[slot]);
    this.item = element("li", `race-item race-slot-${slot + 1}`);
    this.label = this.item.appendChild(element("button", "race-label"));
    this.label.type = "button";
    this.label.tabIndex = -1;
    this.label.dataset.player = player;
    this.label.setAttribute("aria-pressed", "false");
    const sign = this.label.appendChild(shape("svg", "race-sign"));
    sign.setAttribute("viewBox", "-7 -7 14 14");
    sign.setAttribute("aria-hidden", "true");
    sign.appendChild(shape("path", "race-head")).setAttribute("d", MARKERS[slot]);
    this.nameShown = this.label.appendChild(element("span", "race-name")).appendChild(element("bdi", ""));
    this.scoreShown = this.label.appendChild(element("span", "race-score"));
  }

  get score() {
    return this.points[this.points.length - 1]?.[1] ?? 0;
  }

  remove() {
    this.group.remove();
    this.item.remove();
  }
}

export class RaceChart {
  #host;
  #root = element("div", "race-plot");
  #svg = shape("svg", "race-svg");
  #grid = shape("g", "race-grid");
  #lines = shape("g", "race-lines");
  #cursor = shape("g", "race-cursor");
  #labels = element("ol", "race-labels");
  #readout = element("p", "race-readout");
  #empty = element("p", "race-empty");
  #table = element("table", "unseen");
  #resized = new ResizeObserver(([entry]) => this.#resize(entry.contentRect.width, entry.contentRect.height));

  /** Who is on the chart, the first first. @type {Runner[]} */ #runners = [];
  /** The points of who left. @type {Map<string, Point[]>} */ #away = new Map();
  #top = SLOTS;
  #isAscending = false;
  #season = "";
  #isRightToLeft = false;

  #width = 0;
  #height = 0;
  /** What of the width is the lines', in px from the left, and the height. */
  #plot = { left: 0, right: 0, top: 6, bottom: 0 };
  #labelSize = 0;
  #start = NaN; // what is held: from when, to when (ms), and how long at most
  #end = NaN;
  #from = NaN; // from when something is shown: later where nobody had a score
  #spanMs = SPAN_MS;
  #skewMs = 0; // the viewer's clock ahead of the server's
  #clockAt = 0; // performance.now() when #end was said
  #ticks = [0, 1];
  #edges = [0, 1]; // scores at the edges,
  #low = NaN; // which these are on their way to
  #high = NaN;
  #drawing = 0; // counts what all lines are drawn for: the scales

  /** Whose label gets the focus: the tab key stops at the list, since labels are smaller than what a finger hits. @type {Runner | undefined} */
  #stop;

  #frame = 0;
  #framedAt = 0;
  #isStale = true; // the scales
  #slideTimer = 0;
  #tableTimer = 0;
  #tabledAt = -Infinity;
  /** The line that stands out, and the moment it is asked for. @type {{player: string, at: number | null, isPinned: boolean} | null} */ #chosen = null;

  /** @param {HTMLElement} host where to draw; it gives the size */
  constructor(host) {
    this.#host = host;
    this.#host.classList.add("race-host");
    this.#svg.setAttribute("aria-hidden", "true");
    this.#cursor.append(shape("path", "race-hair"), shape("circle", "race-dot"));
    this.#cursor.lastElementChild?.setAttribute("r", "4.5");
    this.#svg.append(this.#grid, this.#lines, this.#cursor);
    this.#labels.setAttribute("aria-label", "Lines. Up and down choose one, left and right go along it.");
    this.#readout.hidden = true;
    this.#empty.textContent = "The race begins with the first score.";
    this.#root.append(this.#svg, this.#labels, this.#readout, this.#empty);
    this.#host.append(this.#root, this.#table);
    this.#listen();
    this.#isRightToLeft = getComputedStyle(this.#host).direction === "rtl";
    this.#resized.observe(this.#root);
  }

  /** How many points are held, for who watches over memory. */
  get size() {
    return [...this.#runners.map(({ points }) => points), ...this.#away.values()].reduce((sum, points) => sum + points.length, 0);
  }

  /**
   * Take the past from REST. What was followed since stays; another season's is gone.
   * @param {RaceAnswer} race
   */
  load(race) {
    if (this.#season && this.#season !== race.season) this.#clear();
    this.#season = race.season;
    const [since, until] = [Date.parse(race.since), Date.parse(race.until)];
    const skew = Date.now() - until;
    this.#skewMs = Math.abs(skew) > SKEW_MS ? skew : 0;
    const isSeasonsBeginning = Date.parse(race.season) === since;
    this.#spanMs = Math.max(SPAN_LEAST_MS, isSeasonsBeginning ? SPAN_MS : 0, until - since);
    this.#start = since;
    this.#reach(Math.max(until, Number.isNaN(this.#end) ? until : this.#end));
    this.#away.clear();
    race.players.slice(0, this.#top).forEach((runner) => this.#remember(runner, until));
    this.#rank(this.#runners.sort((one, other) => one.rank - other.rank));
    this.#change();
  }

  /**
   * Go on with a frame's rows, the best first.
   * @param {readonly Row[]} rows
   * @param {number} [at] when they were so, milliseconds
   */
  follow(rows, at = Date.now() - this.#skewMs) {
    this.#reach(at);
    const present = new Set(rows.slice(0, this.#top).map(({ player }) => player));
    for (const gone of this.#runners.filter(({ player }) => !present.has(player))) this.#leave(gone);
    for (const row of rows.slice(0, this.#top)) {
      const runner = this.#find(row.player);
      [runner.rank, runner.name] = [row.rank, row.name];
      if (add(runner.points, at, row.score)) runner.drawing = -1;
    }
    this.#rank(this.#runners.sort((one, other) => one.rank - other.rank));
    this.#change();
  }

  /** @param {number} top how many lines are shown, 10 at most */
  setTop(top) {
    this.#top = Math.max(1, Math.min(SLOTS, top));
    for (const gone of this.#runners.slice(this.#top)) this.#leave(gone);
    this.#change();
  }

  destroy() {
    this.#resized.disconnect();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#slideTimer);
    clearTimeout(this.#tableTimer);
    this.#frame = -1; // which is never asked for again
    document.removeEventListener("visibilitychange", this.#shown);
    reduced.removeEventListener("change", this.#shown);
    this.#root.remove();
    this.#table.remove();
    this.#host.classList.remove("race-host");
    this.#clear();
  }

  // --- Who runs ------------------------------------------------------------------------------------------------------

  /** @param {string} player */
  #find(player) {
    const known = this.#runners.find((each) => each.player === player);
    if (known) return known;
    const taken = new Set(this.#runners.map(({ slot }) => slot));
    const runner = new Runner(player, Array.from({ length: SLOTS }, (_, slot) => slot).find((slot) => !taken.has(slot)) ?? 0);
    runner.points = this.#away.get(player) ?? [];
    this.#away.delete(player);
    this.#runners.push(runner);
    this.#lines.append(runner.group);
    return runner;
  }

  /** @param {Told} told @param {number} until */
  #remember({ player, name, rank, points }, until) {
    const known = this.#runners.find((each) => each.player === player);
    if (!known && this.#runners.length >= this.#top) return;
    const found = known ?? this.#find(player);
    const since = found.points.filter(([at]) => at > until);
    /** @type {Point[]} */ const past = points.map(([at, score]) => [Date.parse(at), score]);
    found.points = [];
    for (const [at, score] of [...past, ...since]) add(found.points, at, score);
    found.drawing = -1;
    if (!known) [found.rank, found.name] = [rank, name];
  }

  /** @param {Runner} runner */
  #leave(runner) {
    this.#runners.splice(this.#runners.indexOf(runner), 1);
    runner.remove();
    this.#away.set(runner.player, thinned(runner.points, 64));
    if (this.#away.size > AWAY_MAX) this.#away.delete(/** @type {string} */ (this.#away.keys().next().value));
    if (this.#chosen?.player === runner.player) this.#choose(null);
  }

  /** @param {readonly Runner[]} runners the first first */
  #rank(runners) {
    const [first, last] = [runners[0], runners[runners.length - 1]];
    if (first && first.score !== last.score) this.#isAscending = first.score < last.score;
    // The leader's line on top of the others, its label before them.
    const isFocused = this.#labels.contains(document.activeElement);
    runners.forEach((runner, place) => {
      if (this.#labels.children[place] !== runner.item) keepFocus(() => this.#labels.insertBefore(runner.item, this.#labels.children[place] ?? null));
      runner.group.classList.toggle("is-leader", place === 0);
      runner.item.classList.toggle("is-leader", place === 0);
    });
    if (!runners.every((runner, place) => this.#lines.children[runners.length - 1 - place] === runner.group)) {
      this.#lines.replaceChildren(...[...runners].reverse().map(({ group }) => group));
    }
    if (!this.#labels.contains(document.activeElement)) this.#labels.tabIndex = 0;
    if (!isFocused) this.#stop = runners[0];
  }

  #clear() {
    for (const runner of this.#runners) runner.remove();
    this.#runners = [];
    this.#away.clear();
    this.#chosen = null;
    this.#start = this.#end = this.#from = this.#low = this.#high = NaN;
  }

  // --- When to draw --------------------------------------------------------------------------------------------------

  /** @param {number} at the end of time is no earlier */
  #reach(at) {
    if (Number.isNaN(this.#start)) this.#start = at - SPAN_LEAST_MS;
    if (at < this.#end) return;
    this.#end = at;
    this.#clockAt = performance.now();
    this.#start = Math.max(this.#start, at - this.#spanMs);
  }

  #change() {
    if (this.#frame < 0) return;
    this.#isStale = true;
    this.#ask();
    this.#tableTimer ||= window.setTimeout(() => this.#tell(), Math.max(0, this.#tabledAt + TABLE_MS - performance.now()));
  }

  #ask() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(this.#draw);
  }

  #shown = () => {
    if (document.hidden || this.#frame < 0) return;
    this.#slide();
    this.#change();
  };

  /** Time goes on by itself, a pixel at a time. */
  #slide = () => {
    clearTimeout(this.#slideTimer);
    this.#slideTimer = 0;
    if (document.hidden || Number.isNaN(this.#end) || !this.#runners.length || this.#frame < 0) return;
    const pixelMs = (this.#end - this.#from) / Math.max(1, this.#plot.right - this.#plot.left);
    const passed = performance.now() - this.#clockAt;
    if (passed >= Math.max(1_000, pixelMs)) {
      this.#reach(this.#end + passed);
      this.#isStale = true;
      this.#ask();
    }
    this.#slideTimer = window.setTimeout(this.#slide, Math.max(1_000, pixelMs));
  };

  /** @param {number} width @param {number} height */
  #resize(width, height) {
    if (width === this.#width && height === this.#height) return;
    [this.#width, this.#height] = [width, height];
    this.#isRightToLeft = getComputedStyle(this.#host).direction === "rtl";
    this.#low = this.#high = NaN; // no way from the old size to the new
    for (const runner of this.#runners) runner.labelAt = NaN;
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#change();
  }

  // --- Where things stand --------------------------------------------------------------------------------------------

  #measure() {
    const font = parseFloat(getComputedStyle(this.#root).fontSize) || 13;
    const labels = Math.min(font * 19, this.#width * (this.#width < font * 36 ? 0.42 : 0.36));
    const bottom = this.#height - font * 1.7;
    this.#root.classList.toggle("is-narrow", labels < font * 18);
    const longest = Math.max(...scoreTexts(this.#ticks).map(({ length }) => length));
    const ticks = Math.min(font * Math.max(3.4, 0.6 * longest + 0.5), this.#width * 0.3);
    this.#plot = this.#isRightToLeft
      ? { left: labels, right: this.#width - ticks, top: 8, bottom }
      : { left: ticks, right: this.#width - labels, top: 8, bottom };
    this.#root.style.setProperty("--race-labels", `${Math.round(labels - 22)}px`);
    this.#labelSize = Math.max(LABEL_LEAST, Math.min(font * 2, bottom / Math.max(1, this.#runners.length)));
    this.#root.style.setProperty("--race-label", `${this.#labelSize.toFixed(1)}px`);
  }

  #scale() {
    this.#isStale = false;
    let [low, high] = [Infinity, -Infinity];
    for (const { points } of this.#runners) {
      forget(points, this.#start);
      for (const [, score] of points) {
        if (score < low) low = score;
        if (score > high) high = score;
      }
    }
    if (low > high) [low, high] = [0, 1];
    const first = Math.min(...this.#runners.map(({ points }) => points[0]?.[0] ?? Infinity), this.#end - SPAN_LEAST_MS);
    this.#from = Math.max(this.#start, first);
    this.#ticks = scoreTicks(low, high, Math.max(2, Math.min(6, this.#height / 64)));
    this.#measure();
    this.#edges = edges(low, high, this.#ticks);
    if (Number.isNaN(this.#low)) [this.#low, this.#high] = this.#edges;
    for (const runner of this.#runners) if (Number.isNaN(runner.shown)) runner.shown = runner.score;
    this.#drawing += 1;
  }

  /** @param {number} at */
  #x(at) {
    const part = Math.min(1, Math.max(0, (at - this.#from) / Math.max(1, this.#end - this.#from)));
    const { left, right } = this.#plot;
    return this.#isRightToLeft ? right - part * (right - left) : left + part * (right - left);
  }

  /** @param {number} score */
  #y(score) {
    const part = (score - this.#low) / Math.max(1e-9, this.#high - this.#low);
    const { top, bottom } = this.#plot;
    return this.#isAscending ? top + part * (bottom - top) : bottom - part * (bottom - top);
  }

  #placeLabels() {
    const fitting = Math.max(1, Math.floor(this.#plot.bottom / this.#labelSize));
    const shown = this.#runners.slice(0, fitting);
    this.#runners.forEach((runner, place) => (runner.item.hidden = place >= fitting));
    const target = scaleOf(this.#edges, this.#isAscending, this.#plot);
    const centres = spread(shown.map(({ score }) => target(score)), this.#labelSize, Math.max(this.#plot.bottom + 4, shown.length * this.#labelSize));
    shown.forEach((runner, place) => (runner.labelTo = centres[place]));
  }

  // --- Drawing -------------------------------------------------------------------------------------------------------

  /** @param {number} now */
  #draw = (now) => {
    this.#frame = 0;
    if (!this.#width || !this.#height) return;
    const wasStale = this.#isStale;
    if (wasStale) this.#scale();
    this.#empty.hidden = this.#runners.length > 0;
    this.#svg.toggleAttribute("hidden", !this.#runners.length);
    if (!this.#runners.length) return void this.#grid.replaceChildren();
    if (wasStale) this.#placeLabels();
    const part = reduced.matches ? 1 : 1 - Math.exp(-Math.min(64, now - this.#framedAt || 16) / EASE_MS);
    this.#framedAt = now;
    const isMoving = this.#move(part);
    this.#drawGrid();
    for (const runner of this.#runners) this.#drawLine(runner);
    this.#drawCursor();
    if (isMoving) this.#ask();
    else this.#framedAt = 0;
    if (wasStale && !this.#slideTimer) this.#slide();
  };

  /**
   * A part of the way for all that is on its way.
   * @param {number} part
   */
  #move(part) {
    const [low, high] = this.#edges;
    const pixel = (high - low) / Math.max(1, this.#plot.bottom - this.#plot.top);
    let isMoving = false;
    const step = (/** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ near) => {
      if (Number.isNaN(from) || Math.abs(to - from) <= near * 0.4 || part === 1) return to;
      isMoving = true;
      return from + (to - from) * part;
    };
    const before = [this.#low, this.#high];
    [this.#low, this.#high] = [step(this.#low, low, pixel), step(this.#high, high, pixel)];
    if (before[0] !== this.#low || before[1] !== this.#high) this.#drawing += 1;
    for (const runner of this.#runners) {
      runner.shown = step(runner.shown, runner.score, pixel);
      runner.labelAt = step(runner.labelAt, runner.labelTo, 1);
      runner.item.style.zIndex = String(SLOTS - runner.rank); // of two that pass each other the better one is read
    }
    return isMoving;
  }

  #drawGrid() {
    const { left, right, top, bottom } = this.#plot;
    const places = this.#ticks.map((tick) => ({ tick, y: this.#y(tick) })).filter(({ y }) => y > top - 4 && y < bottom + 4);
    const texts = scoreTexts(places.map(({ tick }) => tick));
    const edge = this.#isRightToLeft ? right + 6 : left - 6;
    const marks = places.map(({ y }, place) => text("race-score-tick", edge, y, texts[place]));
    const lines = places.map(({ y }) => `M${left} ${round(y)}H${right}`);
    const { ticks, step } = timeTicks(this.#from, this.#end, (right - left) / 84);
    for (const at of ticks) {
      const x = this.#x(at);
      lines.push(`M${round(x)} ${bottom}v4`);
      if (x > left + 14 && x < right - 14) marks.push(text("race-time-tick", x, this.#height - 4, (step < 60_000 ? seconds : minutes).format(at)));
    }
    const rules = shape("path", "race-rules");
    rules.setAttribute("d", lines.join(""));
    this.#grid.replaceChildren(rules, ...marks);
  }

  /** @param {Runner} runner */
  #drawLine(runner) {
    const { points, item } = runner;
    if (!points.length) return;
    const last = points[points.length - 1];
    if (runner.drawing !== this.#drawing) {
      runner.drawing = this.#drawing;
      const [first] = points;
      runner.drawn = `M${round(this.#x(first[0]))} ${round(this.#y(points.length > 1 ? first[1] : runner.shown))}`;
      for (const [at, score] of points.slice(1, -1)) runner.drawn += `H${round(this.#x(at))}V${round(this.#y(score))}`;
      if (points.length > 1) runner.drawn += `H${round(this.#x(last[0]))}`;
    }
    const [x, y] = [this.#x(this.#end), this.#y(runner.shown)];
    runner.line.setAttribute("d", points.length > 1 ? `${runner.drawn}V${round(y)}H${round(x)}` : `M${round(this.#x(last[0]))} ${round(y)}H${round(x)}`);
    runner.head.setAttribute("transform", `translate(${round(x)} ${round(y)})`);
    const side = this.#isRightToLeft ? -1 : 1;
    const far = x + side * 20;
    runner.link.setAttribute("d", item.hidden ? "" : `M${round(x + side * 7)} ${round(y)}C${round(x + side * 14)} ${round(y)} ${round(x + side * 12)} ${round(runner.labelAt)} ${round(far)} ${round(runner.labelAt)}`);
    item.style.transform = `translateY(${(runner.labelAt - this.#labelSize / 2).toFixed(1)}px)`;
    write(runner.nameShown, runner.name);
    const score = Math.abs(runner.score - runner.shown) < 0.5 ? runner.score : Math.round(runner.shown);
    write(runner.scoreShown, whole.format(score));
    const says = `${runner.rank}. ${runner.name}, ${whole.format(runner.score)}`;
    if (runner.label.getAttribute("aria-label") !== says) runner.label.setAttribute("aria-label", says);
  }

  // --- One line that stands out --------------------------------------------------------------------------------------

  #listen() {
    this.#svg.addEventListener("pointermove", (event) => this.#point(event));
    this.#svg.addEventListener("pointerdown", (event) => this.#point(event));
    this.#root.addEventListener("pointerleave", () => this.#chosen?.isPinned || this.#choose(null));
    this.#labels.addEventListener("pointerover", (event) => this.#chosen?.isPinned || this.#choose(playerOf(event.target)));
    this.#labels.addEventListener("focusin", (event) => {
      const player = playerOf(event.target);
      if (!player) return this.#stop?.label.focus({ preventScroll: true });
      this.#labels.tabIndex = -1; // out of the way back, until the focus has left
      if (this.#chosen?.player !== player) this.#choose(player);
    });
    this.#labels.addEventListener("focusout", (event) => {
      if (this.#labels.contains(/** @type {Node | null} */ (event.relatedTarget))) return;
      this.#labels.tabIndex = 0;
      this.#choose(null);
    });
    this.#labels.addEventListener("click", (event) => {
      const player = playerOf(event.target);
      if (player) this.#choose(player, null, !(this.#chosen?.isPinned && this.#chosen.player === player));
    });
    this.#labels.addEventListener("keydown", (event) => this.#press(event));
    document.addEventListener("visibilitychange", this.#shown);
    reduced.addEventListener("change", this.#shown);
  }

  /** @param {PointerEvent} event */
  #point(event) {
    this.#readout.ariaLive = "off";
    const box = this.#svg.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const { left, right } = this.#plot;
    if (this.#chosen?.isPinned && event.type !== "pointerdown") return;
    if (x < left || x > right) return this.#choose(null);
    const part = (x - left) / Math.max(1, right - left);
    const at = this.#from + (this.#isRightToLeft ? 1 - part : part) * (this.#end - this.#from);
    /** @type {{far: number, player: string | null}} */ let nearest = { far: Infinity, player: null };
    for (const { points, player } of this.#runners) {
      const place = placeAt(points, at);
      const far = place < 0 ? Infinity : Math.abs(this.#y(points[place][1]) - y);
      if (far < nearest.far) nearest = { far, player };
    }
    this.#choose(nearest.far < 60 ? nearest.player : null, at);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const shown = this.#runners.filter(({ item }) => !item.hidden);
    const here = shown.findIndex(({ player }) => player === playerOf(event.target));
    if (here < 0) return;
    const along = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") this.#choose(null);
    else if (along) this.#walk(shown[here], this.#isRightToLeft ? -along : along);
    else {
      const to = { ArrowUp: here - 1, ArrowDown: here + 1, Home: 0, End: shown.length - 1 }[event.key];
      if (to === undefined) return;
      const next = shown[Math.max(0, Math.min(shown.length - 1, to))];
      this.#stop = next;
      next.label.focus();
    }
    event.preventDefault();
  }

  /** @param {Runner} runner @param {number} step to the next of its points, or the one before */
  #walk({ player, points }, step) {
    this.#readout.ariaLive = "polite";
    const now = this.#chosen?.at ?? this.#end;
    const place = Math.max(0, Math.min(points.length - 1, placeAt(points, now) + (step < 0 && now > (points[placeAt(points, now)]?.[0] ?? now) ? 0 : step)));
    this.#choose(player, Math.max(points[place][0], this.#from), this.#chosen?.isPinned);
  }

  /** @param {string | null} player @param {number | null} [at] @param {boolean} [isPinned] */
  #choose(player, at = null, isPinned = false) {
    this.#chosen = player === null ? null : { player, at, isPinned };
    this.#root.classList.toggle("has-chosen", player !== null);
    for (const each of this.#runners) {
      const isChosen = each.player === player;
      each.group.classList.toggle("is-chosen", isChosen);
      each.item.classList.toggle("is-chosen", isChosen);
      each.label.setAttribute("aria-pressed", String(isChosen && isPinned));
    }
    this.#drawCursor();
  }

  #drawCursor() {
    const runner = this.#runners.find(({ player }) => player === this.#chosen?.player);
    const at = this.#chosen?.at ?? null;
    const place = runner && at !== null ? placeAt(runner.points, at) : -1;
    this.#cursor.toggleAttribute("hidden", place < 0);
    this.#readout.hidden = place < 0;
    if (!runner || at === null || place < 0) return;
    const score = runner.points[place][1];
    const [x, y] = [this.#x(at), this.#y(score)];
    const [hair, dot] = this.#cursor.children;
    hair.setAttribute("d", `M${round(x)} ${this.#plot.top}V${this.#plot.bottom}`);
    dot.setAttribute("cx", round(x));
    dot.setAttribute("cy", round(y));
    this.#cursor.setAttribute("class", `race-cursor race-slot-${runner.slot + 1}`);
    write(this.#readout, `${runner.name} · ${whole.format(score)} · ${seconds.format(at)}`);
    const width = this.#readout.offsetWidth;
    this.#readout.style.transform = `translate(${Math.max(0, Math.min(this.#width - width, x - width / 2)).toFixed(0)}px, ${(y > 46 ? y - 38 : y + 12).toFixed(0)}px)`;
  }

  // --- The same in words ---------------------------------------------------------------------------------------------

  #tell() {
    this.#tableTimer = 0;
    if (document.hidden) return; // `#shown` comes back to it
    if (this.#runners.length) this.#tabledAt = performance.now();
    const caption = element("caption", "");
    caption.textContent = this.#runners.length ? `Scores since ${minutes.format(Number.isNaN(this.#from) ? this.#start : this.#from)}` : "No scores yet";
    const head = row("th", ["Rank", "Player", "Then", "Now"]);
    const rows = this.#runners.map(({ rank, name, points, score }) => row("td", [whole.format(rank), name, whole.format(points[0]?.[1] ?? 0), whole.format(score)]));
    this.#table.replaceChildren(caption, head, ...rows);
  }
}

/** @param {readonly number[]} edges @param {boolean} isAscending @param {{top: number, bottom: number}} plot */
function scaleOf([low, high], isAscending, { top, bottom }) {
  return (/** @type {number} */ score) => {
    const part = (score - low) / (high - low);
    return isAscending ? top + part * (bottom - top) : bottom - part * (bottom - top);
  };
}

/** Short, unless two would read the same. @param {readonly number[]} ticks */
function scoreTexts(ticks) {
  const short = ticks.map((tick) => compact.format(tick));
  return new Set(short).size === short.length ? short : ticks.map((tick) => whole.format(tick));
}

/** A moved element loses the focus that its button had. @param {() => void} move */
function keepFocus(move) {
  const focused = document.activeElement;
  move();
  if (focused instanceof HTMLElement && focused !== document.activeElement) focused.focus({ preventScroll: true });
}

/** @param {EventTarget | null} target */
function playerOf(target) {
  const label = target instanceof Element ? target.closest(".race-label") : null;
  return label instanceof HTMLElement ? (label.dataset.player ?? null) : null;
}

const round = (/** @type {number} */ value) => String(Math.round(value * 10) / 10);

/** @param {Element} where @param {string} what */
function write(where, what) {
  if (where.textContent !== what) where.textContent = what;
}

/** @param {string} className @param {number} x @param {number} y @param {string} content */
function text(className, x, y, content) {
  const found = shape("text", className);
  found.setAttribute("x", round(x));
  found.setAttribute("y", round(y));
  found.textContent = content;
  return found;
}

/** @param {"th" | "td"} tag @param {readonly string[]} cells */
function row(tag, cells) {
  const found = element("tr", "");
  for (const content of cells) {
    const cell = found.appendChild(element(tag, ""));
    if (tag === "th") cell.scope = "col";
    cell.textContent = content;
  }
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} className
 */
function element(tag, className) {
  const found = document.createElement(tag);
  if (className) found.className = className;
  return found;
}

/**
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {string} className
 */
function shape(tag, className) {
  const found = document.createElementNS(SVG, tag);
  found.setAttribute("class", className);
  return found;
}
