"""Deliveries without a Kafka; what they deliver is seen in `tests/end_to_end/test_deliveries.py`."""

from slamon.kafka.deliveries import Deliveries
from slamon.settings import Settings


async def test_without_receivers_there_is_nothing_to_stop() -> None:
    deliveries = Deliveries(Settings(), (), lambda _: True, lambda: 1)
    await deliveries.run()
    deliveries.stop(1.0)
    await deliveries.run()
