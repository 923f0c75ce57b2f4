from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from splitcart_gateway import openapi, problems
from splitcart_gateway.problems import KINDS, Problem


def test_a_problem_is_what_rfc_9457_says() -> None:
    problem = Problem(problems.UNKNOWN_POSTCODE, "There is no postcode 1999.", nearest=["2000"])
    assert problem.document("/api/v1/stores?near=1999") == {
        "type": "/api/v1/problems/unknown-postcode",
        "title": "There is no such postcode",
        "status": 404,
        "detail": "There is no postcode 1999.",
        "instance": "/api/v1/stores?near=1999",
        "nearest": ["2000"],
    }


def test_types_are_stable() -> None:
    # Clients compare these: one may be added, none changed.
    assert set(KINDS) == {
        *("invalid-parameter", "unknown-company", "unknown-postcode", "unknown-store", "unknown-product"),
        *("not-a-product-id", "not-grouped", "not-found", "method-not-allowed", "request-too-long", "unavailable"),
        *("not-ready", "internal-error"),
    }
    assert all(kind.uri == f"/api/v1/problems/{name}" for name, kind in KINDS.items())


def test_a_refused_parameter_is_named_and_what_was_sent_is_not_repeated() -> None:
    error = RequestValidationError(
        [
            {
                "type": "value_error",
                "loc": ("query", "q"),
                "msg": "Value error, must be short",
                "input": "<secret>",
            },
            {"type": "extra_forbidden", "loc": ("query", "x" * 500), "msg": "…", "input": "<secret>"},
        ]
    )
    problem = problems.from_validation(error)
    assert problem.kind.status == 422
    assert problem.members["errors"] == [
        {"parameter": "q", "message": "must be short"},
        {"parameter": "x" * 80, "message": "there is no such parameter here"},
    ]
    assert "secret" not in problem.detail


def test_a_wrong_method_says_which_are_right() -> None:
    assert problems.from_http(HTTPException(405)).headers == {"allow": "GET, HEAD"}
    assert problems.from_http(HTTPException(404)).members == {"index": "/api/v1"}


def test_every_kind_an_operation_can_answer_with_has_an_example() -> None:
    documented = {kind.name for kinds in openapi.PROBLEMS_OF.values() for kind in kinds}
    assert documented == set(openapi.EXAMPLES["problems"])
    assert set(KINDS) - documented == {"method-not-allowed", "not-ready", "internal-error"}
