"""The witness's door: POST /add-checkpoint as C2SP tlog-witness has it, and what anybody may know of it."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from shared.transparency.note import MOST_BYTES
from shared.witness.cosigner import Cosigner


def web_of(witness: Cosigner, vkey: str) -> Starlette:
    """`vkey`: the witness's public key, as policies name it."""

    async def add_checkpoint(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                return PlainTextResponse("a request has at most a million bytes\n", 413)
        answer = witness.answer(body)
        return Response(answer.body, answer.status, media_type=answer.media_type)

    async def about(_: Request) -> Response:
        latest = {origin: witness.state.latest(origin) for origin in witness.logs}
        return JSONResponse(
            {
                "witness": vkey,
                "logs": {origin: {"size": known[0] if known else 0} for origin, known in latest.items()},
                "kept": witness.state.counts(),
            }
        )

    return Starlette(
        routes=[Route("/add-checkpoint", add_checkpoint, methods=["POST"]), Route("/", about, methods=["GET"])]
    )
