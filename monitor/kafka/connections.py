"""The brokers of a configuration: the source's and the journal's, two listeners of one cluster at most.

Source offsets and frames are committed in one transaction, and a transaction ends at its cluster.
"""

from collections.abc import Mapping

from monitor.errors import ConfigError
from monitor.kafka.broker import Broker
from monitor.kafka.security import security_of
from monitor.settings import KafkaSource, Settings, environment


def source_of(settings: Settings) -> KafkaSource:
    """The settings of the source; raises `ConfigError` where it is not Kafka."""
    source = settings.source.kafka
    if source is None:
        message = "the source is not Kafka: set source.kafka"
        raise ConfigError(message)
    return source


def source_broker(settings: Settings, variables: Mapping[str, str] | None = None) -> Broker:
    """Where events are read.

    Args:
        settings: with a source on Kafka.
        variables: the environment that holds secrets; default: the process's.

    Raises:
        ConfigError: the source is not Kafka; a secret or a certificate is not there.
    """
    source = source_of(settings)
    held = environment() if variables is None else variables
    return Broker(
        address=source.bootstrap_servers,
        security=security_of(source.security, held, setting="source.kafka.security"),
    )


def journal_broker(settings: Settings, variables: Mapping[str, str] | None = None) -> Broker:
    """Where the journal's topics are; where `journal.kafka` does not say, the source's broker."""
    source = source_of(settings)
    journal = settings.journal.kafka
    if journal is None or (journal.bootstrap_servers is None and journal.security is None):
        return source_broker(settings, variables)
    held = environment() if variables is None else variables
    own = journal.security is not None
    return Broker(
        address=journal.bootstrap_servers or source.bootstrap_servers,
        security=security_of(
            journal.security if own else source.security,
            held,
            setting=f"{'journal' if own else 'source'}.kafka.security",
        ),
        setting="journal.kafka" if journal.bootstrap_servers else "source.kafka",
    )
