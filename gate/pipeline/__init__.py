"""The main job: gather, decide, issue, demand. The only place that reads the clock."""
