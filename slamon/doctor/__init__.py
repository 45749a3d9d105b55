"""`slamon doctor`: what is wrong around slamon, and what to do about it.

First everything is looked at (`observed`), then judged by tables of checks (`brokers_and_topics`, `tasks_and_inputs`,
`surroundings`), then told (`telling`). Nothing is changed by it, and it joins no group.
"""

from slamon.doctor.checking import examined
from slamon.doctor.findings import Finding, Group, Level
from slamon.doctor.telling import Form, told

__all__ = ["Finding", "Form", "Group", "Level", "examined", "told"]
