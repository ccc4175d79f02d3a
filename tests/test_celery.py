"""The timetable and the queues."""

from gaming_leaderboard.celery import QUEUES, app


def test_a_task_goes_to_one_queue_only() -> None:
    routes = {queue.name: (queue.exchange.name, queue.routing_key) for queue in app.amqp.queues.values()}
    assert routes == {name: (name, name) for name in QUEUES}


def test_every_task_on_the_timetable_exists_and_has_a_queue_and_an_expiry() -> None:
    app.loader.import_default_modules()
    for entry in app.conf.beat_schedule.values():
        assert entry["task"] in app.tasks
        assert app.conf.task_routes[entry["task"]]["queue"] in QUEUES
        assert entry["options"]["expires"] <= entry["schedule"]
