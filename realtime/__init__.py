"""The last mile: from the channel layer to the sockets. In: frames and commands. Out: the contract's messages.

    group --link--> hub --board (position, recent frames, rows)--> outbox --> socket

- `protocol`   the vocabulary: commands, messages, close codes
- `source`     what the hub asks the services for
- `link`       the process's one subscription to the channel layer
- `history`    recent frames of a board: resume or say resync
- `board`      a watched board, and who watches it from which position
- `outbox`     what a socket is owed, and the writer that hands it over
- `hub`        one per process: joins boards, notices lost frames, survives Redis
- `consumers`  sockets: parse, call the hub, answer
"""
