"""Property tests try the same examples every time and take the time they need.

`HYPOTHESIS_PROFILE=search pytest …` looks for new examples, and for many more of them.
"""

import os

from hypothesis import Phase, settings

# Tiny networks: threads beyond the first only wait for each other, at seven times the cost.
os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=2000, deadline=None)
settings.register_profile(  # for mutants: that a property fails is enough
    "unshrunk", derandomize=True, deadline=None, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

os.fsync = lambda _: None  # nothing that a test writes must outlast a power cut, and disks take their time
