// @ts-check
/**
 * Shows what it is given, some time later and never sooner: who watches a stream to snipe its players sees the past.
 *
 * What comes within a tenth of a second becomes one state, the newest, so that the longest delay holds some thousands at most. Times are
 * those of a clock that only goes forward (performance.now()): setting the machine's clock changes nothing.
 */

const SLOT_MS = 100;

/** @template T */
export class DelayLine {
  #delayMs;
  #show;
  /** In order of time; `due` is the end of the slot plus the delay. @type {{due: number, state: T}[]} */
  #held = [];
  #timer = 0;

  /**
   * @param {number} delayMs 0 shows at once
   * @param {(state: T) => void} show
   */
  constructor(delayMs, show) {
    this.#delayMs = delayMs;
    this.#show = show;
  }

  /** How many states wait. */
  get length() {
    return this.#held.length;
  }

  /** @param {T} state */
  push(state) {
    if (!this.#delayMs) return this.#show(state);
    const slotEnd = (Math.floor(performance.now() / SLOT_MS) + 1) * SLOT_MS;
    const due = slotEnd + this.#delayMs;
    const last = this.#held[this.#held.length - 1];
    if (last?.due === due) last.state = state;
    else this.#held.push({ due, state });
    this.#timer ||= setTimeout(() => this.#release(), this.#held[0].due - performance.now());
  }

  /** Of those that are due the newest is shown: a machine that slept does not play them one by one. */
  #release() {
    const now = performance.now();
    const waiting = this.#held.findIndex(({ due }) => due > now);
    const due = this.#held.splice(0, waiting < 0 ? this.#held.length : waiting);
    const next = this.#held[0];
    this.#timer = next ? setTimeout(() => this.#release(), next.due - now) : 0;
    if (due.length) this.#show(due[due.length - 1].state);
  }
}
