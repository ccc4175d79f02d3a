/** Feeds and boards whose other end is played by hand: the faults that they must stand are those that the real server does not make. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { afterEach, test } from "node:test";

import { Boards, Feed, LiveBoard } from "../src/index.js";

/** What was opened last, and everything that waits for the next of something. */
let sockets = [];
let waiting = [];
const stops = [];

afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  assert.deepEqual(sockets.filter((socket) => socket.readyState < 2), [], "no socket is left open");
  sockets = [];
});

/** The browser's end and the server's end of a socket in one. */
class Played {
  constructor(url, protocols) {
    Object.assign(this, { url, protocols, readyState: 0, said: [] });
    sockets.push(this);
    wake();
  }

  send(text) {
    this.said.push(JSON.parse(text));
    wake();
  }

  close() {
    this.readyState = 3;
  }

  open() {
    this.readyState = 1;
    this.onopen?.();
  }

  tell(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  end(code) {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  get commands() {
    return this.said.filter(({ type }) => type !== "ping");
  }
}

function wake() {
  for (const look of waiting.splice(0)) look();
}

/** Until something is so; what it waits for tells. */
async function until(check) {
  while (!check()) await new Promise((resolve) => waiting.push(resolve));
  return check();
}

const row = (player, rank, score) => ({ rank, player, name: player, score, subscore: 0, submissions: 1, achieved_at: "" });
const ADA = row("ada", 1, 300);
const snapshot = (leaderboard, offset, more) => ({
  ...{ type: "snapshot", leaderboard, season: "all-time", top: 10, epoch: "e", offset, total: 1, entries: [ADA] },
  ...more,
});
const delta = (leaderboard, offset, changed = []) => ({
  ...{ type: "delta", leaderboard, season: "all-time", top: 10, epoch: "e", offset, total: 1, changed, left: [] },
});
const url = "http://board.example";

/** @param {object} options of a feed, without what every one of them has */
function feed(options) {
  const told = { frames: [], states: [], pulses: [], arounds: [], overtakes: [] };
  const made = new Feed({
    ...{ url, board: "cup", top: 10, WebSocket: Played },
    onFrame: (frame) => told.frames.push(frame),
    onState: (state) => (told.states.push(state), wake()),
    onPulse: (pulse) => told.pulses.push(pulse),
    onAround: (around) => told.arounds.push(around),
    onOvertake: (overtake) => told.overtakes.push(overtake),
    ...options,
  });
  stops.push(() => made.stop());
  made.start();
  return { made, told };
}

function boards(options) {
  const made = new Boards({ url, WebSocket: Played, ...options });
  stops.push(() => made.stop());
  return made;
}

// --- A feed ----------------------------------------------------------------------------------------------------------

test("what is asked for is in the first address and in the command that resumes", () => {
  const { made, told } = feed({ pulse: true, around: 2, player: "a/b", ticket: "t" });
  assert.equal(sockets[0].url, "ws://board.example/ws/leaderboard/cup/?top=10&around=2&player=a%2Fb&pulse=1");
  assert.deepEqual(sockets[0].protocols, ["leaderboard.v1", "ticket.t"]);
  sockets[0].open();
  sockets[0].tell(snapshot("cup", 1));
  sockets[0].end(1006);
  made.nudge();
  assert.equal(sockets[1].url, "ws://board.example/ws/");
  sockets[1].open();
  const wanted = { top: 10, pulse: true, around: 2, player: "a/b" };
  assert.deepEqual(sockets[1].said, [{ type: "subscribe", leaderboard: "cup", ...wanted, since: { epoch: "e", offset: 1 } }, { type: "ping" }]);
  sockets[1].tell({ type: "pong" });
  assert.deepEqual(told.states.map(({ kind }) => kind), ["connecting", "live", "waiting", "connecting", "live"]);
});

test("pulse, overtake and around are told", () => {
  const { told } = feed({ pulse: true, own: true });
  assert.match(sockets[0].url, /\?top=10&around=3&pulse=1&own=1$/);
  sockets[0].open();
  const pulse = { type: "pulse", leaderboard: "cup", watching: 2, scores_per_minute: null };
  const overtake = { type: "overtake", leaderboard: "cup", season: "all-time", player: "bo", rank: 2, previous_rank: 1, passed_by: [], passed: [] };
  const around = { type: "around", leaderboard: "cup", season: "all-time", player: "bo", rank: 2, total: 2, entries: [] };
  for (const message of [snapshot("cup", 1), pulse, overtake, around, { ...pulse, leaderboard: "other" }]) sockets[0].tell(message);
  assert.deepEqual([told.pulses, told.overtakes, told.arounds], [[pulse], [overtake], [around]]);
});

test("another player is followed on the same socket, and what comes late of the one before is not told", () => {
  const { made, told } = feed({ player: "ada" });
  sockets[0].open();
  sockets[0].tell(snapshot("cup", 1));
  made.follow({ player: "bo", around: 1 });
  const since = { epoch: "e", offset: 1 };
  assert.deepEqual(sockets[0].commands, [{ type: "subscribe", leaderboard: "cup", top: 10, around: 1, player: "bo", since }]);
  const around = (player) => ({ type: "around", leaderboard: "cup", player, rank: null, total: 1, entries: [] });
  for (const player of ["ada", "bo"]) sockets[0].tell(around(player));
  assert.deepEqual(told.arounds.map(({ player }) => player), ["bo"]);
  made.follow({});
  assert.deepEqual(sockets[0].commands[1], { type: "subscribe", leaderboard: "cup", top: 10, since });
  sockets[0].tell(around("bo"));
  assert.equal(told.arounds.length, 1);
  assert.equal(sockets.length, 1);
  assert.throws(() => made.follow({ player: "ada", own: true }), TypeError);
});

test("who stops the feed on a frame hears no more of it", () => {
  const { made, told } = feed({ onFrame: () => made.stop() });
  sockets[0].open();
  sockets[0].tell(snapshot("cup", 1));
  assert.deepEqual(told.states.map(({ kind }) => kind), ["connecting"]);
  assert.equal(sockets[0].readyState, 3);
});

test("a live board passes on what it is asked for", () => {
  const pulses = [];
  const board = new LiveBoard({ url, board: "cup", top: 7, pulse: true, WebSocket: Played, onPulse: (pulse) => pulses.push(pulse) }).start();
  stops.push(() => board.stop());
  sockets[0].open();
  sockets[0].tell(snapshot("cup", 1));
  sockets[0].tell({ type: "pulse", leaderboard: "cup", watching: 1, scores_per_minute: 3 });
  board.follow({ own: true });
  assert.deepEqual([board.standings.rows, pulses[0].watching], [[ADA], 1]);
  assert.equal(sockets[0].commands[0].own, true);
});

// --- Where sockets don't open ----------------------------------------------------------------------------------------

/** A server of streams that answers as it is told; what is not asked for stays open. */
async function streams(...answers) {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request);
    const { status = 200, type = "text/event-stream", body = "", headers = {}, ends = false } = answers.shift() ?? {};
    response.writeHead(status, { "Content-Type": type, ...headers });
    response.write(body || ":\n");
    if (ends) response.end();
    request.on("close", wake);
    response.on("close", () => ((response.gone = true), wake()));
    request.answer = response;
    wake();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => (server.closeAllConnections(), server.close()));
  return { asked, url: `http://127.0.0.1:${server.address().port}` };
}

