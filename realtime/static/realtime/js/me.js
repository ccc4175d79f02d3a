// @ts-check
/**
 * Find me: one player whom the viewer follows. Named by a field, by a row's star or by `?player=`, and remembered for this board.
 * The rank and the rows around come by the viewport subscription.
 */
import { passed } from "./news.js";
import { nameOf, part, write } from "./parts.js";
import { formatNumber } from "./row.js";
import { Standings } from "./table.js";

/**
 * @typedef {import("../../clients/rows.js").Row} Row
 * @typedef {import("../../clients/types.js").Around} Around
 * @typedef {import("../../clients/types.js").OvertakeMessage} OvertakeMessage
 */

/** Rows on either side; a low screen has other things to show as well. */
export const aroundFor = (/** @type {number} */ height) => (height < 900 ? 2 : 3);
const PATIENCE_MS = 10_000;
const LONGEST_ID = 150;

export class Me {
  /** @type {string | null} */ player = null;
  /** The last one told, null while none is known. @type {number | null} */ rank = null;
  #key;
  #onChange;
  #toasts;
  #announcer;
  #section = part("me");
  #form = /** @type {HTMLFormElement} */ (part("find"));
  #field = /** @type {HTMLInputElement} */ (part("find-player"));
  #found = part("found");
  #name = part("my-name");
  #rank = part("my-rank");
  #of = part("my-total");
  #score = part("my-score");
  #reason = part("my-reason");
  #jump = part("my-jump");
  #table = /** @type {HTMLTableElement} */ (part("my-rows"));
  #rows = new Standings(this.#table);
  #patience = 0;

  /**
   * @param {object} options
   * @param {string} options.board slug
   * @param {import("./toasts.js").Toasts} options.toasts
   * @param {import("./announcer.js").Announcer} options.announcer
   * @param {(name: string) => string} options.resolve the id of who is called so on the screen, else what it was given
   * @param {(player: string | null) => void} options.onChange
   */
  constructor({ board, toasts, announcer, resolve, onChange }) {
    this.#key = `leaderboard.me.${board}`;
    this.#onChange = onChange;
    this.#toasts = toasts;
    this.#announcer = announcer;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const asked = this.#field.value.trim();
      if (asked) this.follow(resolve(asked));
    });
    part("unfollow").addEventListener("click", () => {
      this.follow(null);
      this.#field.focus();
    });
  }

  /** Whom the address or this browser's memory names. */
  recall() {
    const named = new URLSearchParams(location.search).get("player") ?? remembered(this.#key);
    if (named) this.#take(named.slice(0, LONGEST_ID));
  }

  /** @param {string | null} player null for nobody */
  follow(player) {
    const chosen = player?.slice(0, LONGEST_ID) || null;
    remember(this.#key, chosen);
    const address = new URL(location.href);
    if (chosen) address.searchParams.set("player", chosen);
    else address.searchParams.delete("player");
    history.replaceState(null, "", address);
    this.#take(chosen);
    if (chosen) this.#announcer.say("me", () => (this.player === chosen ? `Following ${chosen}` : null));
  }

  /** @param {string | null} player */
  #take(player) {
    if (player === this.player) return;
    this.player = player;
    this.rank = null;
    this.#form.hidden = player !== null;
    this.#found.hidden = player === null;
    this.#section.dataset.following = player === null ? "nobody" : "waiting";
    this.#rows.clear();
    this.#name.textContent = player ?? "";
    write(this.#rank, "–");
    write(this.#of, "");
    write(this.#score, "");
    this.#jump.hidden = true;
    this.#say("");
    this.#rows.mark(player);
    this.#onChange(player);
    clearTimeout(this.#patience);
    if (player !== null) this.#patience = setTimeout(() => this.#say("These rows can't be read now. They come when the server has them."), PATIENCE_MS);
  }

  /** @param {Around} around */
  around({ player, rank, total, entries }) {
    if (player !== this.player) return;
    clearTimeout(this.#patience);
    const own = entries.find((row) => row.player === player);
    this.rank = rank;
    this.#section.dataset.following = rank === null ? "unranked" : "ranked";
    if (own) write(this.#name, own.name || player);
    write(this.#rank, rank === null ? "–" : formatNumber(rank));
    write(this.#of, rank === null ? "" : `of ${formatNumber(total)}`);
    write(this.#score, own ? formatNumber(own.score) : "");
    this.#jump.hidden = rank === null;
    this.#say(rank === null ? "Not ranked on this board yet. The first score counts." : "");
    this.#rows.show(entries);
  }

  /** @param {OvertakeMessage} overtake */
  overtaken({ player, rank, previous_rank: before, passed_by: others, passed: behind }) {
    if (player !== this.player) return;
    const now = `, rank ${formatNumber(rank)}`;
    const words = rank > before && others.length ? [...passed(others), " passed you", now] : behind.length ? ["You passed ", ...passed(behind), now] : null;
    if (!words) return;
    this.#toasts.show(rank > before ? "down" : "up", ...words);
    const text = words.map((word) => (typeof word === "string" ? word : word.textContent)).join("");
    this.#announcer.say("me", () => text);
  }

  /** @param {string} text */
  #say(text) {
    write(this.#reason, text);
    this.#reason.hidden = !text;
  }
}

/** @param {string} key */
function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // a browser that keeps nothing; the address still does
  }
}

/** @param {string} key @param {string | null} value */
function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // As above.
  }
}
