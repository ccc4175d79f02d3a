// @ts-check
/** What is said to who listens instead of looking: one voice, seldom. A screen reader is no sports reporter. */

const PAUSE_MS = 5_000;

export class Announcer {
  #region;
  /** What is to be said, by subject: a later word on a subject takes the place of an earlier one. @type {Map<string, () => string | null>} */
  #due = new Map();
  #timer = 0;
  #last = -Infinity;

  /** @param {HTMLElement} region polite */
  constructor(region) {
    this.#region = region;
  }

  /**
   * @param {"lead" | "rank" | "me"} subject
   * @param {() => string | null} text asked for when it is time to speak; null if it is no news any more
   */
  say(subject, text) {
    this.#due.set(subject, text);
    this.#timer ||= setTimeout(() => this.#speak(), Math.max(0, this.#last + PAUSE_MS - performance.now()));
  }

  #speak() {
    this.#timer = 0;
    const texts = [...this.#due.values()].map((text) => text()).filter((text) => text !== null);
    this.#due.clear();
    if (!texts.length) return;
    this.#last = performance.now();
    this.#region.textContent = texts.join(". ");
  }
}