const told = (message, id = "") => `${id}data: ${JSON.stringify(message)}\n\n`;

test("after two sockets that never opened it listens to a stream, and resumes there", async () => {
  const server = await streams(
    { body: `retry: 1000\n\nid: e:1\n${told(snapshot("cup", 1))}${told(delta("cup", 2, [row("bo", 1, 400)]))}`, ends: true },
    {},
  );
  const { made, told: heard } = feed({ url: server.url, ticket: "secret", pulse: true });
  sockets[0].end(1006);
  made.nudge();
  sockets[1].end(1006);
  made.nudge();
  await until(() => heard.frames.length === 2 && heard.states.at(-1).kind === "waiting");
  assert.equal(sockets.length, 2);
  assert.equal(server.asked[0].url, "/sse/leaderboard/cup/?top=10&pulse=1");
  assert.equal(server.asked[0].headers.authorization, "Ticket secret");
  made.nudge();
  await until(() => server.asked.length === 2 && heard.states.at(-1).kind === "live"); // though nothing was missed and nothing came
  assert.equal(server.asked[1].url, "/sse/leaderboard/cup/?top=10&pulse=1&since=e%3A2");
  made.follow({ player: "bo" });
  await until(() => server.asked.length === 3);
  assert.equal(server.asked[2].url, "/sse/leaderboard/cup/?top=10&around=3&player=bo&pulse=1&since=e%3A2");
  await until(() => server.asked[1].answer.gone);
  made.stop();
  await until(() => server.asked[2].answer.gone);
});

