"""Where a metric moved, and whether its rates or only its mix did.

`diagnose` takes the sums of a whole and of its segments over an incident: `deviance` measures each segment
against its own learnt level, `place` chooses the most specific one that explains the shift, `mix` splits
a rate into what moved inside the segments and what moved between them.
"""

from monitor.diagnose.diagnosis import Diagnosis, diagnose
from monitor.diagnose.scope import Scope, has_rate, scope_of

__all__ = ["Diagnosis", "Scope", "diagnose", "has_rate", "scope_of"]
