"""What surrounds the code of a project: answers, environment, git, upgrades."""
