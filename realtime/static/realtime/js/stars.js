// @ts-check
/**
 * The rows' stars, by which the viewer follows a player. All of them are one tab stop; the arrow keys go from row to row.
 */

const STEPS = new Map([["ArrowUp", -1], ["ArrowDown", 1]]);

export class Stars {
  #table;
  /** @type {HTMLElement | null} */ #stop = null;

  /**
   * @param {HTMLElement} table
   * @param {(player: string) => void} onPick
   */
  constructor(table, onPick) {
    this.#table = table;
    table.addEventListener("click", (event) => {
      const star = starOf(event.target);
      const player = star?.closest("tr")?.dataset.player;
      if (player) onPick(player);
    });
    table.addEventListener("focusin", (event) => this.#moveStop(starOf(event.target)));
    table.addEventListener("keydown", (event) => this.#step(event));
  }

  /** After the rows have changed: one of them can be reached. */
  settle() {
    if (!this.#stop?.isConnected || this.#stop.closest("[aria-hidden]")) this.#moveStop(this.#table.querySelector("[data-rows] .star"));
  }

  /** @param {HTMLElement | null} star */
  #moveStop(star) {
    if (!star || star === this.#stop) return;
    if (this.#stop) this.#stop.tabIndex = -1;
    star.tabIndex = 0;
    this.#stop = star;
  }

  /** @param {KeyboardEvent} event */
  #step(event) {
    const step = STEPS.get(event.key);
    const row = starOf(event.target)?.closest("tr");
    if (!step || !row) return;
    event.preventDefault();
    const next = this.#table.querySelector(`tr[aria-rowindex="${Number(row.ariaRowIndex) + step}"] .star`);
    /** @type {HTMLElement | null} */ (next)?.focus();
  }
}

/** @param {EventTarget | null} target @returns {HTMLElement | null} */
function starOf(target) {
  return target instanceof Element ? target.closest(".star") : null;
}
