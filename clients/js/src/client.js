// @ts-check
/**
 * The REST interface, with what every caller would otherwise write again: keys, retries, errors.
 *
 * A submit has an idempotency key, so that it is repeated without counting twice while its outcome is unclear: no answer, or one that says
 * that the server can't now. What is refused (4xx) is thrown at once.
 */
import { backoffMs } from "./backoff.js";

const TIMEOUT_MS = 15_000;
const TRIES = 5;
const LONGEST_WAIT_MS = 10_000;
const LONGEST_RETRY_AFTER_MS = 60_000;

/** A refusal: a problem document of the server. `code` is stable. */
export class LeaderboardError extends Error {
  /** @param {number} status @param {{code?: string, detail?: string, title?: string, errors?: object[]}} problem @param {number | null} retryAfterMs */
  constructor(status, problem, retryAfterMs = null) {
    super(problem.detail ?? problem.title ?? `The server answered ${status}`);
    this.name = "LeaderboardError";
    this.status = status;
    this.code = problem.code ?? "unknown";
    this.errors = problem.errors ?? [];
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same may be accepted later. */
  get isTemporary() {
    return this.status === 429 || this.status >= 500;
  }
}

/** No answer came: the network, or time. Whether something happened is not known. */
export class NoAnswer extends Error {
  /** @param {unknown} cause */
  constructor(cause) {
    super("No answer from the leaderboard", { cause });
    this.name = "NoAnswer";
    this.isTemporary = true;
  }
}

/**
 * @typedef {object} Submission
 * @property {number} score
 * @property {number} [subscore]
 * @property {string} [player] with an API key only
 * @property {string} [name]
 * @property {string} [game_mode]
 * @property {Record<string, unknown>} [metadata]
 * @property {string[]} [leaderboards]
 */

export class Client {
  #base;
  #headers;
  #fetch;
  #timeoutMs;
  #tries;
  #wait;

  /**
   * @param {object} options
   * @param {string} [options.url] where the service is, the page's own origin if left out
   * @param {string} [options.apiKey] of a game server; never in a page or a game client
   * @param {string | (() => string | Promise<string>)} [options.token] a player's access token, or what gives a fresh one
   * @param {string} [options.ticket] opens private boards
   * @param {typeof fetch} [options.fetch]
   * @param {number} [options.timeoutMs] of one try
   * @param {number} [options.tries] of one call
   * @param {(ms: number) => Promise<void>} [options.wait] for tests
   */
  constructor({ url = globalThis.location?.origin, apiKey, token, ticket, fetch: fetching, timeoutMs, tries, wait } = {}) {
    if (!url) throw new TypeError("url is needed outside a page");
    this.#base = url.replace(/\/+$/, "");
    this.#headers = authorization({ apiKey, token, ticket });
    this.#fetch = fetching ?? globalThis.fetch.bind(globalThis);
    this.#timeoutMs = timeoutMs ?? TIMEOUT_MS;
    this.#tries = tries ?? TRIES;
    this.#wait = wait ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms)));
  }

  /**
   * Store a score; where it stands on each board that it feeds.
   * @param {Submission} submission
   * @param {{idempotencyKey?: string}} [options] a key of your own, to go on with the same submit after a restart
   */
  submit(submission, { idempotencyKey = newKey() } = {}) {
    return this.#call("POST", "scores/", { body: submission, idempotencyKey });
  }

  /**
   * Up to 1000 at once; `results` has each one's answer or `{error}`.
   * @param {Submission[]} scores
   * @param {{idempotencyKey?: string}} [options]
   */
  submitMany(scores, { idempotencyKey = newKey() } = {}) {
    return this.#call("POST", "scores/batch/", { body: { scores }, idempotencyKey });
  }

  boards() {
    return this.#call("GET", "leaderboard/");
  }

  /** @param {string} board slug */
  board(board) {
    return this.#call("GET", path`leaderboard/${board}/`);
  }

