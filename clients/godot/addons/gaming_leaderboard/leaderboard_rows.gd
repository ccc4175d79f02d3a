class_name LeaderboardRows
extends RefCounted
## A board's rows and how a delta changes them. Pure: nothing here touches the network.

enum Fit { NEXT, KNOWN, GAP }

## The sizes that can be watched; a request is rounded up.
const TOPS: Array[int] = [3, 10, 25, 50, 100]


## The smallest watched size that holds [param top] rows, the largest if none does.
static func round_up(top: int) -> int:
	for size in TOPS:
		if size >= top:
			return size
	return TOPS[-1]


static func of(items: Array) -> Array[LeaderboardShapes.Row]:
	var rows: Array[LeaderboardShapes.Row] = []
	for item: Dictionary in items:
		rows.append(LeaderboardShapes.Row.from(item))
	return rows


## Take out [param left] and every changed player, insert each changed row at its rank, number 1..N. No argument is altered.
static func apply(
	rows: Array[LeaderboardShapes.Row], changed: Array[LeaderboardShapes.Row], left: Array
) -> Array[LeaderboardShapes.Row]:
	var gone := {}
	for player: String in left:
		gone[player] = true
	for row in changed:
		gone[row.player] = true
	var next: Array[LeaderboardShapes.Row] = []
	for row in rows:
		if not gone.has(row.player):
			next.append(row)
	var coming := changed.duplicate()
	coming.sort_custom(func(a: LeaderboardShapes.Row, b: LeaderboardShapes.Row) -> bool: return a.rank < b.rank)
	for row: LeaderboardShapes.Row in coming:
		next.insert(mini(row.rank - 1, next.size()), row)
	for index in next.size():
		if next[index].rank != index + 1:
			next[index] = next[index].at(index + 1)
	return next


## What an arriving position is to the one held: it fits, it is late and harmless, or it can't be applied.
static func relation(held: Dictionary, arriving: Dictionary) -> Fit:
	if held["epoch"] != arriving["epoch"]:
		return Fit.GAP
	var step := int(arriving["offset"]) - int(held["offset"])
	if step == 1:
		return Fit.NEXT
	return Fit.KNOWN if step <= 0 else Fit.GAP
