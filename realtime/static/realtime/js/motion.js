// @ts-check
/**
 * What moves on the page. Distances are in row heights (a percentage of the moved row), so no row is measured.
 * Whoever prefers reduced motion gets the same states without the ways between them.
 */

const GLIDE_MS = 620;
const GLIDE_EASING = "cubic-bezier(0.22, 0.9, 0.24, 1)";
const FADE_MS = 380;
const FLASH_MS = 1100;
const COUNT_MS = 520;

const reduced = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * A row's way to its new place. A move that comes while one is under way starts where the row is seen, not where it was sent.
 */
export class Glide {
  #element;
  /** @type {Animation | null} */ #animation = null;
  #from = 0;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  stop() {
    this.#animation?.cancel();
    this.#animation = null;
  }

  /** @param {number} rows how many rows below its new place it was */
  move(rows) {
    const from = this.#remaining() + rows;
    this.stop();
    if (from === 0 || reduced.matches) return;
    this.#from = from;
    // One replacing transform a row: the compositor runs it, whatever the main thread does.
    const frames = [{ transform: `translateY(${from * 100}%)` }, { transform: "translateY(0)" }];
    this.#animation = this.#element.animate(frames, { duration: GLIDE_MS, easing: GLIDE_EASING });
  }

  /** How much of the last way is left, in rows. */
  #remaining() {
    const progress = this.#animation?.effect?.getComputedTiming().progress;
    return progress == null ? 0 : this.#from * (1 - progress);
  }
}

/** @param {HTMLElement} element */
export function fadeIn(element) {
  if (reduced.matches) return;
  element.animate([{ opacity: 0 }, { opacity: 1 }], { duration: FADE_MS, easing: "ease-out" });
}

/**
 * Fade a row out at the place that it had, then call `done`.
 * @param {HTMLElement} element
 * @param {number} index its place, from 0
 * @param {() => void} done
 */
export function fadeOut(element, index, done) {
  if (reduced.matches) return done();
  const transform = `translateY(${index * 100}%)`;
  const frames = [
    { transform, opacity: 1 },
    { transform, opacity: 0 },
  ];
  const animation = element.animate(frames, { duration: FADE_MS, easing: "ease-in", fill: "forwards" });
  animation.onfinish = done;
}

/**
 * Light the row up once; its ::after is the light.
 * @param {HTMLElement} element
 * @param {Animation | null} previous the light that may still be on
 * @returns {Animation | null}
 */
export function flash(element, previous) {
  previous?.cancel();
  if (reduced.matches) return null;
  return element.animate([{ opacity: 1 }, { opacity: 0 }], { duration: FLASH_MS, easing: "ease-out", pseudoElement: "::after" });
}

/** Numbers on their way to a new value: one loop for all of them, asleep when none is. */
export class Counters {
  /** @type {Map<object, {from: number, to: number, since: number, show: (value: number) => void}>} */
  #running = new Map();
  #frame = 0;

  /**
   * @param {object} key whose number it is; a second run of a key takes over from the first
   * @param {number} from
   * @param {number} to
   * @param {(value: number) => void} show
   */
  run(key, from, to, show) {
    if (reduced.matches || document.hidden) {
      this.#running.delete(key);
      return show(to);
    }
    this.#running.set(key, { from, to, since: performance.now(), show });
    this.#frame ||= requestAnimationFrame(this.#tick);
  }

  /** @param {object} key */
  forget(key) {
    this.#running.delete(key);
  }

  /** @param {number} now */
  #tick = (now) => {
    for (const [key, { from, to, since, show }] of this.#running) {
      const part = Math.min(1, Math.max(0, (now - since) / COUNT_MS));
      show(part === 1 ? to : Math.round(from + (to - from) * (1 - (1 - part) ** 3)));
      if (part === 1) this.#running.delete(key);
    }
    this.#frame = this.#running.size ? requestAnimationFrame(this.#tick) : 0;
  };
}
