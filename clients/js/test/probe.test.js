/** In a file of its own: its clock is set by hand, and the other tests' network needs the real one. */
import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Feed } from "../src/index.js";

const sockets = [];

class Played {
  constructor(url) {
    Object.assign(this, { url, readyState: 0, said: [] });
    sockets.push(this);
  }

  send(text) {
    this.said.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  end() {
    this.readyState = 3;
    this.onclose({ code: 1006 });
  }

  open() {
    this.readyState = 1;
    this.onopen();
  }
}

test("a stream looks for sockets now and then, and leaves only for one that is open", async () => {
  let now = performance.now();
  mock.method(performance, "now", () => now);
  mock.timers.enable({ apis: ["setTimeout"] });
  const pass = (ms) => {
    now += ms;
    mock.timers.tick(ms);
  };
  const frame = { type: "snapshot", leaderboard: "cup", season: "s", top: 10, epoch: "e", offset: 1, total: 0, entries: [] };
  const frames = [];
  const states = [];
  let cut = false;
  /** The stream that is open. @type {ReadableStreamDefaultController} */ let stream;
  const say = (message) => stream.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(message)}\n\n`));
  const made = new Feed({
    url: "http://board.example",
    board: "cup",
    top: 10,
    WebSocket: Played,
    fetch: async (_, { signal }) => {
      signal.addEventListener("abort", () => (cut = true));
      return new Response(new ReadableStream({ start: (opened) => void (stream = opened) }));
    },
    onFrame: ({ offset }) => frames.push(offset),
    onState: ({ kind }) => states.push(kind),
  });
  const until = async (check) => {
    while (!check()) await new Promise(setImmediate);
  };
  /** Let time pass as on a stream whose server speaks every 10 s. */
  const listen = async (ms) => {
    for (; ms > 0; ms -= 10_000) {
      pass(Math.min(ms, 10_000));
      say({ type: "heartbeat", positions: {} });
      await new Promise(setImmediate);
    }
  };

  made.start();
  sockets[0].end();
  made.nudge();
  sockets[1].end();
  made.nudge();
  await until(() => stream);
  say(frame);
  await until(() => states.at(-1) === "live");
  pass(13_000); // longer than a heartbeat takes
  made.nudge();
  assert.ok(cut, "what fell silent is not believed");
  cut = false;
  await until(() => states.at(-1) === "live");
  await listen(59_000);
  assert.equal(sockets.length, 2);
  await listen(1_000);
  assert.equal(sockets[2].url, "ws://board.example/ws/");
  sockets[2].end();
  await listen(119_000);
  assert.equal(sockets.length, 3);
  await listen(1_000);
  made.nudge();
  assert.equal(cut, false, "it goes on until a socket is open");
  sockets[3].open();
  assert.ok(cut);
  sockets[4].open();
  assert.deepEqual(sockets[4].said[0].since, { epoch: "e", offset: 1 });
  made.stop();
  assert.deepEqual(sockets.map(({ readyState }) => readyState), [3, 3, 3, 3, 3]);
});
