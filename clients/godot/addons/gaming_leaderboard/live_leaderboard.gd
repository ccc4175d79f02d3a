class_name LiveLeaderboard
extends Node
## A board that keeps itself up to date while it is in the tree. It resumes after a lost connection from where it was, asks for a
## snapshot when a frame is missing, and comes back with pauses that grow at random.

## After each frame. Rows are in order of rank.
signal changed(rows: Array[LeaderboardShapes.Row], total: int)
signal state_changed(state: State)
## How many watch, and how many scores come in a minute (-1: not known yet).
signal pulsed(watching: int, scores_per_minute: int)
## The player's rank (0: not ranked) and the rows around it.
signal surroundings_changed(rank: int, rows: Array[LeaderboardShapes.Row])
## The names of those who passed the player and whom it passed.
signal overtaken(rank: int, previous_rank: int, passed_by: Array, passed: Array)

## PAUSED: connected, but the service's own feed is away. REFUSED: asking again changes nothing.
enum State { STOPPED, CONNECTING, LIVE, PAUSED, WAITING, REFUSED }

## The service speaks at least every 10 s; two missed heartbeats and a half are no accident.
const QUIET_MS := 25_000
const ANSWER_MS := 8_000
const STEADY_MS := 5_000
const LONGEST_WAIT_S := 20.0
const FINAL_CODES: Array[int] = [4400, 4401, 4403, 4404]
const TOO_MANY := 4429
const TOO_MANY_ATTEMPT := 4
## A hundred rows are 30,000 bytes.
const BUFFER_BYTES := 1 << 18

## Where the service is: https://scores.example
@export var url := ""
@export var board := ""
## Rows wanted, 1 to 100.
@export var top := 10
@export var autostart := true
## Tell [signal pulsed].
@export var pulse := false
## Rows either side of [member player], 1 to 10: [signal surroundings_changed] and [signal overtaken]. 0: none.
@export var around := 0
## Whose surroundings; if empty, those of the ticket's player.
@export var player := ""
## Opens a private board, and names the player.
var ticket := ""

var rows: Array[LeaderboardShapes.Row] = []
var total := 0
var season := ""
var state := State.STOPPED
var _socket: WebSocketPeer = null
## None before the first snapshot and after a gap: then deltas don't apply.
var _position := {}
var _is_open := false
var _is_feed_away := false
var _attempt := 0
var _opened_at := 0
var _heard_at := 0
var _patience_ms := QUIET_MS
var _asked_s := 0.0
var _retry_at := 0


func _ready() -> void:
	if autostart:
		start()


func _exit_tree() -> void:
	stop()


func start() -> void:
	stop()
	_open()


## Let go of the socket; [method start] resumes where it was.
func stop() -> void:
	if _socket != null:
		_socket.close()
	_socket = null
	_retry_at = 0
	state = State.STOPPED


func _process(_delta: float) -> void:
	var now := Time.get_ticks_msec()
	if _socket != null:
		_poll(now)
	elif _retry_at > 0 and now >= _retry_at:
		_open()


func _open() -> void:
	_socket = WebSocketPeer.new()
	_socket.inbound_buffer_size = BUFFER_BYTES
	if ticket:
		_socket.supported_protocols = PackedStringArray(["leaderboard.v1", "ticket." + ticket])
	_is_open = false
	_is_feed_away = false
	_asked_s = 0.0
	_retry_at = 0
	_opened_at = Time.get_ticks_msec()
	_expect(ANSWER_MS)
	_tell(State.CONNECTING)
	if _socket.connect_to_url(_address()) != OK:
		_lost(0)


## By the path a snapshot comes unasked, and a refusal is a close code; the bare address takes `since`.
func _address() -> String:
	var base := "ws" + url.trim_suffix("/").trim_prefix("http")
	if _position:
		return base + "/ws/"
	var address := base + "/ws/leaderboard/%s/?top=%d" % [board.uri_encode(), LeaderboardRows.round_up(top)]
	var wishes := _wishes()
	for wish: String in wishes:
		var value: String = "1" if wishes[wish] is bool else str(wishes[wish]).uri_encode()
		address += "&%s=%s" % [wish, value]
	return address


func _wishes() -> Dictionary:
	var wishes := {}
	if pulse:
		wishes["pulse"] = true
	if around > 0:
		wishes["around"] = around
		if player:
			wishes["player"] = player
		else:
			wishes["own"] = true
	return wishes


func _poll(now: int) -> void:
	_socket.poll()
	var is_ready := _socket.get_ready_state() == WebSocketPeer.STATE_OPEN
	if is_ready and not _is_open:
		_is_open = true
		if _position:
			_subscribe()
	while _socket != null and _socket.get_available_packet_count() > 0:
		_hear(_socket.get_packet().get_string_from_utf8())
	if _socket == null:
		return
	if _socket.get_ready_state() == WebSocketPeer.STATE_CLOSED:
		_lost(_socket.get_close_code())
	elif now - _heard_at > _patience_ms:
		_lost(0)