test("a stream that does not open either gives sockets another turn", async () => {
  const server = await streams({ status: 502, type: "text/html", body: "<html>", ends: true });
  const { made, told: heard } = feed({ url: server.url });
  for (const socket of [0, 1]) {
    sockets[socket].end(1006);
    made.nudge();
  }
  await until(() => heard.states.at(-1).kind === "waiting");
  made.nudge();
  assert.equal(sockets.length, 3);
  sockets[2].open();
  sockets[2].tell(snapshot("cup", 1));
  assert.equal(heard.states.at(-1).kind, "live");
});

test("a board that is refused to a stream is not asked for again, and why is told as a socket tells it", async () => {
  const refusals = { leaderboard_not_found: [404, 4404], not_authenticated: [401, 4401], forbidden: [403, 4403], invalid_parameter: [400, 4400] };
  for (const [code, [status, closed]] of Object.entries(refusals)) {
    const server = await streams({ status, type: "application/problem+json", body: JSON.stringify({ code }), ends: true });
    const { told: heard } = feed({ url: server.url, transport: "sse" });
    await until(() => heard.states.length === 2);
    assert.deepEqual(heard.states[1], { kind: "refused", code: closed });
  }
});

test("a stream that is full is asked again when it says", async () => {
  const problem = JSON.stringify({ code: "overloaded" });
  const server = await streams({ status: 503, type: "application/problem+json", headers: { "Retry-After": "7" }, body: problem, ends: true });
  const { told: heard } = feed({ url: server.url, transport: "sse" });
  await until(() => heard.states.length === 2);
  const inMs = heard.states[1].until - performance.now();
  assert.ok(inMs > 6_900 && inMs <= 14_000, `${inMs} ms: as it says, and spread`);
});

test("without a WebSocket it listens to a stream at once, and who insists on a socket is told", async () => {
  const server = await streams({ body: told(snapshot("cup", 1)) });
  const { told: heard } = feed({ url: server.url, WebSocket: null });
  await until(() => heard.frames.length === 1);
  assert.throws(() => new Feed({ url, board: "cup", top: 10, WebSocket: null, transport: "websocket" }), TypeError);
});

// --- Many boards -----------------------------------------------------------------------------------------------------

/** Two boards on one open socket, both with a snapshot. */
function two(options) {
  const frames = { cup: [], daily: [] };
  const refused = [];
  const states = [];
  const made = boards({ onState: ({ kind }) => states.push(kind) });
  const stop = Object.fromEntries(
    Object.keys(frames).map((board) => [
      board,
      made.watch(board, { ...options, onFrame: (frame) => frames[board].push(frame.offset), onRefused: ({ code }) => refused.push([board, code]) }),
    ]),
  );
  made.start();
  sockets[0].open();
  for (const [board, offset] of Object.entries({ cup: 1, daily: 5 })) sockets[0].tell(snapshot(board, offset));
  return { made, stop, frames, refused, states, socket: sockets[0] };
}

