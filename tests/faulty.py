"""Faults of any kind, for hypothesis."""

from hypothesis import strategies as st

from apimon_node.contract.faults import Fault, FaultName

TEXTS = st.text(min_size=1)
TIMES = st.none() | st.integers(0, 253_402_300_799).map(float)
FAULTS = st.builds(
    Fault,
    name=st.sampled_from(FaultName).map(str) | TEXTS,
    text=TEXTS,
    since=TIMES,
    subject=st.text(),
    code=st.none() | st.integers() | st.text(),
    attempts=st.integers(0, 1_000_000_000),
    retry_at=TIMES,
)
