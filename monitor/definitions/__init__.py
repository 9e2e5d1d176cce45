"""What is measured and how it is judged: schema, loading, checks, compilation.

`load` reads a folder of YAML into a `Configuration`, or tells every mistake in it; `compile` makes
of it the `Plan` that ingest and the core work by.
"""
