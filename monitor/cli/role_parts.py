"""What the roles share in their processes."""

from dataclasses import dataclass

from monitor.definitions import Configuration
from monitor.kafka.service import Service
from monitor.kafka.state_folder import StateFolder
from monitor.telemetry import Counters


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Of one process.

    Attributes:
        folder: this run's, shared by the roles of the service on this machine.
        counters: the service's own figures.
    """

    configuration: Configuration
    service: Service
    folder: StateFolder
    counters: Counters
