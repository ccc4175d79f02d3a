"""The last mile: from the channel layer to the sockets, and scores from sockets to the services.

    group --link--> hub --board (position, recent frames, rows)--> outbox --> wire --> socket
    socket --> wire --> session --> hub (what to watch) or desk (a score)

- `protocol`   the vocabulary: commands, messages, close codes
- `wanted`     what a watcher asks for, by a command or an address
- `source`     what the hub asks the services for
- `link`       the process's one subscription to the channel layer
- `history`    recent frames of a board: resume or say resync
- `board`      a watched board, who watches it from which position, and the loop that hands a frame out
- `viewports`  what single watchers see around a player, and who passed it
- `pulse`      how many watch a board, and how many scores it takes
- `outbox`     what a socket is owed, and in which order it gets it
- `wire`       how a socket is written to: through ASGI, or directly
- `frames`     WebSocket frames, without I/O
- `server`     the web server's WebSocket class, whose sockets can be written to directly
- `hub`        one per process: joins boards, notices lost frames, survives Redis
- `session`    one socket's conversation
- `desk`       who may hand in scores, and the road to the services
- `consumers`  sockets as ASGI sees them
- `sse`        the same by HTTP answers, for who can't have a socket
"""
