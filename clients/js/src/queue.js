// @ts-check
/**
 * Scores that wait for the network: kept in storage before they are sent, sent in order, each until it has an answer.
 *
 * A score is in storage, with its idempotency key, before `add` returns; a page that is closed in the middle sends it again with the same
 * key at the next start, and it counts once. One that is refused for good is told to `onRefused` and leaves the queue. Tabs share one queue:
 * one of them sends at a time, where the browser has Web Locks. Elsewhere, and when a tab learns late what another has just sent, a score is
 * sent twice, and counts once by its key.
 */
import { newKey } from "./client.js";

/**
 * @typedef {import("./client.js").Submission} Submission
 * @typedef {{key: string, submission: Submission}} Waiting
 * @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">} Store
 */

const LIMIT = 1_000;

/** A credential may be renewed: what was played is not lost by its end. */
const NOT_AUTHENTICATED = 401;

export class SubmitQueue {
  #client;
  #storage;
  #prefix;
  #limit;
  #onAnswer;
  #onRefused;
  #count = 0;
  /** What the storage had no room for: it waits as long as this page lives. @type {Map<string, string>} */ #memory = new Map();
  /** @type {Promise<Error | null> | null} */ #sending = null;

  /**
   * @param {object} options
   * @param {{submit(submission: Submission, options: {idempotencyKey: string}): Promise<any>}} options.client
   * @param {Store | null} [options.storage] localStorage if left out; null: memory alone
   * @param {string} [options.name] of this queue in the storage
   * @param {number} [options.limit] scores that may wait; one more is refused by `add`
   * @param {(answer: any, submission: Submission) => void} [options.onAnswer]
   * @param {(error: Error, submission: Submission | null) => void} [options.onRefused] null for what was stored and can't be read
   */
  constructor({ client, storage = localStorageOrNull(), name = "leaderboard", limit = LIMIT, onAnswer = () => {}, onRefused = () => {} }) {
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
      const submission = submissionOf(this.#text(place));
      return submission ? [{ key: keyOf(place), submission }] : [];
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
    this.#keep(`${this.#prefix}${this.#turn()}.${key}`, JSON.stringify(submission));
    void this.flush();
    return key;
  }

  /**
   * Send what waits; call it when the page starts, on the `online` event and after a new sign-in.
   * @returns {Promise<Error | null>} why it ended with scores that still wait: the network is away, the server can't now, the credential is
   *   no longer good; null if none waits
   */
  flush() {
    if (!this.#places().length) return Promise.resolve(null);
    this.#sending ??= this.#alone(() => this.#send());
    return this.#sending;
  }

  /** @param {() => Promise<Error | null>} send @returns {Promise<Error | null>} */
  async #alone(send) {
    await null; // what ends below must not end before it is held as under way
    try {
      const locks = globalThis.navigator?.locks;
      return await (locks && this.#storage ? locks.request(`${this.#prefix}lock`, send) : send());
    } finally {
      this.#sending = null;
    }
  }

  async #send() {
    for (let place = this.#places()[0]; place; place = this.#places()[0]) {
      const submission = submissionOf(this.#text(place));
      if (!submission) {
        this.#remove(place);
        this.#onRefused(new SyntaxError("what waited can't be read"), null);
        continue;
      }
      const { answer, error } = await this.#client.submit(submission, { idempotencyKey: keyOf(place) }).then(
        (answer) => ({ answer, error: null }),
        (error) => ({ answer: null, error }),
      );
      if (error && (error.isTemporary !== false || error.status === NOT_AUTHENTICATED)) return error; // it stays for the next flush
      this.#remove(place);
      if (error) this.#onRefused(error, submission);
      else this.#onAnswer(answer, submission);
    }
    return null;
  }

  /** A place for each score, not one list for all: two tabs that write at once lose nothing. */
  #places() {
    const found = [...this.#memory.keys()];
    for (let index = 0; index < (this.#storage?.length ?? 0); index++) {
      const place = this.#storage?.key(index);
      if (place?.startsWith(this.#prefix)) found.push(place);
    }
    return found.sort();
  }

  /** @param {string} place @param {string} text */
  #keep(place, text) {
    try {
      if (this.#storage) return this.#storage.setItem(place, text);
    } catch {
      // full: better sent from here than not at all
    }
    this.#memory.set(place, text);
  }

  /** @param {string} place */
  #text(place) {
    return this.#memory.get(place) ?? this.#storage?.getItem(place);
  }

  /** @param {string} place */
  #remove(place) {
    if (!this.#memory.delete(place)) this.#storage?.removeItem(place);
  }

  /** Sorts by when it was added. */
  #turn() {
    return `${Date.now().toString(36).padStart(9, "0")}-${(this.#count++).toString(36).padStart(6, "0")}`;
  }
}

/** @param {string} place */
function keyOf(place) {
  return place.slice(place.lastIndexOf(".") + 1);
}

/** @param {string | null | undefined} text @returns {Submission | null} null if it is none */
function submissionOf(text) {
  try {
    const submission = JSON.parse(text ?? "");
    return submission !== null && typeof submission === "object" ? submission : null;
  } catch {
    return null;
  }
}

/** Who forbids storage to a page is refused the mere mention of it. */
function localStorageOrNull() {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}
