"""What every request passes through: ids, language, trace, headers, a limit."""

import re
from collections.abc import AsyncIterator, Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

from shared.web.passage import MOST_BYTES
from tests.unit.web.toy import LEAK, a_client

JSON = {"Content-Type": "application/json", "Idempotency-Key": "k"}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """The process's one provider, ours or somebody's before us."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    kept = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    return kept


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    yield exporter


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    (span,) = spans.get_finished_spans()
    return span


async def test_the_span_is_named_after_the_route_and_continues_the_callers_trace(spans: InMemorySpanExporter) -> None:
    async with a_client() as client:
        await client.get("/ores/v1/seen", headers={"traceparent": PARENT})
    span = only(spans)
    assert span.name == "seen"
    assert span.parent is not None and format(span.parent.span_id, "016x") == "b7ad6b7169203331"
    assert format(span.context.trace_id, "032x") == "0af7651916cd43dd8448eb211c80319c"
    assert span.attributes is not None
    assert (span.attributes["http.route"], span.attributes["http.response.status_code"]) == ("/ores/v1/seen", 200)


async def test_a_route_may_name_its_span_itself(spans: InMemorySpanExporter) -> None:
    async with a_client() as client:
        await client.post("/ores/v1/ores", json={"name": "a", "kind": "coal"}, headers={"Idempotency-Key": "k"})
    assert only(spans).name == "ore-post"


async def test_a_broken_traceparent_begins_a_trace_of_its_own(spans: InMemorySpanExporter) -> None:
    async with a_client() as client:
        await client.get("/ores/v1/ores", headers={"traceparent": "00-zz"})
    assert only(spans).parent is None


async def test_no_span_holds_what_was_sent(spans: InMemorySpanExporter, capsys: pytest.CaptureFixture[str]) -> None:
    async with a_client() as client:
        await client.get("/ores/v1/errors/broken")
        await client.get(f"/ores/v1/nothing/{LEAK}")
        await client.post("/ores/v1/ores", json={"name": LEAK, "kind": LEAK}, headers={"Idempotency-Key": "k"})
    assert len(spans.get_finished_spans()) == 3
    for span in spans.get_finished_spans():
        assert "张三" not in span.to_json() and "\\u5f20" not in span.to_json()
    printed = capsys.readouterr()
    assert "张三" not in printed.out + printed.err


async def test_no_span_tells_where_the_caller_sits(spans: InMemorySpanExporter) -> None:
    async with a_client() as client:
        await client.get("/ores/v1/seen", headers={"User-Agent": "an old phone"})
    told = only(spans).to_json()
    assert "127.0.0.1" not in told and "an old phone" not in told


async def test_the_correlation_id_of_the_caller_is_kept_and_a_strange_one_is_not() -> None:
    signed_in = {"Authorization": "Bearer somebody"}
    async with a_client() as client:
        kept = await client.get("/ores/v1/seen", headers={"X-Correlation-Id": "call-7", **signed_in})
        assert kept.headers["x-correlation-id"] == "call-7"
        for strange in ("138 0000 0000", "13800000000", "138-0000-0000"):
            made = await client.get("/ores/v1/seen", headers={"X-Correlation-Id": strange, **signed_in})
            assert re.fullmatch(r"[0-9a-f-]{36}", made.headers["x-correlation-id"])


async def test_whoever_does_not_sign_in_chooses_no_correlation_id() -> None:
    """It would stand in every event of the tip, open and for ever."""
    async with a_client() as client:
        made = await client.get("/ores/v1/seen", headers={"X-Correlation-Id": "zhang-san-13800000000"})
    assert re.fullmatch(r"[0-9a-f-]{36}", made.headers["x-correlation-id"])


async def test_every_answer_is_guarded_and_kept_by_nobody() -> None:
    async with a_client() as client:
        for address in ("/ores/v1/seen", "/ores/page", "/ores/nothing", "/ores/errors/broken"):
            headers = (await client.get(address, headers={"Accept": "text/html"})).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
            assert headers["cache-control"] == "no-store"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-content-type-options"] == "nosniff"


async def test_requests_are_counted_by_method_and_status() -> None:
    labels = {"service": "ores", "method": "GET", "status": "404"}
    before = REGISTRY.get_sample_value("minewatch_request_seconds_count", labels) or 0
    async with a_client() as client:
        await client.get("/ores/nothing")
    assert REGISTRY.get_sample_value("minewatch_request_seconds_count", labels) == before + 1


async def endless(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 100_000 + 1):
        yield b"x" * 100_000


async def test_a_body_without_end_is_cut_off_whether_it_says_so_or_not() -> None:
    async with a_client() as client:
        fine = await client.post("/ores/v1/size", content=b"x" * 1000)
        said = await client.post("/ores/v1/size", content=b"x", headers={"Content-Length": str(MOST_BYTES + 1)})
        not_said = await client.post("/ores/v1/size", content=endless(MOST_BYTES))
        as_json = await client.post("/ores/v1/ores", content=endless(MOST_BYTES), headers=JSON)
    assert fine.json() == {"bytes": 1000}
    assert (said.status_code, not_said.status_code, as_json.status_code) == (413, 413, 413)
    assert said.headers["content-type"] == "application/problem+json"


async def test_the_language_is_chinese_unless_the_reader_chose_english() -> None:
    async with a_client() as client:
        plain = await client.get("/ores/page", headers={"Accept-Language": "en"})
        chosen = await client.get("/ores/page?lang=en")
        kept = await client.get("/ores/page")
        back = await client.get("/ores/page?lang=zh")
        unknown = await client.get("/ores/page?lang=xx")
    assert '<html lang="zh-CN">' in plain.text and "回到首页" in plain.text
    assert '<html lang="en">' in chosen.text and "Home" in chosen.text
    assert "minewatch_lang=en" in chosen.headers["set-cookie"] and "HttpOnly" in chosen.headers["set-cookie"]
    assert '<html lang="en">' in kept.text
    assert '<html lang="zh-CN">' in back.text and '<html lang="zh-CN">' in unknown.text
    assert "set-cookie" not in unknown.headers


async def test_what_a_page_shows_is_escaped() -> None:
    async with a_client() as client:
        assert "&lt;矿石&gt;" in (await client.get("/ores/page")).text


async def test_a_static_file_may_be_kept_for_ever_because_its_name_changes_with_it() -> None:
    async with a_client() as client:
        html = (await client.get("/ores/page")).text
        found = re.search(r'href="(/ores/static/sheet\.[0-9a-f]{10}\.css)"', html)
        assert found is not None
        sheet = await client.get(found[1])
        gone = await client.get("/ores/static/sheet.0123456789.css")
    assert "immutable" in sheet.headers["cache-control"]
    assert sheet.headers["content-type"].startswith("text/css") and sheet.headers["content-encoding"] == "gzip"
    assert "--ink: #1f4e6b" in sheet.text
    assert gone.status_code == 404 and gone.headers["cache-control"] == "no-store"


async def test_the_api_is_described_with_its_problems_and_its_keys() -> None:
    async with a_client() as client:
        described = (await client.get("/ores/openapi.json")).json()
    assert described["openapi"] == "3.1.0"
    operation = described["paths"]["/ores/v1/ores"]["post"]
    (key,) = [p for p in operation["parameters"] if p["name"] == "Idempotency-Key"]
    assert key["required"] is True
    assert operation["responses"]["422"]["content"]["application/problem+json"]["schema"]["$ref"].endswith("/Problem")
    assert {"Problem", "Complaint"} <= set(described["components"]["schemas"])
    assert not any("health" in path or "page" in path for path in described["paths"])
