"""The web app in which people decide what rules may not."""
