// @ts-check
/**
 * A stream of server-sent events as a connection's line, read with `fetch`: an EventSource can't send who is asking, and hides why it was
 * refused.
 */

/** @typedef {{event: string, data: string, id: string}} StreamEvent */

/** What is refused so would be refused again. Any other answer may be a proxy's, or the server's in a bad moment. @type {Record<string, number>} */
const CLOSE_CODES = {
  invalid_parameter: 4400,
  not_authenticated: 4401,
  forbidden: 4403,
  origin_not_allowed: 4403,
  leaderboard_not_found: 4404,
};
const LONGEST_RETRY_AFTER_S = 60;
/** Characters that one event may have; the largest snapshot has a tenth. */
const LONGEST_EVENT = 1_048_576;

/**
 * Read until the stream ends or `signal` is given.
 * @param {string} url
 * @param {{ticket?: string, fetch?: typeof fetch, signal: AbortSignal}} options
 * @param {import("./types.js").Told} told
 */
export async function listen(url, { ticket, fetch: fetching = globalThis.fetch.bind(globalThis), signal }, told) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "text/event-stream", ...(ticket && { Authorization: `Ticket ${ticket}` }) };
  try {
    const response = await fetching(url, { headers, cache: "no-store", signal });
    if (!response.ok || !response.body) return await refused(response, told);
    told.opened();
    await read(response.body, told);
    told.lost(0);
  } catch {
    told.lost(0); // the network, or us: after `close` nobody hears it
  }
}

/** @param {ReadableStream<Uint8Array>} body @param {import("./types.js").Told} told */
async function read(body, told) {
  const parser = new EventParser();
  const reader = body.getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    for (const { data } of parser.feed(/** @type {Uint8Array} */ (value))) say(() => told.heard(data));
  }
}

/** An error of who listens is no error of the stream. @param {() => void} tell */
function say(tell) {
  try {
    tell();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** @param {Response} response @param {import("./types.js").Told} told */
async function refused(response, told) {
  const problem = await response.json().catch(() => ({}));
  const seconds = Math.min(Number(response.headers.get("retry-after")) || 0, LONGEST_RETRY_AFTER_S);
  // All that were refused at once should not come back at once.
  told.lost(CLOSE_CODES[problem?.code] ?? 0, seconds * 1000 * (1 + Math.random()));
}

/** Cuts the bytes of a stream into events, however its pieces fall; see the HTML standard, 9.2.6. */
export class EventParser {
  #decoder = new TextDecoder(); // takes a byte order mark away, and keeps what a piece cut in the middle of a character
  #rest = "";
  #afterReturn = false;
  /** @type {string[]} */ #data = [];
  #event = "";
  #id = "";

  /**
   * @param {Uint8Array} bytes
   * @returns {StreamEvent[]} those that are complete now
   */
  feed(bytes) {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (this.#afterReturn && text.startsWith("\n")) text = text.slice(1); // its line has ended with the return already
    else if (!text) return [];
    this.#afterReturn = text.endsWith("\r");
    const lines = (this.#rest + text).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() ?? "";
    const events = lines.flatMap((line) => this.#line(line));
    if (this.#rest.length + this.#data.reduce((sum, line) => sum + line.length, 0) > LONGEST_EVENT) throw new RangeError("too long an event");
    return events;
  }

  /** @param {string} line @returns {StreamEvent[]} one, if this line ends it */
  #line(line) {
    if (!line) return this.#end();
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon); // empty: a comment
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    return [];
  }

  #end() {
    const [data, event] = [this.#data, this.#event];
    this.#data = [];
    this.#event = "";
    return data.length ? [{ event: event || "message", data: data.join("\n"), id: this.#id }] : [];
  }
}
