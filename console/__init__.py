"""The room of the web console. Nothing is here yet: people decide on the command line (`flows.cli.people`)."""
