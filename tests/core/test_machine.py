"""The processor and the memory, read of the system's own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from headcount.core.machine import memory, processor


def written(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_the_first_processor_is_told_with_what_makes_networks_quick(tmp_path: Path) -> None:
    text = (
        "processor : 0\nmodel name : A CPU @ 2 GHz\nflags : fpu avx2 avx512f avx512_vnni avx_vnni amx_int8 amx_bf16\n"
        "\nprocessor : 1\nmodel name : Another\nflags : fpu\n"
    )
    found = processor(written(tmp_path, proc__cpuinfo=text))
    assert found.name == "A CPU @ 2 GHz"
    assert found.features == ("AVX2", "AVX-512", "VNNI", "AMX")


def test_an_arm_processor_names_its_features_otherwise(tmp_path: Path) -> None:
    found = processor(written(tmp_path, proc__cpuinfo="processor : 0\nFeatures : fp asimd asimddp i8mm bf16\n"))
    assert found.features == ("NEON", "dot product", "I8MM", "BF16")
    assert found.name


def test_a_system_without_these_files_tells_no_features(tmp_path: Path) -> None:
    assert processor(tmp_path).features is None
    assert memory(tmp_path).free is None


MEMINFO = (
    "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    8000000 kB\nHugePages_Total:       0\n"
)


def test_memory_of_a_machine_that_nothing_limits(tmp_path: Path) -> None:
    found = memory(written(tmp_path, proc__meminfo=MEMINFO))
    assert (found.total, found.free) == (16_000_000 * 1024, 8_000_000 * 1024)
    assert found.limit is None
    assert found.used is None


@pytest.mark.parametrize("limit", ["max", "9223372036854771712"])
def test_no_limit_as_both_versions_write_it(tmp_path: Path, limit: str) -> None:
    written(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/\n", sys__fs__cgroup__memoryDOTmax=limit)
    assert memory(tmp_path).limit is None


def test_the_tightest_group_around_the_process_limits_it(tmp_path: Path) -> None:
    written(
        tmp_path,
        proc__meminfo=MEMINFO,
        proc__self__cgroup="0::/outer/inner\n",
        sys__fs__cgroup__outer__memoryDOTmax="2000000000\n",
        sys__fs__cgroup__outer__memoryDOTcurrent="900000000\n",
        sys__fs__cgroup__outer__memoryDOTstat="anon 5\ninactive_file 400000000\n",
        sys__fs__cgroup__outer__inner__memoryDOTmax="max\n",
    )
    found = memory(tmp_path)
    assert found.limit == 2_000_000_000
    assert found.used == 500_000_000


def test_the_first_version_of_control_groups(tmp_path: Path) -> None:
    written(
        tmp_path,
        proc__self__cgroup="9:cpu:/a\n4:memory:/a\n",
        sys__fs__cgroup__memory__a__memoryDOTlimit_in_bytes="1000000000\n",
        sys__fs__cgroup__memory__a__memoryDOTusage_in_bytes="300\n",
        sys__fs__cgroup__memory__a__memoryDOTstat="total_inactive_file 100\n",
    )
    found = memory(tmp_path)
    assert (found.limit, found.used) == (1_000_000_000, 200)
