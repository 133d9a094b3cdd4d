"""The framework-free core: the model, the decisions, the state and the service that moves a change.

Not here: HTTP (`connectors`), field correspondences (`mappings`), schedules (`flows`).
"""
