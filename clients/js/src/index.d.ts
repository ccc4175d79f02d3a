/** Types of the client; what each thing does is said beside its code. */

export interface Row {
  /** 1 is the first */
  rank: number;
  /** unique on a board */
  player: string;
  /** what is shown */
  name: string;
  score: number;
  subscore: number;
  submissions: number;
  /** RFC 3339, UTC */
  achieved_at: string;
}

export interface Position {
  epoch: string;
  offset: number;
}

export interface Delta {
  changed: Row[];
  left: string[];
}

export interface Snapshot extends Position {
  type: "snapshot";
  leaderboard: string;
  season: string;
  top: number;
  total: number;
  entries: Row[];
}

export interface DeltaFrame extends Position, Delta {
  type: "delta";
  leaderboard: string;
  season: string;
  top: number;
  total: number;
}

export type Frame = Snapshot | DeltaFrame;

export type State =
  | { kind: "connecting" }
  | { kind: "live" }
  | { kind: "paused" }
  | { kind: "waiting"; until: number; offline: boolean }
  | { kind: "refused"; code: number };

export const TOPS: readonly number[];
export function roundUp(top: number): number;
export function applyDelta(rows: readonly Row[], delta: Delta): Row[];
export function relation(held: Position, arriving: Position): "next" | "known" | "gap";
export function backoffMs(attempt: number, longestMs: number, random?: number): number;
export function newKey(): string;

export interface ConnectionOptions {
  /** where the service is; a page's own origin if left out */
  url?: string;
  /** opens private boards */
  ticket?: string;
  WebSocket?: typeof globalThis.WebSocket;
}

export interface FeedOptions extends ConnectionOptions {
  board: string;
  top: number;
  onFrame: (frame: Frame) => void;
  onState: (state: State) => void;
}

export class Feed {
  constructor(options: FeedOptions);
  start(): void;
  stop(): void;
  watch(top: number): void;
  nudge(): void;
}

export interface Standings {
  rows: readonly Row[];
  total: number;
  season: string;
  position: Position;
}

export interface LiveBoardOptions extends ConnectionOptions {
  board: string;
  top?: number;
  onChange?: (standings: Standings) => void;
  onState?: (state: State) => void;
}

export class LiveBoard {
  constructor(options: LiveBoardOptions);
  readonly standings: Standings | null;
  readonly state: State;
  start(): this;
  stop(): void;
  watch(top: number): void;
  nudge(): void;
}

export interface Submission {
  score: number;
  subscore?: number;
  player?: string;
  name?: string;
  game_mode?: string;
  metadata?: Record<string, unknown>;
  leaderboards?: string[];
}

export interface SubmittedResult {
  leaderboard: string;
  season: string;
  total_score: number;
  subscore: number;
  rank: number;
  previous_rank: number | null;
  improved: boolean;
  total: number;
}

export interface Submitted {
  session_id: number;
  player: string;
  score: number;
  subscore: number;
  game_mode: string;
  timestamp: string;
  results: SubmittedResult[];
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  errors?: object[];
  request_id: string;
}

export interface Top extends Position {
  leaderboard: string;
  season: string;
  total: number;
  entries: Row[];
}

export interface Ranked extends Position, Row {
  leaderboard: string;
  season: string;
  total: number;
  percentile: number;
}

export interface Around extends Top {
  player: string;
}

export interface Board {
  leaderboard: string;
  title: string;
  game: string;
  operator: "best" | "sum" | "latest" | "count";
  season: string;
  season_ends: string | null;
  [field: string]: unknown;
}

export interface ClientOptions {
  url?: string;
  /** of a game server; never in a page or a game client */
  apiKey?: string;
  /** a player's access token, or what gives a fresh one */
  token?: string | (() => string | Promise<string>);
  ticket?: string;
  fetch?: typeof globalThis.fetch;
  timeoutMs?: number;
  tries?: number;
  wait?: (ms: number) => Promise<void>;
}

export class Client {
  constructor(options?: ClientOptions);
  submit(submission: Submission, options?: { idempotencyKey?: string }): Promise<Submitted>;
  submitMany(scores: Submission[], options?: { idempotencyKey?: string }): Promise<{ results: (Submitted | { error: Problem })[] }>;
  boards(): Promise<{ leaderboards: Board[] }>;
  board(board: string): Promise<Board & Position & { entries: number; tie_rule: string }>;
  top(board: string, query?: { limit?: number; offset?: number; season?: string }): Promise<Top>;
  rank(board: string, player: string, query?: { season?: string }): Promise<Ranked | null>;
  around(board: string, player: string, query?: { limit?: number; season?: string }): Promise<Around | null>;
}

export class LeaderboardError extends Error {
  readonly status: number;
  readonly code: string;
  readonly errors: object[];
  readonly retryAfterMs: number | null;
  readonly isTemporary: boolean;
}

export class NoAnswer extends Error {
  readonly isTemporary: true;
}

export interface QueueOptions {
  client: Pick<Client, "submit">;
  storage?: Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;
  name?: string;
  limit?: number;
  onAnswer?: (answer: Submitted, submission: Submission) => void;
  onRefused?: (error: Error, submission: Submission) => void;
}

export class SubmitQueue {
  constructor(options: QueueOptions);
  readonly waiting: { key: string; submission: Submission }[];
  add(submission: Submission): string;
  flush(): Promise<void>;
}
