"""One report of one measurement: figures, and their look as Markdown, HTML and plots.

``figures`` measures, ``content`` says it in headings, tables and plots, ``rendering`` writes files.
The report is the model card: it lies beside the bundle that it measures.
"""