test("two boards are asked for on one socket with one ping, and each has its frames", () => {
  const pulses = [];
  const { frames, states, socket } = two({ pulse: true, onPulse: ({ watching }) => pulses.push(watching) });
  const wanted = { top: 10, pulse: true };
  assert.deepEqual(socket.said, [
    { type: "subscribe", leaderboard: "cup", ...wanted },
    { type: "subscribe", leaderboard: "daily", ...wanted },
    { type: "ping" },
  ]);
  for (const message of [delta("cup", 2), delta("daily", 6), delta("other", 7), { type: "pulse", leaderboard: "daily", watching: 4 }]) socket.tell(message);
  assert.deepEqual([frames, pulses, states], [{ cup: [1, 2], daily: [5, 6] }, [4], ["connecting", "live"]]);
});

test("a gap of one board asks for that one anew, found by a frame or by a heartbeat", async () => {
  const { frames, socket } = two();
  socket.said = [];
  socket.tell(delta("daily", 7));
  socket.tell(delta("cup", 2));
  await until(() => socket.said.length === 2);
  assert.deepEqual(socket.said, [{ type: "subscribe", leaderboard: "daily", top: 10 }, { type: "ping" }]);
  socket.tell(snapshot("daily", 8));
  socket.tell({ type: "heartbeat", positions: { cup: { epoch: "e", offset: 3 }, daily: { epoch: "e", offset: 8 } } });
  await until(() => socket.said.length === 4);
  assert.equal(socket.said[2].leaderboard, "cup");
  assert.deepEqual(frames, { cup: [1, 2], daily: [5, 8] });
});

test("each board resumes from where it was", () => {
  const { made, socket, states } = two();
  socket.tell(delta("cup", 2));
  socket.end(1012);
  made.nudge();
  sockets[1].open();
  assert.deepEqual(sockets[1].commands.map(({ since }) => since.offset), [2, 5]);
  sockets[1].tell({ type: "pong" });
  assert.deepEqual(states, ["connecting", "live", "waiting", "connecting", "live"]);
});

test("a board that is refused leaves the others, and is not asked for again", () => {
  const { made, frames, refused, socket } = two();
  socket.tell({ type: "error", code: "not_authenticated", detail: "", leaderboard: "daily" });
  socket.tell(delta("daily", 6));
  socket.tell(delta("cup", 2));
  assert.deepEqual([refused, frames], [[["daily", "not_authenticated"]], { cup: [1, 2], daily: [5] }]);
  socket.end(1006);
  made.nudge();
  sockets[1].open();
  assert.deepEqual(sockets[1].commands.map(({ leaderboard }) => leaderboard), ["cup"]);
});

test("a board that can't be read just now is asked for again", async () => {
  const { refused, states, socket } = two();
  socket.said = [];
  socket.tell({ type: "error", code: "store_unavailable", detail: "", leaderboard: "daily" });
  socket.tell(delta("cup", 2));
  await until(() => socket.said.length);
  assert.deepEqual([socket.commands, refused, states.at(-1)], [[{ type: "subscribe", leaderboard: "daily", top: 10 }], [], "live"]);
});

test("what is watched and left while the socket is open is said on it, and the last one to leave closes it", async () => {
  const { made, stop, socket } = two();
  socket.said = [];
  const stopThird = made.watch("third", { top: 2, around: 1, player: "ada" });
  assert.throws(() => made.watch("third"), TypeError);
  stop.cup();
  stop.cup();
  await until(() => socket.said.length);
  assert.deepEqual(socket.said, [
    { type: "subscribe", leaderboard: "third", top: 3, around: 1, player: "ada" },
    { type: "unsubscribe", leaderboard: "cup" },
    { type: "ping" },
  ]);
  stop.daily();
  stopThird();
  assert.equal(socket.readyState, 3);
});

test("the thirty-third board has a socket of its own, and the worse state is told", () => {
  const states = [];
  const made = boards({ onState: ({ kind }) => states.push(kind) });
  const stops = Array.from({ length: 33 }, (_, number) => made.watch(`b${number}`));
  made.start();
  assert.equal(sockets.length, 2);
  for (const socket of sockets) socket.open();
  for (let number = 0; number < 32; number++) sockets[0].tell(snapshot(`b${number}`, 1));
  assert.deepEqual([sockets.map(({ commands }) => commands.length), states], [[32, 1], ["connecting"]]);
  sockets[1].tell(snapshot("b32", 1));
  assert.equal(states.at(-1), "live");
  sockets[1].end(1006);
  assert.equal(states.at(-1), "waiting");
  stops[32]();
  assert.equal(states.at(-1), "live");
});