## Nothing is sent to one who missed nothing; the pong behind the subscription tells that it was heard.
func _subscribe() -> void:
	var command := _wishes()
	command["type"] = "subscribe"
	command["leaderboard"] = board
	command["top"] = LeaderboardRows.round_up(top)
	if _position:
		command["since"] = _position
	_socket.send_text(JSON.stringify(command))
	_socket.send_text(JSON.stringify({"type": "ping"}))
	_expect(ANSWER_MS)


func _expect(patience_ms: int) -> void:
	_heard_at = Time.get_ticks_msec()
	_patience_ms = patience_ms


func _hear(text: String) -> void:
	# While a snapshot is due, other messages are no answer.
	if _position or _is_feed_away:
		_expect(QUIET_MS)
	if Time.get_ticks_msec() - _opened_at > STEADY_MS:
		_attempt = 0
	var message: Variant = LeaderboardJson.parsed(text)
	if message == null:
		return
	match LeaderboardJson.text(message, "type"):
		"pong":
			_answered()
		"heartbeat":
			_compare(LeaderboardJson.map(LeaderboardJson.map(message, "positions"), board))
		"status":
			_feed(message.get("live") != false)
		"bye":
			_asked_s = minf(LONGEST_WAIT_S, LeaderboardJson.real(message, "retry_in_ms") / 1000.0)
		"error":
			# A close code may follow and say more; else the board is asked for anew by its path.
			_position = {}
			_expect(ANSWER_MS)
		_:
			if LeaderboardJson.text(message, "leaderboard") == board:
				_take(message)


func _take(message: Dictionary) -> void:
	match LeaderboardJson.text(message, "type"):
		"snapshot":
			if LeaderboardJson.whole(message, "top") == LeaderboardRows.round_up(top):
				_show(message, _rows(message, "entries"))
				_expect(QUIET_MS)
				_answered()
		"delta":
			if LeaderboardJson.whole(message, "top") == LeaderboardRows.round_up(top):
				_follow(message)
		"pulse":
			var rate: Variant = LeaderboardJson.optional_whole(message, "scores_per_minute")
			pulsed.emit(LeaderboardJson.whole(message, "watching"), -1 if rate == null else rate)
		"around":
			surroundings_changed.emit(LeaderboardJson.whole(message, "rank"), _rows(message, "entries"))
		"overtake":
			overtaken.emit(
				LeaderboardJson.whole(message, "rank"),
				LeaderboardJson.whole(message, "previous_rank"),
				_names(message, "passed_by"),
				_names(message, "passed")
			)


func _rows(message: Dictionary, field: String) -> Array[LeaderboardShapes.Row]:
	return LeaderboardRows.of(LeaderboardJson.items(message, field))


func _names(message: Dictionary, field: String) -> Array:
	return LeaderboardJson.items(message, field).map(func(who: Dictionary) -> String: return who["name"])


func _answered() -> void:
	if _position:
		_tell(State.PAUSED if _is_feed_away else State.LIVE)


func _feed(is_live: bool) -> void:
	_is_feed_away = not is_live
	_tell(State.LIVE if is_live else State.PAUSED)


func _follow(frame: Dictionary) -> void:
	if not _position:
		return
	match LeaderboardRows.relation(_position, frame):
		LeaderboardRows.Fit.NEXT:
			var left := LeaderboardJson.items(frame, "left")
			_show(frame, LeaderboardRows.apply(rows, _rows(frame, "changed"), left))
			_feed(true)
		LeaderboardRows.Fit.GAP:
			_start_over()


func _show(frame: Dictionary, next: Array[LeaderboardShapes.Row]) -> void:
	_position = {"epoch": frame["epoch"], "offset": int(frame["offset"])}
	rows = next
	total = LeaderboardJson.whole(frame, "total")
	season = LeaderboardJson.text(frame, "season")
	changed.emit(rows, total)


## A heartbeat comes behind the frames it counts: a position ahead of ours means that the last of them was lost.
func _compare(theirs: Dictionary) -> void:
	if theirs and _position and LeaderboardRows.relation(_position, theirs) != LeaderboardRows.Fit.KNOWN:
		_start_over()


func _start_over() -> void:
	_position = {}
	_subscribe()


## [param code] is -1 or 0 where the line was lost.
func _lost(code: int) -> void:
	_socket = null
	if code in FINAL_CODES:
		_tell(State.REFUSED)
		return
	if code == TOO_MANY:
		_attempt = maxi(_attempt, TOO_MANY_ATTEMPT)
	var wait := maxf(_asked_s, LeaderboardBackoff.seconds(_attempt, LONGEST_WAIT_S))
	_attempt += 1
	_retry_at = Time.get_ticks_msec() + int(wait * 1000.0)
	_tell(State.WAITING)


func _tell(next: State) -> void:
	if state != next:
		state = next
		state_changed.emit(state)
