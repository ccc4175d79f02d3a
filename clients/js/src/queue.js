// @ts-check
/**
 * Scores that wait for the network: kept in storage before they are sent, sent in order, each until it has an answer.
 *
 * A score is in storage, with its idempotency key, before `add` returns; a page that is closed in the middle sends it again with the same
 * key at the next start, and it counts once. One that is refused for good is told to `onRefused` and leaves the queue.
 */
import { newKey } from "./client.js";

/**
 * @typedef {import("./client.js").Submission} Submission
 * @typedef {{key: string, submission: Submission}} Waiting
 * @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">} Store
 */

const LIMIT = 1_000;

export class SubmitQueue {
  #client;
  #storage;
  #prefix;
  #limit;
  #onAnswer;
  #onRefused;
  #count = 0;
  /** @type {Promise<void> | null} */ #sending = null;

  /**
   * @param {object} options
   * @param {{submit(submission: Submission, options: {idempotencyKey: string}): Promise<any>}} options.client
   * @param {Store} [options.storage] localStorage if left out
   * @param {string} [options.name] of this queue in the storage
   * @param {number} [options.limit] scores that may wait; one more is refused by `add`
   * @param {(answer: any, submission: Submission) => void} [options.onAnswer]
   * @param {(error: Error, submission: Submission) => void} [options.onRefused]
   */
  constructor({ client, storage = globalThis.localStorage, name = "leaderboard", limit = LIMIT, onAnswer = () => {}, onRefused = () => {} }) {
    this.#client = client;
    this.#storage = storage;
    this.#prefix = `${name}.queue.`;
    this.#limit = limit;
    this.#onAnswer = onAnswer;
    this.#onRefused = onRefused;
  }

  /** @returns {Waiting[]} the oldest first */
  get waiting() {
    return this.#places().flatMap((place) => {
      const text = this.#storage.getItem(place);
      return text === null ? [] : [{ key: place.slice(place.lastIndexOf(".") + 1), submission: JSON.parse(text) }];
    });
  }

  /**
   * Keep a score, and send it when the network allows.
   * @param {Submission} submission
   * @returns {string} its idempotency key
   */
  add(submission) {
    if (this.#places().length >= this.#limit) throw new RangeError(`${this.#limit} scores wait already`);
    const key = newKey();
    this.#storage.setItem(`${this.#prefix}${this.#turn()}.${key}`, JSON.stringify(submission));
    void this.flush();
    return key;
  }

  /** Send what waits; call it when the page starts and on the `online` event. Ends when nothing waits or the network is away. */
  flush() {
    this.#sending ??= this.#send().finally(() => (this.#sending = null));
    return this.#sending;
  }

  async #send() {
    for (let place = this.#places()[0]; place; place = this.#places()[0]) {
      const text = this.#storage.getItem(place);
      if (text === null) continue; // another tab was faster
      const submission = JSON.parse(text);
      try {
        const answer = await this.#client.submit(submission, { idempotencyKey: place.slice(place.lastIndexOf(".") + 1) });
        this.#storage.removeItem(place);
        this.#onAnswer(answer, submission);
      } catch (error) {
        if (/** @type {any} */ (error).isTemporary !== false) return; // it stays, and the next flush goes on with it
        this.#storage.removeItem(place);
        this.#onRefused(/** @type {Error} */ (error), submission);
      }
    }
  }

  /** A place for each score, not one list for all: two tabs that write at once lose nothing. */
  #places() {
    const found = [];
    for (let index = 0; index < this.#storage.length; index++) {
      const place = this.#storage.key(index);
      if (place?.startsWith(this.#prefix)) found.push(place);
    }
    return found.sort();
  }

  /** Sorts by when it was added. */
  #turn() {
    return `${Date.now().toString(36).padStart(9, "0")}-${(this.#count++).toString(36).padStart(6, "0")}`;
  }
}
