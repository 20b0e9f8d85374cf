"""What the APIs are said to do is what their code does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator
from typer.testing import CliRunner

from odyssey_cli import cdk
from odyssey_cli.__main__ import app
from odyssey_cli.errors import OdysseyError
from odyssey_cli.fuzz.answers import Answer, Described
from odyssey_cli.openapi.document import APIS, document
from odyssey_cli.openapi.routes import Route
from tests import handler_code

if TYPE_CHECKING:
    from pathlib import Path

PROBLEM = "application/problem+json"
OPERATIONS = [(stack, name) for stack, api in APIS.items() for name in api.operations]
# What the code has and no request can cause.
NEVER = {
    # The answers of both functions are in one module; the reader publishes nothing.
    ("GET /words", ("SERVICE_UNAVAILABLE", "not-published")),
    ("GET /words/{word}", ("SERVICE_UNAVAILABLE", "not-published")),
}


def as_described(stack: str) -> list[Route]:
    is_signed = stack != "PubSub"
    return [
        Route(name, each.handler, is_rest=is_signed, is_signed=is_signed)
        for name, each in APIS[stack].operations.items()
    ]


@pytest.mark.parametrize(("stack", "operation"), OPERATIONS)
def test_the_described_problems_are_those_that_the_handlers_code_can_answer(
    stack: str, operation: str
) -> None:
    described = APIS[stack].operations[operation]
    said = {(status.name, kind) for status, kinds in described.problems.items() for kind in kinds}
    found = handler_code.problems(described.handler, described.function)
    assert found - {problem for name, problem in NEVER if name == operation} == said
    # An exception that is none any more must go.
    assert {problem for name, problem in NEVER if name == operation} <= found


@pytest.mark.parametrize("stack", APIS)
def test_the_documents_are_valid_openapi(stack: str) -> None:
    OpenAPIV31SpecValidator(document(stack, as_described(stack))).validate()


@pytest.mark.parametrize("stack", APIS)
def test_every_problem_type_is_in_the_answer_of_its_status(stack: str) -> None:
    made = document(stack, as_described(stack))
    for name, described in APIS[stack].operations.items():
        method, _, path = name.partition(" ")
        responses = made["paths"][path][method.lower()]["responses"]
        for status, kinds in described.problems.items():
            text = json.dumps(responses[str(int(status))]["content"][PROBLEM])
            assert all(f'"urn:aws-odyssey:problem:{kind}"' in text for kind in kinds)


def test_a_route_that_nobody_has_described_is_an_error() -> None:
    routes = [
        *as_described("PubSub"),
        Route("PUT /words", "pubsub.counter", is_rest=False, is_signed=False),
    ]
    with pytest.raises(OdysseyError, match="routes that nobody has described: PUT /words"):
        document("PubSub", routes)


def test_a_stack_without_an_api_is_an_error() -> None:
    with pytest.raises(OdysseyError, match="Discovery has no API"):
        document("Discovery", [])


TEMPLATE = {
    "Resources": {
        "Function": {"Type": "AWS::Lambda::Function", "Properties": {"Handler": "a.b.handler"}},
        "Words": {"Type": "AWS::ApiGatewayV2::Route", "Properties": {
            "RouteKey": "GET /words", "Target": {"Ref": "Integration"}}},
        "Integration": {"Type": "AWS::ApiGatewayV2::Integration", "Properties": {
            "IntegrationUri": {"Fn::GetAtt": ["Function", "Arn"]}}},
    }
}  # fmt: skip


@pytest.fixture
def synthesized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "PubSub.template.json").write_text(json.dumps(TEMPLATE))
    monkeypatch.setattr(cdk, "synthesize", lambda _: tmp_path)
    monkeypatch.setattr(cdk, "stacks", lambda _: ["PubSub"])


@pytest.mark.usefixtures("synthesized")
def test_the_command_prints_the_routes_of_the_template_as_json_or_yaml() -> None:
    as_json = CliRunner().invoke(app, ["openapi", "PubSub"]).stdout
    as_yaml = CliRunner().invoke(app, ["openapi", "PubSub", "--yaml"]).stdout
    made: dict[str, Any] = json.loads(as_json)
    assert made == yaml.safe_load(as_yaml)
    assert made["openapi"] == "3.1.0"
    assert {path: [*methods] for path, methods in made["paths"].items()} == {"/words": ["get"]}
    assert "&id" not in as_yaml


@pytest.mark.usefixtures("synthesized")
def test_a_stack_that_is_none_is_an_error() -> None:
    result = CliRunner().invoke(app, ["openapi", "Pubsub"])
    assert isinstance(result.exception, OdysseyError)
    assert result.exception.problem == "There is no stack 'Pubsub'."


def problem(type: str, status: int) -> bytes:
    value = {
        "type": f"urn:aws-odyssey:problem:{type}",
        "title": "A title",
        "status": status,
        "detail": "A detail.",
    }
    return json.dumps(value).encode()


ANSWERS = [
    (Answer(200, "application/json", b'{"words":[]}'), None),
    (Answer(200, "application/json; charset=utf-8", b'{"words":[]}'), None),
    (Answer(400, PROBLEM, problem("limit", 400)), None),
    (Answer(429, "application/json", b'{"message":"Too Many Requests"}'), None),
    (Answer(431, "text/plain", b""), None),
    (Answer(0, "", b"no answer"), "was answered 0"),
    (Answer(500, "application/json", b'{"message":"Internal Server Error"}'), "was answered 500"),
    (Answer(503, PROBLEM, problem("unavailable", 503)), "was answered 503"),
    (Answer(418, PROBLEM, problem("teapot", 418)), "418 is not described"),
    (Answer(200, "text/html", b"<html>"), "'text/html' is not described for 200"),
    (Answer(200, "", b'{"words":[]}'), "'' is not described for 200"),
    (Answer(200, "application/json", b"{"), "is no JSON"),
    (Answer(200, "application/json", b'{"words":[{}]}'), "the body of 200"),
    (Answer(200, "application/json", b'{"words":[],"more":1}'), "the body of 200"),
    (Answer(400, PROBLEM, problem("unlimited", 400)), "the body of 400"),
    (Answer(400, PROBLEM, problem("limit", 404)), "the body of 400"),
    (Answer(400, PROBLEM, b'{"message":"Bad Request"}'), "the body of 400"),
]


@pytest.mark.parametrize(("answer", "fault"), ANSWERS, ids=range(len(ANSWERS)))
def test_an_answer_that_is_not_described_is_told_of(answer: Answer, fault: str | None) -> None:
    answers = Described(document("PubSub", as_described("PubSub")))
    found = answers.fault("GET /words", answer)
    assert (found is None) == (fault is None)
    assert (fault or "") in (found or "")


def test_a_request_that_must_be_refused_and_is_not_is_told_of() -> None:
    answers = Described(document("PubSub", as_described("PubSub")))
    [(good, _), *_] = ANSWERS
    found = answers.fault("GET /words", good, refused=True)
    assert found == "it was not refused but answered 200"


def written(folder: Path, **modules: str) -> None:
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)


@pytest.fixture
def lambda_src(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(handler_code, "LAMBDA_SRC", tmp_path)
    handler_code.module.cache_clear()
    return tmp_path


IMPORTS = "from shared.problems import Problem, bad_request\n"
MADE = 'Problem(HTTPStatus.NOT_FOUND, "gone", "It is.")'
CODE = {
    "in the route": f"{IMPORTS}@app.get('/')\ndef route(): raise {MADE}",
    "in a function it calls": f"{IMPORTS}def help(): raise {MADE}\n"
    "@app.get('/')\ndef route(): help()",
    "in a function it hands on": f"{IMPORTS}def help(): raise {MADE}\n"
    "@app.get('/')\ndef route(): retry(help)",
    "in another module": "import other\n@app.get('/')\ndef route(): other.help()",
    "in a method": "from other import Desk\n@app.get('/')\ndef route(): Desk().take()",
    "in a constant": f"{IMPORTS}GONE = {MADE}\n@app.get('/')\ndef route(): raise GONE",
    "for every route": f"{IMPORTS}@app.not_found\ndef unknown(_): return {MADE}.response()\n"
    "@app.get('/')\ndef route(): pass",
}


@pytest.mark.parametrize("code", CODE.values(), ids=CODE.keys())
def test_a_problem_is_found_wherever_the_code_makes_it(lambda_src: Path, code: str) -> None:
    other = f"{IMPORTS}def help(): raise {MADE}\nclass Desk:\n  def take(self): raise {MADE}"
    code = code.replace("import other\n", "from lib import other\n").replace(
        "from other", "from lib.other"
    )
    (lambda_src / "lib").mkdir()
    written(lambda_src / "lib", other=other)
    written(lambda_src, one=code)
    assert handler_code.problems("one", "route") == {("NOT_FOUND", "gone")}
    # and not those of other routes
    written(
        lambda_src, two=f"{code}\n@app.get('/b')\ndef other_route(): raise bad_request('b', '')"
    )
    assert handler_code.problems("two", "route") == {("NOT_FOUND", "gone")}


def test_a_problem_whose_type_is_made_up_at_run_time_is_an_error(lambda_src: Path) -> None:
    written(lambda_src, one=f"{IMPORTS}@app.get('/')\ndef route(): raise bad_request(name, '')")
    with pytest.raises(AssertionError, match="one:3: not literals"):
        handler_code.problems("one", "route")
