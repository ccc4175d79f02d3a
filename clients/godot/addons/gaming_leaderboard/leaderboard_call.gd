class_name LeaderboardCall
extends RefCounted
## One request, as the generated methods put it together.

var method: String
var path: String
## A Dictionary, or null.
var body: Variant = null
## Idempotency key: with it the same submit counts once, however often it is sent.
var key := ""
var _query := PackedStringArray()


func _init(asked_method: String, asked_path: String) -> void:
	method = asked_method
	path = asked_path


## A name for a submit that nobody else has.
static func new_key() -> String:
	return Crypto.new().generate_random_bytes(16).hex_encode()


## What is as it would be unsaid is not said.
func with(name: String, value: Variant, unsaid: Variant) -> void:
	if typeof(value) != typeof(unsaid) or value != unsaid:
		_query.append("%s=%s" % [name, str(value).uri_encode()])


func with_each(name: String, values: Array) -> void:
	for value: Variant in values:
		_query.append("%s=%s" % [name, str(value).uri_encode()])


## Whether it may be sent again while its outcome is not known.
func is_repeatable() -> bool:
	return method == "GET" or key != ""


func address(url: String) -> String:
	var search := "?" + "&".join(_query) if _query else ""
	return url.trim_suffix("/") + "/api/v1/" + path + search
