// @ts-check
/** What the page reads beside its socket. Each part asks again at its own pace, so nothing is retried here. */

const TIMEOUT_MS = 10_000;

/**
 * @param {string} board slug
 * @param {string} [ticket] opens a private board
 * @returns {(what: string, query?: Record<string, string | number>) => Promise<{body: any, at: number}>} `at`: the server's time, in ms.
 *   An answer that is the same as the last one is not sent again: the browser asks by its tag.
 */
export function reader(board, ticket) {
  const headers = ticket ? { Authorization: `Ticket ${ticket}` } : undefined;
  return async (what, query = {}) => {
    const words = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
    const url = `/api/v1/leaderboard/${encodeURIComponent(board)}/${what}?${words}`;
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) throw new Error(`${what || "the board"}: ${response.status}`);
    return { body: await response.json(), at: Date.parse(response.headers.get("date") ?? "") || Date.now() };
  };
}
