"""The metrics of the benchmark: ratios within a round, medians over rounds, goals, shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import docs_pages, earlier_version, goals, overload, workload
from bench.api_client import Credentials
from bench.interleaving import InterleavedSamples, Sample
from bench.load.offered import Latencies, Offered, ScheduleWindow
from bench.processes import cores_apart
from bench.seed import LONG_MESSAGES, SeedSize
from bench.workload import MESSAGES_EACH_MIN, Names

if TYPE_CHECKING:
    from pathlib import Path


def sample(rate: float, errors: int = 0) -> Sample:
    return Sample(rate, 1e6 / rate, 2e6 / rate, 1.0, 1.0, 0.1, errors)


def test_a_ratio_is_taken_within_a_round_before_the_median() -> None:
    # The machine is twice as slow in the second round: the ratio is not affected.
    fast = [sample(100), sample(50), sample(120)]
    bare = [sample(200), sample(100), sample(120)]
    measured = InterleavedSamples({("ours", 1): fast, ("bare", 1): bare})

    assert measured.ratio(("ours", "bare"), 1) == 0.5
    assert measured.ratio(("ours", "bare"), 1, lambda s: s.p50_us) == pytest.approx(2.0)
    assert measured.median("ours", 1, lambda s: s.rate) == 100


def test_wrong_responses_are_summed_over_all_rounds() -> None:
    right = [sample(1), sample(1)]
    wrong = [sample(1, errors=2), sample(1, errors=3)]
    measured = InterleavedSamples({("ours", 1): right, ("ours", 64): wrong, ("bare", 1): right})

    assert measured.errors() == {"ours": 5}


def test_a_goal_is_met_up_to_its_bound_and_missed_beyond() -> None:
    assert goals.at_least("rate", 0.40, 0.40).is_met
    assert not goals.at_least("rate", 0.39, 0.40).is_met
    assert goals.at_most("start", 0.5, 0.5).is_met
    assert not goals.at_most("start", 0.51, 0.5).is_met
    assert goals.at_most("start", 0.51, 0.5).line().endswith("MISSED")


def test_earlier_commit_is_compared_at_most_connections_and_alone() -> None:
    ours = {name: sample(1.5 * 100) for name in earlier_version.RATES_MIN}
    both = ours | {earlier_version.earlier(name): sample(100) for name in earlier_version.RATES_MIN}
    measured = InterleavedSamples({(name, c): [both[name]] for name in both for c in (1, 64)})

    checked = earlier_version.checked(measured, 64)

    assert [goal.value for goal in checked] == pytest.approx([1.5, 1.5, 1.5, 1.5, 1 / 1.5])
    assert all(goal.is_met for goal in checked)


def test_sources_of_an_earlier_commit_are_complete(tmp_path: Path) -> None:
    source = earlier_version.checkout("HEAD", tmp_path)

    assert (source / "parlour" / "__main__.py").is_file()


@pytest.mark.parametrize(
    "shape",
    [SeedSize(1_000, 100, 100), SeedSize(20_000, 2_000, 2_000), SeedSize(10**6, 10**5, 10**5)],
)
def test_a_shape_has_exactly_its_messages_and_conversations(shape: SeedSize) -> None:
    counts = shape.message_counts()

    assert sum(counts) == shape.messages
    assert len(counts) == shape.conversations
    assert min(counts) >= MESSAGES_EACH_MIN
    assert counts.count(LONG_MESSAGES) >= shape.conversations // 10


@pytest.mark.parametrize("participant_count", [1, 200, 500, 200_000])
def test_consecutive_updates_differ(participant_count: int) -> None:
    conversation_sid = "CH" + "0" * 32
    participants = [(conversation_sid, f"MB{n:032x}") for n in range(participant_count)]
    names = Names([conversation_sid], participants, {}, "RL" + "0" * 32)

    prepared = workload.update_participant(Credentials("AC1", "made-up"), names).requests

    last: dict[bytes, bytes] = {}
    for request in prepared + prepared:
        head, _, body = request.partition(b"\r\n\r\n")
        path = head.split(b" ")[1]
        assert last.get(path) != body
        last[path] = body


def test_server_and_load_never_share_a_core_where_there_are_two() -> None:
    server, load = cores_apart()

    assert not server & load
    assert len(server) == len(load) <= 1


def test_metrics_between_the_markers_are_replaced() -> None:
    record = {
        "machine": {"cores": 2},
        "rows": [
            {
                "target": "update participant",
                "connections": 64,
                "rate": 4321.4,
                "p50_us": 1.0,
                "p99_us": 2.0,
                "cpu_us": 3.0,
                "ratios": {"B": 0.456},
            }
        ],
        "facts": {"later_start_seconds": 0.4},
        "goals": [{"goal": "beside B", "value": 0.456, "bound": 0.4, "is_met": True}],
    }
    page = f"# Before\n{docs_pages.BEGIN}\nold\n{docs_pages.END}\nafter\n"

    written = docs_pages.with_figures(page, [docs_pages.section(record)])

    assert written.startswith(f"# Before\n{docs_pages.BEGIN}\n")
    assert written.endswith(f"{docs_pages.END}\nafter\n")
    assert "| update participant | 64 | 4,321 | 1 | 2 | 3 | 0.46 of B |" in written
    assert "| beside B | 0.456 | 0.4 | met |" in written
    assert "old" not in written
    assert docs_pages.with_figures(written, [docs_pages.section(record)]) == written


def window(*, refused: int = 0, mean_us: float = 1000.0) -> ScheduleWindow:
    return ScheduleWindow(
        due=10, accepted=10 - refused, refused=refused, other=0, mean_us=mean_us, worst_us=0
    )


def test_overload_ends_after_the_last_window_above_the_baseline() -> None:
    calm = [window(), window(mean_us=15_000)]
    slow, usual, refusing = window(mean_us=31_000), window(mean_us=29_000), window(refused=1)

    assert overload.seconds_until_normal(calm, [usual, usual], 100) == 0
    assert overload.seconds_until_normal(calm, [slow, usual, usual], 100) == pytest.approx(0.1)
    assert overload.seconds_until_normal(calm, [slow, usual, refusing], 100) == pytest.approx(0.3)


def test_goodput_counts_the_time_until_the_last_response() -> None:
    times = Latencies(count=300, p50_us=1, p99_us=2, mean_us=1, max_us=2)
    seen = Offered(
        due=900, sent=800, unsent=100, seconds=2.0, connect_errors=1, timeouts=2, cut_off=3,
        accepted=times, refused=times, lag=times,
        statuses={"200": 250, "201": 50, "404": 7, "429": 100, "503": 200, "500": 4, "302": 5},
        cpu_seconds=0.1, bytes=1, window_ms=100, windows=[],
    )  # fmt: skip
    measured = overload.OverloadResult(capacity=300, offered=seen, memory=1.0, normal_after=0.0)

    assert measured.goodput == pytest.approx(0.5)
    assert measured.bad_answers == 4 + 5 + 1 + 2 + 3


def test_mix_has_its_shares_in_every_ten_requests() -> None:
    parts = [
        workload.PreparedOperation(name, 200, [f"{name}{number}".encode() for number in range(60)])
        for name in "abc"
    ]

    mix = overload.mixed(parts)

    assert len(mix.requests) == 100
    for begin in range(0, 100, 10):
        names = b"".join(request[:1] for request in mix.requests[begin : begin + 10])
        assert [names.count(name) for name in (b"a", b"b", b"c")] == list(overload.MIX)
    assert len(set(mix.requests)) == 100
