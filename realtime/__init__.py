"""The last mile: frames from the channel layer to sockets. In: frames and commands. Out: the contract's messages."""