test("nothing is left when boards are stopped, and they go on where they were", () => {
  const { made, socket, states } = two();
  made.stop();
  assert.equal(socket.readyState, 3);
  made.start();
  sockets[1].open();
  assert.deepEqual(sockets[1].commands.map(({ since }) => since.offset), [1, 5]);
  assert.equal(states.at(-1), "connecting");
});

test("where sockets don't open all boards come by one stream, which is opened anew for what changes", async () => {
  const gone = told({ type: "error", code: "leaderboard_not_found", detail: "", leaderboard: "nowhere" });
  const resumed = told(delta("daily", 6)) + told(snapshot("third", 9, { top: 3 }));
  const server = await streams({ body: told(snapshot("cup", 1)) + gone + told(snapshot("daily", 5)) }, { body: resumed });
  const commands = (request) => new URL(request.url, server.url).searchParams.getAll("subscribe").map((text) => JSON.parse(text));
  const [frames, refused, states] = [[], [], []];
  const made = boards({ url: server.url, transport: "sse", onState: ({ kind }) => (states.push(kind), wake()) });
  const watch = (board, more) =>
    made.watch(board, { onFrame: ({ offset }) => (frames.push([board, offset]), wake()), onRefused: () => refused.push(board), ...more });
  const stopCup = watch("cup");
  watch("daily", { pulse: true });
  watch("nowhere");
  made.start();
  await until(() => states.at(-1) === "live");
  assert.deepEqual(commands(server.asked[0]), [
    { leaderboard: "cup", top: 10 },
    { leaderboard: "daily", top: 10, pulse: true },
    { leaderboard: "nowhere", top: 10 },
  ]);
  assert.deepEqual(refused, ["nowhere"]);
  stopCup();
  watch("third", { top: 2 });
  await until(() => frames.length === 4 && server.asked[0].answer.gone);
  assert.deepEqual(commands(server.asked[1]), [
    { leaderboard: "daily", top: 10, pulse: true, since: { epoch: "e", offset: 5 } },
    { leaderboard: "third", top: 3 },
  ]);
  assert.deepEqual(frames, [["cup", 1], ["daily", 5], ["daily", 6], ["third", 9]]);
  assert.deepEqual([server.asked.length, states.at(-1)], [2, "live"]);
});

test("a board that a stream can't have just now is asked for again by another", async () => {
  const body = told(snapshot("cup", 1)) + told({ type: "error", code: "store_unavailable", detail: "", leaderboard: "daily" });
  const server = await streams({ body }, { body: told(snapshot("daily", 5)) });
  const frames = [];
  const made = boards({ url: server.url, transport: "sse" });
  for (const board of ["cup", "daily"]) made.watch(board, { onFrame: ({ offset }) => (frames.push([board, offset]), wake()) });
  made.start();
  await until(() => frames.length === 2);
  assert.deepEqual(frames, [["cup", 1], ["daily", 5]]);
  assert.match(server.asked[1].url, /cup.*offset.*1.*daily/);
});

test("an address that would be too long leaves out where each board is", async () => {
  const slugs = Array.from({ length: 32 }, (_, number) => `${number}-`.padEnd(64, "x"));
  const body = slugs.map((slug) => told(snapshot(slug, 123_456_789, { epoch: "0123456789abcdef" }))).join("");
  const server = await streams({ body, ends: true }, { body });
  let shown = 0;
  const made = boards({ url: server.url, transport: "sse" });
  for (const slug of slugs) made.watch(slug, { pulse: true, around: 1, player: "ada", onFrame: () => (shown++, wake()) });
  made.start();
  await until(() => shown === 64);
  for (const { url: path } of server.asked) assert.deepEqual([path.length < 8_192, path.includes("since")], [true, false]);
});
