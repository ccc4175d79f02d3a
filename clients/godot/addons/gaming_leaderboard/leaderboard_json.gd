class_name LeaderboardJson
extends RefCounted
## Reads a JSON object. What is missing reads as nothing: an older service says less. Godot's JSON has every number as a float, which
## holds each whole number that a score may be.


static func text(data: Dictionary, name: String) -> String:
	var value: Variant = data.get(name)
	return value if value is String else ""


static func whole(data: Dictionary, name: String) -> int:
	var value: Variant = optional_whole(data, name)
	return 0 if value == null else value


static func optional_whole(data: Dictionary, name: String) -> Variant:
	var value: Variant = data.get(name)
	return int(value) if value is float or value is int else null


static func real(data: Dictionary, name: String) -> float:
	var value: Variant = optional_real(data, name)
	return 0.0 if value == null else value


static func optional_real(data: Dictionary, name: String) -> Variant:
	var value: Variant = data.get(name)
	return float(value) if value is float or value is int else null


static func truth(data: Dictionary, name: String) -> bool:
	return data.get(name) == true


static func optional_truth(data: Dictionary, name: String) -> Variant:
	var value: Variant = data.get(name)
	return value if value is bool else null


static func map(data: Dictionary, name: String) -> Dictionary:
	var value: Variant = data.get(name)
	return value if value is Dictionary else {}


static func items(data: Dictionary, name: String) -> Array:
	var value: Variant = data.get(name)
	return value if value is Array else []


## The object that a text holds; null if it holds none.
static func parsed(json: String) -> Variant:
	var reader := JSON.new()
	if reader.parse(json) != OK or not reader.data is Dictionary:
		return null
	return reader.data
