"""Histories and evidence as pictures: a chart in a terminal, a page of a replay."""
