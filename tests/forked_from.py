"""What `tests/forked.py` has loaded before it forks; among it, what the libraries themselves load late."""

import gc

import tests.attacks.test_killed_commands
import tests.attacks.test_killed_trainings
import tests.pipeline.test_blocks
import tests.training.test_rl
import tests.training.test_served
import tests.training_processes  # noqa: F401

gc.freeze()  # a fork that looks through what was there before would copy its pages
