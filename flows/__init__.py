"""The top layer: wiring (the composition root), the command line, and the Prefect flows.

Only the flow modules import prefect. Not here: any decision about data.
"""
