// @ts-check
/** Everything that a game or a page needs; see README.md. */
export { backoffMs } from "./backoff.js";
export { Boards } from "./boards.js";
export { Client, LeaderboardError, NoAnswer, newKey } from "./client.js";
export { eventsBetween } from "./events.js";
export { Feed } from "./feed.js";
export { LiveBoard } from "./live.js";
export { SubmitQueue } from "./queue.js";
export { TOPS, applyDelta, relation, roundUp } from "./rows.js";
