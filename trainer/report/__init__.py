"""The report of a measurement, as Markdown, HTML, JSON and plots.

``figures`` measures, ``content`` arranges headings, tables and plots, ``rendering`` writes files.
The report of a new bundle, in a folder next to it, is its model card.
"""
