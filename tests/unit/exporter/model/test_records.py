"""Records and events that another release has written."""

from findings_exporter.model.delivery import Delivery
from tests.builders.exporter import delivery


def test_a_delivery_is_read_back_as_it_was_written() -> None:
    assert Delivery.from_dict(delivery().to_dict()) == delivery()


def test_a_field_that_a_later_release_added_to_a_delivery_is_left_out() -> None:
    assert Delivery.from_dict(delivery().to_dict() | {"checksum": "abc"}) == delivery()


def test_a_delivery_of_a_release_without_notes_is_read() -> None:
    older = delivery().to_dict()
    del older["note"]
    assert Delivery.from_dict(older).note is None
