// @ts-check
/** Short notes over the page, for the eye; the announcer has the words for the ear. */
import { made } from "./parts.js";

const SHOWN_MS = 6_000;
const AT_ONCE = 3;

export class Toasts {
  #place;

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
  }

  /** @param {"up" | "down"} way @param {...(string | Node)} words */
  show(way, ...words) {
    const toast = made("p", "toast", made("span", "sign", way === "up" ? "▲" : "▼"), made("span", "", ...words));
    toast.dataset.way = way;
    this.#place.append(toast);
    while (this.#place.childElementCount > AT_ONCE) this.#place.firstElementChild?.remove();
    setTimeout(() => toast.remove(), SHOWN_MS);
  }
}
