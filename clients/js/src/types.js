// @ts-check
/**
 * What connections and channels are told and tell, for who reads the code and checks its types. No module loads this one: a page that shows
 * a board by a line or two does not carry it along.
 */

/**
 * @typedef {import("./rows.js").Row} Row
 * @typedef {import("./rows.js").Position} Position
 *
 * @typedef {{type: "snapshot", season: string, epoch: string, offset: number, total: number, entries: Row[]}} Snapshot
 * @typedef {{type: "delta", season: string, epoch: string, offset: number, total: number, changed: Row[], left: string[]}} DeltaFrame
 *
 * @typedef {{type: "pulse", watching: number, scores_per_minute: number | null}} Pulse `scores_per_minute` is null while it is not known yet
 * @typedef {{type: "around", season: string, player: string, rank: number | null, total: number, entries: Row[]}} Around
 *   one who is not ranked has no rank and no entries
 * @typedef {{type: "overtake", season: string, player: string, rank: number, previous_rank: number,
 *   passed_by: {player: string, name: string}[], passed: {player: string, name: string}[]}} OvertakeMessage
 *
 * @typedef {{around?: number, player?: string, own?: boolean}} Viewport rows on either side (1 to 10) of a player, or of the
 *   player whose credential this is; empty: none
 *
 * @typedef {object} ChannelOptions
 * @property {string} board slug
 * @property {number} top one of TOPS
 * @property {boolean} [pulse] whether to be told how many watch and play
 * @property {number} [around]
 * @property {string} [player]
 * @property {boolean} [own]
 * @property {(frame: Snapshot | DeltaFrame) => void} [onFrame] always applicable, in order
 * @property {(pulse: Pulse) => void} [onPulse]
 * @property {(around: Around) => void} [onAround]
 * @property {(overtake: OvertakeMessage) => void} [onOvertake] before the `around` it belongs to
 */

/**
 * @typedef {{kind: "connecting"} | {kind: "live"} | {kind: "paused"} | {kind: "waiting", until: number, offline: boolean}
 *   | {kind: "refused", code: number}} State
 *   `until` is when the next attempt is made, on the clock of performance.now().
 *
 * @typedef {"auto" | "websocket" | "sse"} Transport
 *
 * @typedef {object} Owner
 * @property {() => string} socketPath where a socket is opened now
 * @property {() => string} streamPath where a stream is opened now
 * @property {() => void} opened
 * @property {(message: any) => void} heard all that is not about the connection itself
 * @property {() => boolean} settled whether nothing asked for is due: until it is so, only a short silence is borne, whatever comes
 * @property {(state: State) => void} state
 *
 * @typedef {object} ConnectionOptions
 * @property {string} [url] where the service is, the page's own origin if left out
 * @property {string} [ticket] opens private boards, see docs/protocol.md
 * @property {typeof WebSocket} [WebSocket] for hosts that have none of their own, such as Node before 22
 * @property {Transport} [transport] "auto" is a WebSocket, and events where two in a row did not open; WebSocket is tried again later
 * @property {typeof fetch} [fetch] what streams are read with
 *
 * @typedef {{isOpen: () => boolean, send: ((text: string) => void) | null, close: () => void}} Line a stream's `send` is null
 * @typedef {{opened: () => void, heard: (text: string) => void, lost: (code: number, askedMs?: number) => void}} Told by one line;
 *   `lost` has a close code, or 0
 * @typedef {ReturnType<typeof setTimeout> | undefined} Timer
 */

export {};
