"""The tests of the fault tool itself: no AWS, no emulation of it, no sockets."""

import pytest


@pytest.fixture(autouse=True)
def _sealed(sealed: None) -> None:
    """Seal every test of this folder."""
