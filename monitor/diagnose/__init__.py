"""Where a metric moved, whether its rates or only its mix did, and whether it was its measurement.

`diagnose` takes the sums of a whole and of its segments over an incident: `deviance` measures each segment
against its own learnt level, `place` chooses the most specific one that explains the shift, `mix` splits
a rate into what moved inside the segments and what moved between them. `account` says how much of a shift
the measurement accounts for.
"""

from monitor.diagnose.diagnosis import Diagnosis, diagnose
from monitor.diagnose.measurement import account, is_moved
from monitor.diagnose.scope import Scope, has_rate, scope_of

__all__ = ["Diagnosis", "Scope", "account", "diagnose", "has_rate", "is_moved", "scope_of"]
