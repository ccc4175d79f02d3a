class_name LeaderboardCalls
extends Node
## Sends requests, and sends again what may be repeated while its outcome is unclear: reads, and submits, which have a key.
## Use [LeaderboardClient], which has a method for every route.

const LONGEST_WAIT_S := 10.0
const LONGEST_RETRY_AFTER_S := 60.0

## Where the service is: https://scores.example
@export var url := ""
## Of one try, in seconds.
@export var timeout := 15.0
## Of one call.
@export var tries := 5
## Of a game server; never in what players hold.
var api_key := ""
## Gives a player's access token, a fresh one where the last has ended; may be a coroutine.
var token := Callable()
## Opens private boards.
var ticket := ""


func ask(asked: LeaderboardCall) -> LeaderboardReply:
	var reply := await _once(asked)
	for attempt in tries - 1:
		if not _may_repeat(asked, reply.refusal):
			break
		await get_tree().create_timer(_pause(attempt, reply.refusal)).timeout
		reply = await _once(asked)
	return reply


## A sign-in whose answer was lost may have happened; one that was refused for now has not.
func _may_repeat(asked: LeaderboardCall, refusal: LeaderboardRefusal) -> bool:
	if refusal == null:
		return false
	return refusal.is_temporary() if asked.is_repeatable() else refusal.status in [429, 503]


func _pause(attempt: int, refusal: LeaderboardRefusal) -> float:
	return maxf(refusal.retry_after, LeaderboardBackoff.seconds(attempt, LONGEST_WAIT_S))


## A node for each request: several may be under way.
func _once(asked: LeaderboardCall) -> LeaderboardReply:
	var sender := HTTPRequest.new()
	sender.timeout = timeout
	add_child(sender)
	var text := "" if asked.body == null else JSON.stringify(asked.body)
	var method: HTTPClient.Method = {
		"GET": HTTPClient.METHOD_GET,
		"POST": HTTPClient.METHOD_POST,
		"PATCH": HTTPClient.METHOD_PATCH,
		"DELETE": HTTPClient.METHOD_DELETE,
	}[asked.method]
	var begun := sender.request(asked.address(url), await _headers(asked), method, text)
	if begun != OK:
		sender.queue_free()
		return LeaderboardReply.refused(LeaderboardRefusal.no_answer(error_string(begun)))
	var told: Array = await sender.request_completed
	sender.queue_free()
	return _reply(told[0], told[1], told[2], told[3])


func _headers(asked: LeaderboardCall) -> PackedStringArray:
	var headers := PackedStringArray(["Accept: application/json"])
	if asked.body != null:
		headers.append("Content-Type: application/json")
	if asked.key:
		headers.append("Idempotency-Key: " + asked.key)
	if api_key:
		headers.append("Authorization: Api-Key " + api_key)
	elif token.is_valid():
		headers.append("Authorization: Bearer " + str(await token.call()))
	elif ticket:
		headers.append("Authorization: Ticket " + ticket)
	return headers


func _reply(result: int, status: int, headers: PackedStringArray, body: PackedByteArray) -> LeaderboardReply:
	if result != HTTPRequest.RESULT_SUCCESS:
		return LeaderboardReply.refused(LeaderboardRefusal.no_answer("The request failed: %d" % result))
	var data: Variant = LeaderboardJson.parsed(body.get_string_from_utf8())
	if status < 200 or status >= 300:
		var problem: Dictionary = {} if data == null else data
		return LeaderboardReply.refused(LeaderboardRefusal.of(status, problem, _retry_after(headers)))
	if data == null and status != 204:  # a proxy's page, or cut off on the way
		return LeaderboardReply.refused(LeaderboardRefusal.no_answer("The answer is no JSON"))
	var reply := LeaderboardReply.new()
	reply.data = {} if data == null else data
	return reply


func _retry_after(headers: PackedStringArray) -> float:
	for header in headers:
		if header.to_lower().begins_with("retry-after:"):
			return clampf(header.get_slice(":", 1).to_float(), 0.0, LONGEST_RETRY_AFTER_S)
	return 0.0
