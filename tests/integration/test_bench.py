"""One small scene of ``bench/`` against a real broker, so that it does not rot. Nothing is said about how fast it was."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60


def run_bench(*arguments: str) -> str:
    command = [sys.executable, "-m", "bench", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_scene_is_measured_and_reported(tmp_path: Path) -> None:
    """Every request is answered; the table, the JSON, what is made of it again and the documentation's files say the same."""
    results, docs = tmp_path / "results.json", tmp_path / "docs"
    small = ("--scene", "16x2", "--mode", "always", "--size", "100", "--seconds", "0.1", "--repetitions", "2")
    table = run_bench("produce", *small, "--peers", "--json", str(results), "--docs", str(docs))
    assert "16x2, 100 B, always" in table
    found = json.loads(results.read_text())
    (result,) = found["results"]
    assert len(result["runs"]) == 2
    for run in result["runs"]:
        assert run["requests"] > 0
        assert (run["errors"], run["unanswered"]) == (0, 0)
        assert run["p50_us"] <= run["p99_us"] <= run["p999_us"] <= run["max_us"] * 1.02  # a histogram's step
    rates = sorted(run["per_second"] for run in result["runs"])
    assert result["summary"]["per_second"] == {"median": sum(rates) / 2, "low": rates[0], "high": rates[1]}
    assert (docs / "results.txt").read_text().strip() == table.strip()
    assert run_bench("--read", str(results)).strip() == table.strip()
    assert found["machine"]["when"] in (docs / "machine.txt").read_text()
