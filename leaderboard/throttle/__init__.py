"""Token buckets that all processes share, in Redis: how often somebody may do something.

In: a bucket's name, its rate, and how many tokens a request takes. Out: go on, or RateLimited. Nothing of SQL, HTTP or who that is.

What a bucket promises
- `spend` is a comparison, without I/O: a process holds a *lease*, tokens that it took ahead, LEASE_S worth of the rate, and asks for
  the next when half of it is gone. A bucket of less than one token per LEASE_S has no lease and is asked for each request.
- Whatever the processes, together they never let through more than `burst + per_s * seconds` over any span, plus the leases that they
  held when it began: LEASE_S of the rate each. For a bucket without a lease the bound is exact.
- A refusal is never wrong by more than the leases of others: it is refused without a question while the shared bucket, which
  others can only have emptied further, could not have as much.
- One question of a bucket is under way at a time, whoever waits; questions of all buckets share a write to Redis.
- While Redis is away each process goes on by a bucket of its own at the same rate, from what it knew last. Then the bound is once per
  process.

What breaks the promise: a Redis that is emptied (every bucket is full again), and more than twice BUCKETS_HELD buckets in use at once
while Redis is away (those of long ago are forgotten and begin full).
"""
