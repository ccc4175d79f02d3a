"""The rules, pure: standard library only (and cronsim for schedules), no clock, no await.

In: scores, entries, schedules, snapshots, and the moment as an argument. Out: values, or a `Refusal`.
"""
