"""`monitor schema`: the JSON Schema of the configuration, for editors."""

import click

from monitor.cli.options import print_json
from monitor.definitions.json_schema import FILES, json_schema


@click.command(name="schema")
@click.argument("which", type=click.Choice(sorted(FILES)), required=False)
def command(which: str | None) -> None:
    """Print the JSON Schema of the configuration.

    Of metrics/*.yaml or of monitor.yaml; without a choice, both by name.
    """
    print_json(json_schema(which) if which else {name: json_schema(name) for name in sorted(FILES)})
