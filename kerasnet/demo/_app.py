"""Web application of the demo page."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from kerasnet.demo._browser import browser_routes
from kerasnet.demo._limits import Gate, Guard, read_body
from kerasnet.demo._models import DIGIT_SHAPE, DigitModel, hog_cells
from kerasnet.errors import ImageDecodeError, KerasNetError
from kerasnet.features import extract_digit

MAX_IMAGE_BYTES = 16_000_000
MAX_DIGIT_BYTES = 64_000
MAX_PIXELS = 25_000_000
_BACKGROUNDS = ("paper", "uniform")
_STATIC = Path(__file__).parent / "static"


class Page:
    """Handlers of the requests of the page.

    All computations run one after the other in one thread, which leaves the event loop free.

    Parameters
    ----------
    models : sequence of DigitModel
        Models, in the order of the page.
    gate : Gate
        Limits of the number of requests.
    in_browser : bool
        Whether there is a page on which exported models run in the browser.
    """

    def __init__(self, models: Sequence[DigitModel], gate: Gate, in_browser: bool) -> None:
        self.models = {model.name: model for model in models}
        self.gate = gate
        self.in_browser = in_browser
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="kerasnet-demo")

    async def list_models(self, request: Request) -> Response:
        """Return the facts about the models, and the limit of the size of photographs."""
        facts = [
            {"name": model.name, "n_parameters": model.n_parameters, "accuracy": model.accuracy}
            for model in self.models.values()
        ]
        return JSONResponse({"models": facts, "max_bytes": MAX_IMAGE_BYTES, "in_browser": self.in_browser})

    async def predict(self, request: Request) -> Response:
        """Extract the digit from the image in the body, and return it with the probabilities of all models."""
        background = request.query_params.get("background", "paper")
        if background not in _BACKGROUNDS:
            raise HTTPException(400, f"Expected background to be one of {', '.join(_BACKGROUNDS)}.")
        return await self._answer(request, MAX_IMAGE_BYTES, lambda body: self._predict(body, background))

    async def explain(self, request: Request) -> Response:
        """Return the saliency of the digit in the body for a model, and its HOG cells."""
        model = self.models.get(request.query_params.get("model", ""))
        if model is None:
            raise HTTPException(400, f"Expected model to be one of {', '.join(self.models)}.")
        return await self._answer(request, MAX_DIGIT_BYTES, lambda body: _explain(parse_digit(body), model))

    async def _answer(self, request: Request, max_bytes: int, compute: Callable[[bytes], Any]) -> Response:
        async with self.gate.admit():
            body = await read_body(request, max_bytes)
            result = await asyncio.get_running_loop().run_in_executor(self.thread, compute, body)
        return JSONResponse(result)

    def _predict(self, body: bytes, background: str) -> dict[str, Any]:
        try:
            digit: Any = extract_digit(body, background=background, max_pixels=MAX_PIXELS)
        except ImageDecodeError as error:
            raise HTTPException(415, str(error)) from error
        except KerasNetError as error:  # no digit, or several
            return {"digit": None, "message": str(error)}
        predictions = {name: model.predict(digit) for name, model in self.models.items()}
        return {"digit": digit.ravel().tolist(), "predictions": predictions}


def _explain(digit: Any, model: DigitModel) -> dict[str, Any]:
    saliency = model.saliency(digit)
    return {
        "hog": hog_cells(digit).round(3).tolist(),
        "saliency": None if saliency is None else saliency.round(3).tolist(),
    }


def parse_digit(body: bytes) -> Any:
    """Parse a JSON list of 784 numbers; raise status 400 for anything else."""
    with contextlib.suppress(ValueError, RecursionError, OverflowError):
        values = json.loads(body)
        if isinstance(values, list) and {type(value) for value in values} <= {int, float}:
            digit = np.array(values, float)
            if digit.size == np.prod(DIGIT_SHAPE) and ((digit >= 0) & (digit <= 1)).all():
                return digit.reshape(DIGIT_SHAPE).astype(np.float32)
    raise HTTPException(400, "Expected a JSON list of 784 numbers from 0 to 1.")


def _error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _disconnected(request: Request, error: Exception) -> Response:
    return Response(status_code=400)


def _internal_error(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "The server failed. Its terminal shows why."}, 500)


def build_app(models: Sequence[DigitModel], hosts: Sequence[str], runtime: Path | None = None) -> Starlette:
    """Return the application for loaded models; see :func:`kerasnet.demo.make_app`."""
    page = Page(models, Gate(), runtime is not None)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        page.thread.shutdown(wait=False, cancel_futures=True)

    routes = [
        Route("/models", page.list_models),
        Route("/predict", page.predict, methods=["POST"]),
        Route("/explain", page.explain, methods=["POST"]),
        Route("/", lambda request: FileResponse(_STATIC / "index.html")),
        Mount("/static", StaticFiles(directory=_STATIC)),
        *(browser_routes(models, runtime) if runtime else ()),
    ]
    handlers: Any = {HTTPException: _error, ClientDisconnect: _disconnected, Exception: _internal_error}
    middleware = [Middleware(Guard, hosts=hosts)]
    return Starlette(routes=routes, middleware=middleware, exception_handlers=handlers, lifespan=lifespan)
