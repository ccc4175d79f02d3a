// @ts-check
/** Finding and sorting cards, within their games and the games among each other. */
import { fold } from "./card.js";

/** @typedef {import("./card.js").Card} Card */
/** @typedef {(a: Card, b: Card) => number} Order */

const titles = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
const byTitle = (/** @type {Card} */ a, /** @type {Card} */ b) => titles.compare(a.title, b.title);
const pace = (/** @type {Card} */ card) => card.last.scores_per_minute ?? 0;

/** What they leave equal stays as it stands. @type {Record<string, Order>} */
export const ORDERS = {
  busiest: (a, b) => pace(b) - pace(a) || b.last.watching - a.last.watching,
  title: byTitle,
  ending: (a, b) => (a.ends === b.ends ? byTitle(a, b) : a.ends - b.ends),
};

export class Findable {
  #cards;

  /** @param {Map<HTMLElement, Card>} cards by their elements, in `[data-game]` sections */
  constructor(cards) {
    this.#cards = cards;
  }

  /**
   * Hide the cards that do not have every word of the text, and games without cards.
   * @param {string} text
   * @returns {number} how many are left
   */
  filter(text) {
    const words = fold(text).split(/\s+/);
    let count = 0;
    for (const [element, card] of this.#cards) {
      element.hidden = !words.every((word) => card.text.includes(word));
      count += Number(!element.hidden);
    }
    for (const game of games()) this.#look(game);
    return count;
  }

  /** @param {Order} order */
  sort(order) {
    const sorted = games().map((game) => ({ game, first: this.#sort(game, order) }));
    sorted.sort((a, b) => (a.first && b.first ? order(a.first, b.first) : 0));
    for (const { game } of sorted.reverse()) game.parentElement?.prepend(game);
  }

  /** A card is gone. */
  forget() {
    for (const game of games()) this.#look(game);
  }

  /**
   * @param {HTMLElement} game
   * @param {Order} order
   * @returns {Card | undefined} its first
   */
  #sort(game, order) {
    const elements = /** @type {HTMLElement[]} */ ([...game.querySelectorAll(".card")]);
    elements.sort((a, b) => order(this.#card(a), this.#card(b)));
    game.querySelector(".cards")?.append(...elements);
    return elements[0] && this.#card(elements[0]);
  }

  /** @param {HTMLElement} element */
  #card(element) {
    return /** @type {Card} */ (this.#cards.get(element));
  }

  /** @param {HTMLElement} game */
  #look(game) {
    game.hidden = !game.querySelector(".card:not([hidden])");
  }
}

const games = () => /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-game]")]);
