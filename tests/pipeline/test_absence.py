from reelproof.pipeline.progress.absence import Absence


def test_that_all_workers_are_gone_is_said_once_each_time_after_a_minute():
    said = []
    absence = Absence(said.append)
    for now_s, workers, lines in (
        *((0, 2, 0), (50, 0, 0), (100, 0, 0), (110, 0, 1), (300, 0, 1)),
        *((310, 1, 1), (320, 0, 1), (379, 0, 1), (380, 0, 2)),
    ):
        absence.look(workers, "tcp://here:1", now_s)
        assert len(said) == lines, now_s
    assert "dask worker tcp://here:1" in said[0]
