"""The plain Django way to the same answer, over the project's own tables: what its cost is compared with.

Stock parts, none of them slowed down on purpose: DRF's APIView and ModelSerializer, the ORM in one transaction a score, the rank by
count(*), one Celery task a score that sends the top ten to the board's group, Django's own ASGI handler and middleware, and the
project's connection pool (without one it would open a connection per request).
"""
