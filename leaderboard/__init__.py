"""A score's way from submission to frame. In: REST, tasks, commands. Out: answers, standings, numbered frames."""
