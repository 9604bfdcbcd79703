"""A trajectory larger than the memory that a process may have: opened, checked and featurized all the same."""

import os
import subprocess
import sys

import numpy as np
import pytest
from MDAnalysis.lib.formats.libmdaxdr import TRRFile

#: Runs under a limit of what may be allocated (files that are mapped to be read are no memory): what there is after
#: a small file was worked on, and so many bytes more.
PROGRAM = """
import resource, sys
import numpy as np
import mdnb

path, one, top, cache, room = *sys.argv[1:5], int(sys.argv[5])
features = ["ca-distances", "rmsd", "torsions"]
small = mdnb.load(one, top=top)  # compiles, and imports all there is
mdnb.featurize(small, features, cache=cache)
small.health()
used = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (used + room, used + room))
try:
    np.ones(2 * room // 8)
except MemoryError:
    print("limited")
opened = mdnb.load(path, top=top)
health = opened.health()
print(opened.n_frames, health.n_frames["large"], sorted({one.kind for one in health.findings}))
made = mdnb.featurize(opened, features, cache=cache)
print(made.values.shape, f"{np.asarray(made.values[-2000:, :5], np.float64).sum():.3f}", type(made.values).__name__)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit and the size of a process are told by Linux")
def test_larger_than_memory(chignolin, tmp_path):
    frames = chignolin.frames(range(500))
    frames[0].save_pdb(str(tmp_path / "top.pdb"))
    repeats = 240
    random = np.random.default_rng(0)
    for name, count in (("one", 1), ("large", repeats)):
        with TRRFile(str(tmp_path / f"{name}.trr"), "w") as file:
            for number in range(count * len(frames)):
                xyz = frames.xyz[number % len(frames)] + np.float32(random.normal(scale=1e-4))
                file.write(xyz, None, None, np.zeros((3, 3), np.float32), number, number, 0.0, 166)
    size = (tmp_path / "large.trr").stat().st_size
    room = 160_000_000
    assert size > 1.4 * room
    arguments = [str(tmp_path / name) for name in ("large.trr", "one.trr", "top.pdb", "cache")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments, str(room)],
        capture_output=True, text=True, check=False, timeout=300, env={**os.environ, "MDNB_REPORT": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert lines[0] == "limited"
    assert lines[1].startswith(f"{repeats * 500} {repeats * 500} []")
    assert lines[2].startswith(f"({repeats * 500}, ")
    assert "memmap" in lines[2]
