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

/** "auto" is a WebSocket, and server-sent events where two in a row did not open; WebSocket is tried again later. */
export type Transport = "auto" | "websocket" | "sse";

export interface SocketOptions {
  /** where the service is; a page's own origin if left out */
  url?: string;
  /** opens private boards */
  ticket?: string;
  /** for hosts that have none of their own, such as Node before 22 */
  WebSocket?: typeof globalThis.WebSocket;
  onState?: (state: State) => void;
}

export interface ConnectionOptions extends SocketOptions {
  transport?: Transport;
  /** what streams of events are read with */
  fetch?: typeof globalThis.fetch;
}

/** The rows around one player: the one that is named, or the one whose credential this is. Empty: nobody's. */
export interface Viewport {
  /** rows on either side, 1 to 10; 3 if left out */
  around?: number;
  player?: string;
  own?: boolean;
}

/** How many watch the board and how fast it is played. */
export interface Pulse {
  type: "pulse";
  leaderboard: string;
  watching: number;
  /** null while it is not known yet */
  scores_per_minute: number | null;
}

/** Where the followed player stands; one who is not ranked has no rank and no entries. */
export interface AroundMessage {
  type: "around";
  leaderboard: string;
  season: string;
  player: string;
  rank: number | null;
  total: number;
  entries: Row[];
}

export interface Who {
  player: string;
  name: string;
}

/** The followed player's rank changed because others passed it or were passed; the nearest first, those in view only. */
export interface OvertakeMessage {
  type: "overtake";
  leaderboard: string;
  season: string;
  player: string;
  rank: number;
  previous_rank: number;
  passed_by: Who[];
  passed: Who[];
}

export interface WatchEvents extends Viewport {
  /** ask for the pulse */
  pulse?: boolean;
  onPulse?: (pulse: Pulse) => void;
  onAround?: (around: AroundMessage) => void;
  /** before the `onAround` that it belongs to */
  onOvertake?: (overtake: OvertakeMessage) => void;
}

export interface FeedOptions extends ConnectionOptions, WatchEvents {
  board: string;
  top: number;
  onFrame?: (frame: Frame) => void;
}

export class Feed {
  constructor(options: FeedOptions);
  start(): void;
  stop(): void;
  watch(top: number): void;
  follow(viewport: Viewport): void;
  nudge(): void;
}

export interface Standings {
  rows: readonly Row[];
  total: number;
  season: string;
  position: Position;
}

export interface LiveBoardOptions extends ConnectionOptions, WatchEvents {
  board: string;
  top?: number;
  onChange?: (standings: Standings) => void;
}

export class LiveBoard {
  constructor(options: LiveBoardOptions);
  readonly standings: Standings | null;
  readonly state: State;
  start(): this;
  stop(): void;
  watch(top: number): void;
  follow(viewport: Viewport): void;
  nudge(): void;
}

export interface WatchOptions extends WatchEvents {
  /** rows wanted, 10 if left out */
  top?: number;
  onFrame?: (frame: Frame) => void;
  /** this board is not shown to us, and is not asked for again */
  onRefused?: (refusal: { code: string; detail: string }) => void;
}

export class Boards {
  constructor(options?: SocketOptions);
  /** One watch of a board; what it returns ends it. */
  watch(board: string, options?: WatchOptions): () => void;
  start(): this;
  stop(): void;
  nudge(): void;
}

export interface LeadEvent extends Who {
  kind: "lead";
  score: number;
  /** who led before; null on an empty board */
  from: Who | null;
}

export interface OvertakeEvent extends Who {
  kind: "overtake";
  rank: number;
  previousRank: number;
  /** the one right behind it first */
  passed: Who[];
}

export interface EnteredEvent extends Who {
  kind: "entered";
  rank: number;
}

export interface LeftEvent extends Who {
  kind: "left";
}

export type BoardEvent = LeadEvent | OvertakeEvent | EnteredEvent | LeftEvent;

/** What happened between two standings of the same board, size and season; one event a player, the most important first. */
export function eventsBetween(old: readonly Row[], next: readonly Row[]): BoardEvent[];

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
  /** localStorage if left out; null: memory alone */
  storage?: Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length"> | null;
  name?: string;
  limit?: number;
  onAnswer?: (answer: Submitted, submission: Submission) => void;
  /** null for what was stored and can't be read */
  onRefused?: (error: Error, submission: Submission | null) => void;
}

export class SubmitQueue {
  constructor(options: QueueOptions);
  readonly waiting: { key: string; submission: Submission }[];
  add(submission: Submission): string;
  /** Why it ended with scores that still wait; null if none does. */
  flush(): Promise<Error | null>;
}
