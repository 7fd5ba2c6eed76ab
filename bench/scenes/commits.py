"""Groups that have committed."""

from bench.scenes.lines import ask_all
from bench.servers import Server

GENERATION = 2  # of a new group after its first JOIN
COMMIT = rf"V1|%i|COMMIT|{{group}} bench c {GENERATION} {{partition}} %i\n"


def commit_everywhere(server: Server, groups: int, partitions: int) -> None:
    """Let member ``c`` of *groups* groups commit once in each of *partitions* partitions; its session outlasts every measurement."""
    lines = []
    for group in range(groups):
        lines.append(f"V1|0|JOIN|g{group} bench c session_ms=86400000\n")
        lines += [f"V1|0|COMMIT|g{group} bench c {GENERATION} {partition} 1\n" for partition in range(partitions)]
    ask_all(server, lines)
