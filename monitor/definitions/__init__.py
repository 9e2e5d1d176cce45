"""What is measured and how it is judged: schema, loading, checks, compilation.

`load` reads a folder of YAML into a `Configuration`, or tells every mistake in it; `compile_plan`
makes of it the `Plan` that ingest and the core work by.
"""

from monitor.definitions.compile import compile_plan
from monitor.definitions.load import Configuration, load

__all__ = ["Configuration", "compile_plan", "load"]
