import msgspec

from isthmus.wire.responses_answer import ResponseEvent, ResponseObject
from isthmus.wire.responses_request import parse_responses
from isthmus.wire.responses_writer import ResponseWriter


def test_a_response_has_every_field_that_is_described_and_no_other():
    asked = parse_responses(b'{"input": "hi"}')
    written = msgspec.json.decode(ResponseWriter(asked.call([], asked.items), "m").body())
    assert set(written) == set(ResponseObject.__struct_fields__) - {"isthmus"}
    msgspec.convert(written, ResponseObject)


def test_an_event_of_any_type_is_described():
    event = {"type": "response.output_text.delta", "sequence_number": 4, "delta": "x", "logprobs": []}
    assert msgspec.convert(event, ResponseEvent).delta == "x"
