"""Counts events per customer with Quix Streams, its state and changelog on; prints the CPU seconds it took.

Arguments: brokers, consumer group, folder for the state, records to count, topics.
"""

import sys
import time

from quixstreams import (  # type: ignore[import-not-found]  # - lives apart from slamon: see `compared.txt`
    Application,
)
from quixstreams.state import (  # type: ignore[import-not-found]  # - as above
    State,
)

brokers, group, folder, records, *topics = sys.argv[1:]
application = Application(
    broker_address=brokers,
    consumer_group=group,
    state_dir=folder,
    auto_offset_reset="earliest",
    loglevel="ERROR",
)


def count(_: object, state: State) -> None:
    state.set("count", state.get("count", 0) + 1)


for topic in topics:  # the key of each record is the customer
    application.dataframe(application.topic(topic)).update(count, stateful=True)
begun = time.process_time()
application.run(count=int(records))
print(time.process_time() - begun)
