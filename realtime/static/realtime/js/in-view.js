// @ts-check
/** Which elements are on the screen, or nearly, and at most how many of them count. */

/** Scrolling past is no visit: who comes and goes within this time is not told of. */
const SETTLE_MS = 150;
/** A little before it is seen, so that it is there when it is. */
const MARGIN = "240px 0px";

export class InView {
  #limit;
  #enter;
  #leave;
  #observer = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: MARGIN });
  /** In the order they came. @type {Set<HTMLElement>} */ #near = new Set();
  /** @type {Set<HTMLElement>} */ #entered = new Set();
  #timer = 0;

  /**
   * @param {number} limit more than these wait until others are gone
   * @param {(element: HTMLElement) => void} enter
   * @param {(element: HTMLElement) => void} leave
   */
  constructor(limit, enter, leave) {
    this.#limit = limit;
    this.#enter = enter;
    this.#leave = leave;
  }

  /** @param {HTMLElement} element */
  add(element) {
    this.#observer.observe(element);
  }

  /** It is not told of again, not even that it left. @param {HTMLElement} element */
  forget(element) {
    this.#observer.unobserve(element);
    this.#near.delete(element);
    this.#entered.delete(element);
    this.#soon(); // its room is somebody's
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const element = /** @type {HTMLElement} */ (target);
      if (isIntersecting) this.#near.add(element);
      else this.#near.delete(element);
    }
    this.#soon();
  }

  #soon() {
    this.#timer ||= setTimeout(() => this.#settle(), SETTLE_MS);
  }

  /** One of those that leave goes last: who is told never has nothing at hand while there is something in view. */
  #settle() {
    this.#timer = 0;
    const gone = [...this.#entered].filter((element) => !this.#near.has(element));
    const last = gone.pop();
    for (const element of gone) this.#let(element);
    this.#fill();
    if (!last) return;
    this.#let(last);
    this.#fill();
  }

  /** @param {HTMLElement} element */
  #let(element) {
    this.#entered.delete(element);
    this.#leave(element);
  }

  #fill() {
    for (const element of this.#near) {
      if (this.#entered.size >= this.#limit) return;
      if (this.#entered.has(element)) continue;
      this.#entered.add(element);
      this.#enter(element);
    }
  }
}
