"""Counts events per customer with Faust, its table in memory and its changelog on; prints the CPU seconds it took.

Arguments: brokers, consumer group, folder for what it keeps, records to count, partitions, topics.
"""

import os
import sys
import time

import faust  # type: ignore[import-not-found]  # - lives apart from slamon: see `compared.txt`

brokers, group, folder, records, partitions, *topics = sys.argv[1:]
application = faust.App(
    group,
    broker=f"kafka://{brokers}",
    store="memory://",
    datadir=folder,
    topic_partitions=int(partitions),
    web_enabled=False,
    consumer_auto_offset_reset="earliest",
)
counts = application.Table("counts", default=int, partitions=int(partitions))


@application.agent(application.topic(*topics, value_serializer="json"))  # type: ignore[untyped-decorator]  # - as above
async def count(events: faust.StreamT) -> None:
    seen = 0
    async for event in events:
        counts[event["customer"]] += 1
        seen += 1
        if seen == int(records):
            print(time.process_time() - begun, flush=True)
            os._exit(0)  # what it has not sent yet is not counted


begun = time.process_time()
sys.argv[1:] = []
faust.Worker(application, loglevel="error", redirect_stdouts=False).execute_from_commandline()
