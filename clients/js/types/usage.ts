/** What users write, for the type checker: it is never run. */
import { Boards, Client, Feed, LeaderboardError, LiveBoard, SubmitQueue, applyDelta, eventsBetween, type BoardEvent, type Standings } from "gaming-leaderboard";

const client = new Client({ url: "https://scores.example", token: async () => "t" });
const { results } = await client.submit({ score: 1, subscore: 2, metadata: { level: 3 } }, { idempotencyKey: "k" });
const rank: number = results[0]!.rank;
const mine: number | undefined = (await client.rank("cup", "ada"))?.rank;

let before: Standings | null = null;
const board = new LiveBoard({
  board: "cup",
  pulse: true,
  own: true,
  around: 3,
  transport: "auto",
  onChange: (now) => {
    const events: BoardEvent[] = eventsBetween(before?.rows ?? [], now.rows);
    for (const event of events) if (event.kind === "overtake") console.log(event.passed[0]!.name, event.previousRank);
    before = now;
  },
  onPulse: ({ watching, scores_per_minute }) => console.log(watching, scores_per_minute ?? "?"),
  onAround: ({ rank, entries }) => console.log(rank ?? "-", entries.length),
  onOvertake: ({ passed_by }) => console.log(passed_by.map(({ name }) => name)),
  onState: (state) => console.log(state.kind === "refused" ? state.code : state.kind),
}).start();
board.follow({ player: "ada" });

new Feed({ board: "cup", top: 10, onFrame: (frame) => console.log(frame.type === "delta" ? applyDelta([], frame) : frame.entries) }).start();
const stop: () => void = new Boards({ ticket: "t" }).start().watch("cup", { top: 3, onRefused: ({ code }) => console.log(code) });

const queue = new SubmitQueue({ client, onRefused: (error, submission) => console.log(error.message, submission?.score) });
const why: Error | null = await queue.flush();
if (why instanceof LeaderboardError) console.log(why.code, rank, mine, stop);

// @ts-expect-error: a score is a number
client.submit({ score: "1" });
// @ts-expect-error: there is no such transport
new LiveBoard({ board: "cup", transport: "pigeon" });
// @ts-expect-error: many boards need a socket
new Boards({ transport: "sse" });
