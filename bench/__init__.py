"""What an operation costs, and how fast it is: `python -m bench [scenario ...]`, read with docs/performance.md.

In: the names of scenarios. Out: a table, and bench/results/<time>.json.

The currency is server CPU microseconds per operation: user and system time of every server process (web, PostgreSQL, Redis,
Celery) over the measured span, divided by the operations answered in it. It survives a busy machine; rates and latencies do not.

    scenarios  what is asked, by whom, of which board         report  medians, the table, the JSON
    runs       load, CPU before and after, figures             cpu     time and memory of process trees, from /proc
    servers    PostgreSQL, Redis, the Procfile's processes    stock   fills a fresh database, in a process of its own
    load       HTTP clients, in a process of their own        http    just enough of HTTP/1.1
    talk       scores over WebSocket, likewise                frames  just enough of WebSocket
    watch      WebSocket watchers, likewise                   sockets a client of it
    helper     those processes                                right   whether a read is right, where ranks are known
    remake     runs the product's rebuild                     ready   waits until the index is ready
    baseline/  the plain Django way, for the ratio
"""
