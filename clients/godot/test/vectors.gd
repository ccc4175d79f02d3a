extends SceneTree
## godot --headless --path clients/godot --script test/vectors.gd -- PATH_OF_ROWS_JSON


func _init() -> void:
	var vectors: Dictionary = JSON.parse_string(FileAccess.get_file_as_string(OS.get_cmdline_user_args()[0]))
	var wrong := 0
	for case: Dictionary in vectors["deltas"]:
		var old := LeaderboardRows.of(case["old"])
		var changed := LeaderboardRows.of(case["delta"]["changed"])
		var given := LeaderboardRows.apply(old, changed, case["delta"]["left"])
		if _told(given) != _told(LeaderboardRows.of(case["new"])):
			printerr(case["name"])
			wrong += 1
	for case: Dictionary in vectors["tops"]:
		if LeaderboardRows.round_up(int(case["asked"])) != int(case["given"]):
			printerr("a top is rounded up: ", case["asked"])
			wrong += 1
	print("ok" if wrong == 0 else "wrong: %d" % wrong)
	quit(1 if wrong else 0)


func _told(rows: Array[LeaderboardShapes.Row]) -> Array:
	return rows.map(func(row: LeaderboardShapes.Row) -> Array: return [row.rank, row.player, row.name, row.score])