  /** @param {string} board @param {{limit?: number, offset?: number, season?: string}} [query] */
  top(board, query) {
    return this.#call("GET", path`leaderboard/${board}/top/`, { query });
  }

  /** A player's row; null for one who is not ranked. @param {string} board @param {string} player @param {{season?: string}} [query] */
  rank(board, player, query) {
    return orNull(this.#call("GET", path`leaderboard/${board}/rank/${player}/`, { query }), "not_ranked");
  }

  /** A player's row and `limit` on either side; null for one who is not ranked. @param {string} board @param {string} player @param {{limit?: number, season?: string}} [query] */
  around(board, player, query) {
    return orNull(this.#call("GET", path`leaderboard/${board}/around/${player}/`, { query }), "not_ranked");
  }

  /**
   * @param {string} method
   * @param {string} where under /api/v1/
   * @param {{body?: object, idempotencyKey?: string, query?: Record<string, unknown>}} [what]
   * @returns {Promise<any>}
   */
  async #call(method, where, { body, idempotencyKey, query } = {}) {
    const url = `${this.#base}/api/v1/${where}${search(query)}`;
    const text = body && JSON.stringify(body);
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(url, { method, body: text, idempotencyKey });
      } catch (error) {
        if (!(/** @type {any} */ (error).isTemporary) || attempt + 1 >= this.#tries) throw error;
        const asked = error instanceof LeaderboardError ? error.retryAfterMs : null;
        await this.#wait(Math.max(asked ?? 0, backoffMs(attempt, LONGEST_WAIT_MS)));
      }
    }
  }

  /** @param {string} url @param {{method: string, body?: string, idempotencyKey?: string}} request */
  async #once(url, { method, body, idempotencyKey }) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json", ...(await this.#headers()) };
    if (body) headers["Content-Type"] = "application/json";
    if (idempotencyKey) headers["Idempotency-Key"] = idempotencyKey;
    let response, text;
    try {
      response = await this.#fetch(url, { method, body, headers, signal: AbortSignal.timeout(this.#timeoutMs) });
      text = await response.text();
    } catch (error) {
      throw new NoAnswer(error);
    }
    if (!response.ok) throw new LeaderboardError(response.status, parsed(text) ?? {}, retryAfterMs(response.headers.get("retry-after")));
    const answer = parsed(text);
    if (answer === undefined) throw new NoAnswer(new SyntaxError("not JSON")); // a proxy's page, or cut off on the way
    return answer;
  }
}

/** A key that nobody else has, also where a page is not secure and `crypto.randomUUID` is missing. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {{apiKey?: string, token?: string | (() => string | Promise<string>), ticket?: string}} who */
function authorization({ apiKey, token, ticket }) {
  /** @returns {Promise<Record<string, string>>} */
  return async () => {
    if (apiKey) return { Authorization: `Api-Key ${apiKey}` };
    if (token) return { Authorization: `Bearer ${typeof token === "function" ? await token() : token}` };
    return ticket ? { Authorization: `Ticket ${ticket}` } : {};
  };
}

/** @param {TemplateStringsArray} texts @param {...string} parts percent-encoded into the path */
function path(texts, ...parts) {
  return String.raw({ raw: texts }, ...parts.map(encodeURIComponent));
}

/** @param {Record<string, unknown>} [query] */
function search(query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

/** @template T @param {Promise<T>} call @param {string} code @returns {Promise<T | null>} */
async function orNull(call, code) {
  try {
    return await call;
  } catch (error) {
    if (error instanceof LeaderboardError && error.code === code) return null;
    throw error;
  }
}

/** @param {string | null} value seconds; a date is not sent by this server */
function retryAfterMs(value) {
  const seconds = Number(value);
  return value !== null && seconds >= 0 ? Math.min(seconds * 1000, LONGEST_RETRY_AFTER_MS) : null;
}

/** @param {string} text @returns {any} undefined if it is not JSON */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
