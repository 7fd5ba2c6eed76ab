"""Control groups of both versions, in trees as Linux shows them."""

from math import inf
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from flux.cpu_quota import cpu_quota

V1 = "12:pids:/\n3:cpu,cpuacct:{group}\n2:cpuset:/\n1:name=systemd:/\n"


class QuotaTests(SynchronousTestCase):
    def quota(self, groups: str, **files: str) -> float:
        """What is said where *groups* is ``/proc/self/cgroup``, and *files* lie in ``/sys/fs/cgroup``."""
        root = Path(self.mktemp())
        texts = {f"sys/fs/cgroup/{path}": text for path, text in files.items()} | {"proc/self/cgroup": groups}
        for path, text in texts.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return cpu_quota(str(root))

    def first_version(self, group: str, **quotas_us: str) -> float:
        """The same of the first version, where a quota is two files, by group."""
        files = {f"cpu{place}/cpu.cfs_quota_us": quota_us for place, quota_us in quotas_us.items()}
        files |= {f"cpu{place}/cpu.cfs_period_us": "100000\n" for place in quotas_us}
        return self.quota(V1.format(group=group), **files)

    def test_a_container_sees_its_own_group_as_the_root(self) -> None:
        """Docker, or Kubernetes; ``max`` is no quota."""
        for text, quota in (("150000 100000\n", 1.5), ("20000 10000\n", 2), ("max 100000\n", inf)):
            self.assertEqual(self.quota("0::/\n", **{"cpu.max": text}), quota)

    def test_the_strictest_group_around_a_process_counts(self) -> None:
        """A unit of systemd's in a slice of its own; a group beside them says nothing of it."""
        service, files = "0::/flux.slice/flux.service\n", {"flux.slice/flux.service/cpu.max": "400000 100000\n"}
        files["other.slice/cpu.max"] = "10000 100000\n"
        self.assertEqual(self.quota(service, **files), 4)
        files["flux.slice/cpu.max"] = "50000 100000\n"
        self.assertEqual(self.quota(service, **files), 0.5)

    def test_the_first_version_says_it_in_two_files(self) -> None:
        """And -1 where there is no quota; of groups that limit other things nothing is asked."""
        self.assertEqual(self.first_version("/", **{"": "150000\n"}), 1.5)
        self.assertEqual(self.first_version("/", **{"": "-1\n"}), inf)
        self.assertEqual(self.first_version("/a/b", **{"": "-1\n", "/a": "300000\n", "/a/b": "400000\n"}), 3)

    def test_a_group_with_the_hosts_name_is_found_at_the_root(self) -> None:
        """As in a container of Docker's without a namespace for groups; also where the name leads out of the container's."""
        self.assertEqual(self.first_version("/docker/0123abcd", **{"": "120000\n"}), 1.2)
        self.assertEqual(self.quota("0::/../../other\n", **{"cpu.max": "120000 100000\n"}), 1.2)

    def test_who_is_told_nothing_has_no_quota(self) -> None:
        """Another system, a root group, and what cannot be understood."""
        self.assertEqual(cpu_quota(self.mktemp()), inf)
        for groups in ("", "0::/\n", "rubbish\n0\n"):
            self.assertEqual(self.quota(groups), inf)
        for text in ("", "rubbish", "1 2 3", "100000", "0 100000", "100000 0", "-5 100000"):
            self.assertEqual(self.quota("0::/\n", **{"cpu.max": text}), inf)
